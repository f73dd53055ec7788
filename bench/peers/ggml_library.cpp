// SPDX-License-Identifier: BSD-3-Clause
#include "ggml.hpp"
#include <jackplane/core/check.hpp>
#include <dlfcn.h>
#include <cstdio>
#include <filesystem>
#include <string_view>

namespace bench::ggml
{
    namespace
    {
        void* open(std::filesystem::path const& file)
        {
            void* const handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL); // until the program ends
            if (handle == nullptr)
                jackplane::fail<jackplane::io_error>(jackplane::text("ggml: ", dlerror()));
            return handle;
        }

        template <class F>
        void find(void* handle, char const* name, F*& function)
        {
            function = reinterpret_cast<F*>(dlsym(handle, name));
            if (function == nullptr)
                jackplane::fail<jackplane::io_error>(jackplane::text("ggml: its libraries have no function ", name));
        }

        // 0: the machine cannot run it.
        int score(void* handle)
        {
            auto* const f = reinterpret_cast<int (*)()>(dlsym(handle, "ggml_backend_score"));
            return f == nullptr ? 1 : f();
        }
    }

    library::library(std::string const& folder, std::string const& variant)
    {
        std::filesystem::path const in(folder);
        m_base = open(in / "libggml-base.so");
        void* cpu = nullptr;
        if (!variant.empty())
        {
            cpu = open(in / jackplane::text("libggml-cpu-", variant, ".so"));
            if (score(cpu) == 0)
                jackplane::fail<jackplane::io_error>(jackplane::text("ggml: this machine cannot run ", variant));
            m_variant = variant;
        }
        else
        {
            int best = 0;
            for (auto const& entry : std::filesystem::directory_iterator(in))
            {
                std::string const name = entry.path().stem().string(), prefix = "libggml-cpu-";
                if (name.rfind(prefix, 0) != 0)
                    continue;
                void* const handle = open(entry.path());
                if (int const s = score(handle); s > best)
                {
                    best = s;
                    cpu = handle;
                    m_variant = name.substr(prefix.size());
                }
            }
            if (cpu == nullptr)
                jackplane::fail<jackplane::io_error>(jackplane::text("ggml: no libggml-cpu-*.so for this machine in ",
                                                                     folder));
        }

        find(m_base, "ggml_init", init);
        find(m_base, "ggml_free", free);
        find(m_base, "ggml_tensor_overhead", tensor_overhead);
        find(m_base, "ggml_graph_overhead_custom", graph_overhead_custom);
        find(m_base, "ggml_new_tensor_2d", new_tensor_2d);
        find(m_base, "ggml_mul_mat", mul_mat);
        find(m_base, "ggml_new_graph_custom", new_graph_custom);
        find(m_base, "ggml_build_forward_expand", build_forward_expand);
        find(m_base, "ggml_get_data", get_data);
        find(m_base, "ggml_get_name", get_name);
        find(m_base, "ggml_version", version);
        find(m_base, "ggml_log_set", log_set);
        find(m_base, "ggml_type_name", type_name);
        find(m_base, "ggml_blck_size", block_size);
        find(m_base, "ggml_row_size", row_size);
        find(m_base, "ggml_quantize_chunk", quantize_chunk);
        find(m_base, "ggml_backend_cpu_buffer_type", cpu_buffer_type);
        find(m_base, "ggml_backend_alloc_ctx_tensors_from_buft", alloc_tensors);
        find(m_base, "ggml_backend_buft_name", buffer_type_name);
        find(m_base, "ggml_backend_free", backend_free);
        find(m_base, "ggml_backend_buffer_free", buffer_free);
        find(m_base, "ggml_backend_buffer_get_base", buffer_base);
        find(m_base, "ggml_backend_buffer_get_size", buffer_size);
        find(m_base, "ggml_backend_tensor_set", tensor_set);
        find(m_base, "ggml_backend_tensor_get", tensor_get);
        find(m_base, "ggml_backend_graph_compute", compute);
        find(m_base, "ggml_backend_reg_dev_get", registry_device);
        find(m_base, "ggml_backend_reg_get_proc_address", registry_function);
        find(m_base, "ggml_threadpool_params_init", threadpool_params_init);
        find(cpu, "ggml_backend_cpu_reg", cpu_registry);
        find(cpu, "ggml_backend_cpu_init", cpu_init);
        find(cpu, "ggml_backend_cpu_set_n_threads", set_threads);
        find(cpu, "ggml_backend_cpu_set_threadpool", set_threadpool);
        find(cpu, "ggml_threadpool_new", threadpool_new);
        find(cpu, "ggml_threadpool_free", threadpool_free);
        find(cpu, "ggml_threadpool_pause", threadpool_pause);
        find(cpu, "ggml_threadpool_resume", threadpool_resume);
        log_set([](int level, char const* text, void*)
        {
            constexpr int warning = 3, error = 4;
            if (level == warning || level == error)
                std::fputs(text, stderr);
        }, nullptr);
    }

    int library::type(std::string const& name) const
    {
        constexpr int types_at_most = 31; // all that the bench asks for are older
        for (int t = 0; t < types_at_most; ++t)
            if (char const* const n = type_name(t); n != nullptr && name == n)
                return t;
        return -1;
    }

    library::to_floats* library::dequantize(std::string const& type) const
    {
        return reinterpret_cast<to_floats*>(dlsym(m_base, jackplane::text("dequantize_row_", type).c_str()));
    }

    buffer_type* library::repacking() const
    {
        registry* const cpu = cpu_registry();
        using extra = buffer_type** (*)(device*);
        auto* const f = reinterpret_cast<extra>(registry_function(cpu, "ggml_backend_dev_get_extra_bufts"));
        for (buffer_type** b = f == nullptr ? nullptr : f(registry_device(cpu, 0)); b != nullptr && *b != nullptr; ++b)
            if (std::string_view(buffer_type_name(*b)).find("REPACK") != std::string_view::npos)
                return *b;
        return nullptr;
    }
}
