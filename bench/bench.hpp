// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// What the benchmarks share: seeded matrices and rates.
#include <jackplane/core/view.hpp>
#include <benchmark/benchmark.h>
#include <cmath>
#include <random>

namespace bench
{
    struct matrix
    {
        std::size_t rows, cols;
        jackplane::aligned_vector<float> data;

        matrix(std::size_t r, std::size_t c) : rows(r), cols(c), data(r * c)
        {
            std::mt19937 random(1);
            auto uniform = [&] { return static_cast<float>(random() >> 8) * 0x1p-24f; };
            for (float& w : data) // about normal: four uniform numbers
                w = uniform() + uniform() - uniform() - uniform();
        }
        jackplane::matrix_view<float const> view() const { return {data.data(), rows, cols}; }
        jackplane::matrix_view<float> view() { return {data.data(), rows, cols}; }
    };

    // Counts `amount` each iteration: shown per second.
    inline void rate(benchmark::State& state, char const* name, std::size_t amount)
    {
        state.counters[name] = {static_cast<double>(amount), benchmark::Counter::kIsIterationInvariantRate};
    }

    // Rates by the clock on the wall; the CPU column is of all threads together.
    inline void all_threads(benchmark::internal::Benchmark* b)
    {
        b->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime()->UseRealTime();
    }
}
