// SPDX-License-Identifier: BSD-3-Clause
#include "peak.hpp"
#include "../bench.hpp"
#include "read.hpp"
#include <jackplane/core/check.hpp>
#include <jackplane/multiply/multiply.hpp>
#include <array>
#include <string>

namespace bench
{
    namespace
    {
        constexpr std::size_t chains = 12, turns = 100000; // more sums than a dot has cycles

        // Hides what the register holds, so that each product of it is made anew: where a dot is a product and an
        // addition, compilers make products that are all alike once for all turns, and time additions alone.
        template <class V>
        [[gnu::always_inline]] inline void hide(typename V::bytes& codes) noexcept
        {
#if defined(__aarch64__)
            asm("" : "+w"(codes.v));
#else
            asm("" : "+x"(codes.v));
#endif
        }

        // Dots of byte vectors in registers alone.
        template <class V>
        void dots()
        {
            std::array<std::byte, 4 * V::rows> const ones{std::byte{1}};
            auto codes = V::load_bytes(ones.data());
            std::array<typename V::ints, chains> sum;
            sum.fill(V::zero());
            for (std::size_t i = 0; i < turns; ++i)
                jackplane::kernel::for_each<chains>([&](auto k) __attribute__((always_inline)) {
                    hide<V>(codes);
                    sum[k] = V::dot(sum[k], codes, codes);
                });
            benchmark::DoNotOptimize(sum);
        }

        template <class Arch>
        void add_dots(unsigned threads)
        {
            if constexpr (Arch::multiplies_bytes)
            {
                using vectors = jackplane::kernel::vectors<Arch>;
                auto run = [threads](benchmark::State& state)
                {
                    for (auto _ : state)
                        team_of(threads)(threads, [](std::size_t, std::size_t) { dots<vectors>(); });
                    rate(state, "multiply_adds_per_second", threads * turns * chains * 4 * vectors::rows);
                };
                auto const name = jackplane::text("PEAK/dot/t", threads);
                benchmark::RegisterBenchmark(name.c_str(), run)
                    ->Unit(benchmark::kMicrosecond)
                    ->MeasureProcessCPUTime()
                    ->UseRealTime();
            }
        }
    }

    void add_peak(unsigned threads) { add_dots<jackplane::best_arch>(threads); }
}
