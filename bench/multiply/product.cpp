// SPDX-License-Identifier: BSD-3-Clause
#include "product.hpp"
#include "../bench.hpp"
#include "read.hpp"
#include <algorithm>
#include <chrono>

namespace bench
{
    std::string end_of_name(shape s, std::size_t vectors, unsigned threads, bool cold)
    {
        std::string const many = vectors > 1 ? jackplane::text("n", vectors, "/") : std::string();
        return jackplane::text(many, s.rows, "x", s.cols, "/t", threads, cold ? "/cold" : "/llc");
    }

    std::size_t set_size(bool cold, std::size_t bytes) { return cold ? cold_bytes / bytes + 1 : 1; }

    void add(row r)
    {
        std::string const name = r.name;
        auto run = [r = std::move(r)](benchmark::State& state)
        {
            auto const p = r.make();
            if (std::string const wrong = p->wrong(); !wrong.empty())
                return state.SkipWithError(wrong.c_str());
            p->rest();

            std::vector<double> reads = read_passes(r.threads, 3);
            if (p->matrices() == 1) // READ took its place in the cache
                p->multiply(0);
            std::size_t which = 0;
            auto const begin = std::chrono::steady_clock::now();
            for (auto _ : state)
            {
                p->multiply(which);
                benchmark::ClobberMemory();
                which = which + 1 == p->matrices() ? 0 : which + 1;
            }
            std::chrono::duration<double> const seconds = std::chrono::steady_clock::now() - begin;
            p->rest();
            std::ranges::copy(read_passes(r.threads, 3), std::back_inserter(reads));

            double const calls = static_cast<double>(state.iterations()), read = median(reads);
            rate(state, "weights_per_second", r.of.rows * r.of.cols);
            rate(state, "bytes_per_second", p->bytes());
            if (r.vectors > 1)
                rate(state, "multiply_adds_per_second", r.of.rows * r.of.cols * r.vectors);
            state.counters["read_fraction"] = static_cast<double>(p->bytes()) * calls / seconds.count() / read;
        };
        benchmark::RegisterBenchmark(name.c_str(), run)
            ->Unit(benchmark::kMicrosecond)
            ->MeasureProcessCPUTime()
            ->UseRealTime();
    }
}
