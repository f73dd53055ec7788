// SPDX-License-Identifier: BSD-3-Clause
#include "read.hpp"
#include "../bench.hpp"
#include "memory.hpp"
#include <jackplane/core/check.hpp>
#include <xsimd/xsimd.hpp>
#include <algorithm>
#include <chrono>
#include <map>
#include <numeric>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace bench
{
    namespace
    {
        constexpr std::size_t floats_read = (std::size_t{512} << 20) / sizeof(float);
        constexpr std::size_t unit = 1024; // floats: ranges of threads are whole units

        struct read_loop
        {
            char const* name;
            std::size_t streams; // 1: the four sums take turns in one stream; 4: each has a quarter of the range
            bool prefetch;
        };
        constexpr read_loop loops[] = {{"sum", 1, false}, {"prefetch", 1, true}, {"streams", 4, false}};
        constexpr std::size_t ahead = 1024; // floats: 4 KB

        // Sum k reads vectors at from + k * apart, steps of them, `step` floats from one to the next.
        struct walk
        {
            float const* from;
            std::size_t apart, step, steps;
        };

        template <bool Prefetch>
        float sum_batches(walk w)
        {
            using batch = xsimd::batch<float>;
            batch sum[4] = {batch(0.0f), batch(0.0f), batch(0.0f), batch(0.0f)};
            for (std::size_t i = 0; i < w.steps; ++i, w.from += w.step)
                for (std::size_t k = 0; k < 4; ++k)
                {
                    if constexpr (Prefetch)
                        __builtin_prefetch(w.from + k * w.apart + ahead);
                    sum[k] = sum[k] + batch::load_aligned(w.from + k * w.apart);
                }
            alignas(64) float lanes[batch::size];
            ((sum[0] + sum[1]) + (sum[2] + sum[3])).store_aligned(lanes);
            return std::accumulate(std::begin(lanes), std::end(lanes), 0.0f);
        }

#if defined(__x86_64__)
        // For whatever this unit is compiled, so that every build has the same yardstick.
        template <bool Prefetch>
        __attribute__((target("avx512f"))) float sum_avx512(walk w)
        {
            __m512 a = _mm512_setzero_ps(), b = a, c = a, d = a;
            for (std::size_t i = 0; i < w.steps; ++i, w.from += w.step)
            {
                if constexpr (Prefetch)
                    for (std::size_t k = 0; k < 4; ++k)
                        __builtin_prefetch(w.from + k * w.apart + ahead);
                a = _mm512_add_ps(a, _mm512_load_ps(w.from));
                b = _mm512_add_ps(b, _mm512_load_ps(w.from + w.apart));
                c = _mm512_add_ps(c, _mm512_load_ps(w.from + 2 * w.apart));
                d = _mm512_add_ps(d, _mm512_load_ps(w.from + 3 * w.apart));
            }
            alignas(64) float lanes[16];
            _mm512_store_ps(lanes, _mm512_add_ps(_mm512_add_ps(a, b), _mm512_add_ps(c, d)));
            return std::accumulate(std::begin(lanes), std::end(lanes), 0.0f);
        }
#endif

        template <bool Prefetch>
        float sum_of(float const* from, std::size_t n, std::size_t streams)
        {
#if defined(__x86_64__)
            if (__builtin_cpu_supports("avx512f"))
                return sum_avx512<Prefetch>(streams == 1 ? walk{from, 16, 64, n / 64} : walk{from, n / 4, 16, n / 64});
#endif
            constexpr std::size_t width = xsimd::batch<float>::size;
            return sum_batches<Prefetch>(streams == 1 ? walk{from, width, 4 * width, n / (4 * width)}
                                                      : walk{from, n / 4, width, n / (4 * width)});
        }

        // Seconds of one pass.
        double pass(read_loop const& loop, unsigned threads)
        {
            static std::shared_ptr<float const> const memory = []
            {
                auto const all = allocate<float>(floats_read);
                std::fill_n(all.get(), floats_read, 1.0f);
                return all;
            }();
            auto const begin = std::chrono::steady_clock::now();
            team_of(threads)(floats_read / unit, [&](std::size_t first, std::size_t last)
            {
                float const* const from = memory.get() + first * unit;
                std::size_t const n = (last - first) * unit;
                benchmark::DoNotOptimize(loop.prefetch ? sum_of<true>(from, n, loop.streams)
                                                       : sum_of<false>(from, n, loop.streams));
            });
            std::chrono::duration<double> const seconds = std::chrono::steady_clock::now() - begin;
            return seconds.count();
        }
    }

    jackplane::team const& team_of(unsigned threads)
    {
        static std::map<unsigned, jackplane::team> teams;
        return teams.try_emplace(threads, threads).first->second;
    }

    std::vector<double> read_passes(unsigned threads, int passes)
    {
        std::vector<double> rates;
        for (int i = 0; i < passes; ++i)
            rates.push_back(static_cast<double>(floats_read * sizeof(float)) / pass(loops[0], threads));
        return rates;
    }

    double median(std::vector<double> values)
    {
        std::ranges::sort(values);
        std::size_t const n = values.size();
        return (values[(n - 1) / 2] + values[n / 2]) / 2;
    }

    void add_read(unsigned threads)
    {
        for (read_loop const& loop : loops)
        {
            auto run = [&loop, threads](benchmark::State& state)
            {
                pass(loop, threads);
                for (auto _ : state)
                    pass(loop, threads);
                rate(state, "bytes_per_second", floats_read * sizeof(float));
            };
            auto const name = jackplane::text("READ/", loop.name, "/t", threads);
            benchmark::RegisterBenchmark(name.c_str(), run)
                ->Unit(benchmark::kMicrosecond)
                ->MeasureProcessCPUTime()
                ->UseRealTime();
        }
    }
}
