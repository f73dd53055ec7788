// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/check.hpp>
#include <jackplane/store/write.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <vector>

namespace engine
{
    // All that a run needs to go on: the sampler and dropout are functions of seed and step.
    struct checkpoint
    {
        std::size_t step = 0, best_step = 0;
        double seconds = 0.0, cpu_seconds = 0.0; // used so far
        double best = 1e9;                       // validation, nats per token
        std::vector<float> w, m, v;              // weights, Adam's moments
        std::vector<float> best_w;

        explicit checkpoint(std::size_t size) : w(size), m(size), v(size), best_w(size) {}

        void save(std::filesystem::path const& file) const
        {
            jackplane::atomic_file out(file);
            std::uint64_t const size = w.size();
            for (auto const* x : {&magic, &size, &step, &best_step})
                out.write(std::as_bytes(std::span(x, 1)));
            for (auto const* x : {&seconds, &cpu_seconds, &best})
                out.write(std::as_bytes(std::span(x, 1)));
            for (auto const* x : {&w, &m, &v, &best_w})
                out.write(std::as_bytes(std::span(*x)));
            out.commit();
        }

        // False if there is no such file.
        bool load(std::filesystem::path const& file)
        {
            std::ifstream in(file, std::ios::binary);
            if (!in)
                return false;
            std::uint64_t found = 0, size = 0;
            for (auto* x : {&found, &size, &step, &best_step})
                in.read(reinterpret_cast<char*>(x), sizeof *x);
            JACKPLANE_EXPECTS(in && found == magic && size == w.size(), jackplane::format_error, file.string(),
                              ": not a checkpoint of ", w.size(), " parameters");
            for (auto* x : {&seconds, &cpu_seconds, &best})
                in.read(reinterpret_cast<char*>(x), sizeof *x);
            for (auto* x : {&w, &m, &v, &best_w})
                in.read(reinterpret_cast<char*>(x->data()), static_cast<std::streamsize>(size * sizeof(float)));
            JACKPLANE_EXPECTS(in, jackplane::format_error, file.string(), ": truncated checkpoint");
            return true;
        }

    private:
        static constexpr std::uint64_t magic = 0x31504b4350414a00u;
    };
}
