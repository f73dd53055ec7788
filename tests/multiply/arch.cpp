// SPDX-License-Identifier: BSD-3-Clause
#include "laws/arch.hpp"
#include <jackplane/multiply/arch/batches.hpp>

using namespace jackplane;

// What the flags of this unit allow; the names of all are known everywhere. xsimd's in between (SSE4.2, AVX2 without
// FMA) multiply in checks/flags.cmake: here each would cost half a minute to compile.
TEST_CASE_TEMPLATE_INVOKE(arch_law, scalar, best_arch, simd<xsimd::sse2>, simd<xsimd::fma3<xsimd::avx2>>,
                          simd<xsimd::avx512bw>, simd<xsimd::neon64>);

TEST_CASE("scalar is the definition: a sum in double, rounded once")
{
    laws::sample const w = laws::weights(33, 129, 1);
    auto const a = pack<bit_planes>(quantize(w.view(), uniform<8>{}, minmax{}, group{48}));
    auto const x = laws::vector(129, laws::input::cancelling, 2);
    for (unsigned const bits : {8u, 3u})
    {
        auto const m = a.prefix(bits);
        auto const y = laws::times<scalar>(m, x);
        auto const expected = laws::product(laws::twin_of(unpack(a), bits), x);
        for (std::size_t row = 0; row < y.size(); ++row)
        {
            // expected.bound holds (3 + 8) eps sum |scale| (|decode| + |zero|) |x|; three roundings of a double a term
            laws::exact_number const magnitudes = expected[row].bound / (22 * laws::half_eps);
            laws::exact_number const slack = (129 + 3) * 0x1p-53L * magnitudes;
            CHECK(std::abs(expected[row].y - y[row]) <= laws::half_eps * std::abs(expected[row].y) + slack);
        }
    }
}

namespace
{
    // Counts, in total(), how often a kernel of batches asked for an accumulator's sum.
    struct counting
    {
        static inline int totals = 0;
        template <class V>
        struct of : fp32::of<V>
        {
            V total() const noexcept
            {
                ++totals;
                return fp32::of<V>::total();
            }
        };
    };
}
TEST_CASE("the tag chooses the kernel: scalar runs the definition, every other arch the batches")
{
    laws::sample const w = laws::weights(33, 40, 1);
    auto const a = pack<bit_planes>(quantize(w.view(), uniform<8>{}, absmax{}, group{64}));
    std::vector<float> const x(40, 1.0f);
    counting::totals = 0;
    laws::times<scalar, counting>(a, x);
    CHECK(counting::totals == 0);
    laws::times<best_arch, counting>(a, x);
    std::size_t const batches = block::rows / kernel::vectors<best_arch>::rows;
    CHECK(counting::totals == static_cast<int>(3 * batches)); // 33 rows lie in 3 panels
}
