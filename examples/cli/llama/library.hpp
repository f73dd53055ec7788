// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// What programs ask of llama.cpp's libraries, which are opened at run time: prototypes and structs are written here
// after the x86-64 code of v0.5.0, which npm's @node-llama-cpp/linux-x64 ships.
#include <dlfcn.h>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <string>

namespace llama
{
    inline void require(bool good, std::string const& message)
    {
        if (!good)
            throw std::runtime_error(message);
    }

    template <class F>
    F* function(char const* name)
    {
        void* found = dlsym(RTLD_DEFAULT, name);
        require(found != nullptr, std::string("llama.cpp has no function ") + name);
        return reinterpret_cast<F*>(found);
    }

    enum class logged
    {
        warnings = 3, // and errors
        errors = 4
    };

    /// Opens the libraries of a folder; what they log goes to stderr from that on.
    inline void open(std::string const& bins, logged from = logged::warnings)
    {
        for (char const* name : {"/libggml-base", "/libggml", "/libllama"})
        {
            void* found = nullptr;
            for (char const* end : {".v0.5.0.so", ".so"})
                if (found == nullptr)
                    found = dlopen((bins + name + end).c_str(), RTLD_NOW | RTLD_GLOBAL);
            require(found != nullptr, bins + name + ".so does not open");
        }
        auto* const log_line = +[](int level, char const* text, void* least)
        {
            if (level >= *static_cast<int const*>(least) && level <= static_cast<int>(logged::errors))
                std::fputs(text, stderr);
        };
        static int least;
        least = static_cast<int>(from);
        function<void(void (*)(int, char const*, void*), void*)>("llama_log_set")(log_line, &least);
        function<void(char const*)>("ggml_backend_load_all_from_path")(bins.c_str());
        function<void()>("llama_backend_init")();
    }

    /// Which of its libraries for kinds of processors llama.cpp took.
    inline std::string kernels()
    {
        std::string const begin = "libggml-cpu-";
        std::ifstream maps("/proc/self/maps");
        for (std::string line; std::getline(maps, line);)
            if (auto const at = line.find(begin); at != line.npos)
                return line.substr(at + begin.size(), line.rfind(".so") - at - begin.size());
        return "";
    }

    /// By value in x86-64's calls, yet in memory: ours may be larger than theirs, which has 80 bytes.
    struct model_params
    {
        std::byte bytes[256];
    };

    /// Types of keys and values, by ggml's numbers.
    enum class cache_type : std::int32_t
    {
        f16 = 1,
        q4_0 = 2,
        q5_0 = 6,
        q8_0 = 8
    };
    inline char const* name_of(cache_type type)
    {
        using enum cache_type;
        return type == f16 ? "f16" : type == q4_0 ? "q4_0" : type == q5_0 ? "q5_0" : "q8_0";
    }

    struct context_params
    {
        std::uint32_t n_ctx, n_batch, n_ubatch, n_seq_max, n_rs_seq, n_outputs_max, n_outputs_max_per_seq;
        std::int32_t n_threads, n_threads_batch, ctx_type, rope_scaling_type, pooling_type, attention_type,
            flash_attn_type;
        float rope_freq_base, rope_freq_scale, yarn_ext_factor, yarn_attn_factor, yarn_beta_fast, yarn_beta_slow;
        std::uint32_t yarn_orig_ctx;
        float defrag_thold;
        void *cb_eval, *cb_eval_user_data;
        std::int32_t type_k, type_v; // 0 is F32, 1 is F16
        void *abort_callback, *abort_callback_data;
        bool embeddings, offload_kqv, no_perf, op_offload, swa_full, kv_unified;
        void* samplers;
        std::size_t n_samplers;
        void* ctx_other;
        std::byte more[96]; // for fields that a later version may append
    };
    static_assert(offsetof(context_params, type_k) == 0x68 && offsetof(context_params, more) == 0xa0);

    inline context_params default_options()
    {
        auto const options = function<context_params()>("llama_context_default_params")();
        require(options.n_ctx == 512 && options.n_ubatch == 512 && options.n_threads == options.n_threads_batch &&
                    options.flash_attn_type == -1 && options.yarn_beta_fast == -1 && options.defrag_thold == -1 &&
                    options.type_k == 1 && options.type_v == 1 && options.swa_full && !options.embeddings,
                "llama_context_default_params is not that of v0.5.0: this version of llama.cpp is not known here");
        return options;
    }

    struct token_batch
    {
        std::int32_t n_tokens;
        std::int32_t* token;
        float* embd;
        std::int32_t* pos;
        std::int32_t* n_seq_id;
        std::int32_t** seq_id;
        std::int8_t* logits;
    };

    /// A model that was read from a GGUF file. Never closed by itself: programs end by it.
    inline void* open_model(std::string const& path)
    {
        auto const with = function<model_params()>("llama_model_default_params")();
        auto* const load = function<void*(char const*, model_params)>("llama_model_load_from_file");
        void* const model = load(path.c_str(), with);
        require(model != nullptr, path + " does not load");
        return model;
    }

    inline void* open_context(void* model, context_params const& options)
    {
        void* const context = function<void*(void*, context_params)>("llama_init_from_model")(model, options);
        require(context != nullptr, "llama.cpp makes no context");
        return context;
    }

    inline token_batch make_batch(std::size_t tokens)
    {
        return function<token_batch(std::int32_t, std::int32_t, std::int32_t)>("llama_batch_init")(
            static_cast<std::int32_t>(tokens), 0, 1);
    }

    /// Token i of a batch, of a sequence: 0, where a text has no other.
    inline void put(token_batch& to, std::int32_t i, std::int32_t token, std::int32_t position, bool wants_logits,
                    std::int32_t sequence = 0)
    {
        to.token[i] = token;
        to.pos[i] = position;
        to.n_seq_id[i] = 1;
        to.seq_id[i][0] = sequence;
        to.logits[i] = wants_logits;
    }
}
