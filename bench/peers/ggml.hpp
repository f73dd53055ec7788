// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// The functions of ggml's C interface that the bench calls, found in its shared libraries at run time. Its structs stay
// opaque, but for the one that is passed by value.
#include <cstddef>
#include <cstdint>
#include <string>

namespace bench::ggml
{
    struct context;
    struct tensor;
    struct graph;
    struct buffer;
    struct buffer_type;
    struct device;
    struct registry;
    struct backend;
    struct threadpool;
    struct threadpool_params;

    struct init_params
    {
        std::size_t mem_size;
        void* mem_buffer;
        bool no_alloc;
    };

    class library
    {
    public:
        // folder: holds libggml-base.so and libggml-cpu-<variant>.so; variant: empty for the one that scores highest on
        // this machine. Throws io_error.
        library(std::string const& folder, std::string const& variant);

        std::string const& variant() const noexcept { return m_variant; }
        int type(std::string const& name) const; // "q4_K"; -1: there is none
        using to_floats = void(void const* from, float* to, std::int64_t n);
        to_floats* dequantize(std::string const& type) const; // null: there is none
        buffer_type* repacking() const;                       // null: there is none

        // tensors and graphs
        context* (*init)(init_params);
        void (*free)(context*);
        std::size_t (*tensor_overhead)();
        std::size_t (*graph_overhead_custom)(std::size_t size, bool gradients);
        tensor* (*new_tensor_2d)(context*, int type, std::int64_t cols, std::int64_t rows);
        tensor* (*mul_mat)(context*, tensor* a, tensor* b); // a [rows, cols], b [n, cols] -> [n, rows]
        graph* (*new_graph_custom)(context*, std::size_t size, bool gradients);
        void (*build_forward_expand)(graph*, tensor*);
        void* (*get_data)(tensor const*);
        char const* (*get_name)(tensor const*);
        char const* (*version)();
        void (*log_set)(void (*log)(int level, char const* text, void* data), void* data);

        // types
        char const* (*type_name)(int type);
        std::int64_t (*block_size)(int type);
        std::size_t (*row_size)(int type, std::int64_t cols);
        std::size_t (*quantize_chunk)(int type, float const* from, void* to, std::int64_t start, std::int64_t rows,
                                      std::int64_t cols, float const* importance);

        // memory
        buffer_type* (*cpu_buffer_type)();
        buffer* (*alloc_tensors)(context*, buffer_type*);
        char const* (*buffer_type_name)(buffer_type*);
        void (*buffer_free)(buffer*);
        void* (*buffer_base)(buffer*);
        std::size_t (*buffer_size)(buffer*);
        void (*tensor_set)(tensor*, void const* from, std::size_t offset, std::size_t bytes);
        void (*tensor_get)(tensor const*, void* to, std::size_t offset, std::size_t bytes);

        // the CPU
        registry* (*cpu_registry)();
        backend* (*cpu_init)();
        void (*backend_free)(backend*);
        void (*set_threads)(backend*, int);
        void (*set_threadpool)(backend*, threadpool*);
        int (*compute)(backend*, graph*); // 0: well
        device* (*registry_device)(registry*, std::size_t nth);
        void* (*registry_function)(registry*, char const* name);
        void (*threadpool_params_init)(threadpool_params*, int threads);
        threadpool* (*threadpool_new)(threadpool_params*);
        void (*threadpool_free)(threadpool*);
        void (*threadpool_pause)(threadpool*);
        void (*threadpool_resume)(threadpool*);

    private:
        void* m_base = nullptr;
        std::string m_variant;
    };

    // Whether the CPU's repacking took this tensor: ggml_tensor::extra, which follows the 64 characters of the name.
    inline bool repacked(library const& g, tensor const* t)
    {
        constexpr std::size_t name_size = 64;
        return *reinterpret_cast<void* const*>(g.get_name(t) + name_size) != nullptr;
    }
}
