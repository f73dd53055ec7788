// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "linear_map.hpp"

// A prepared x holds x itself in blocks of 32 columns with the sum of each.
TEST_CASE_TEMPLATE_DEFINE("activation", A, activation_law)
{
    using namespace laws;
    using jackplane::block;
    static_assert(jackplane::activation<A>);
    typename A::prepared ready;

    SUBCASE("x as it is, padded with +0")
    {
        for (std::size_t const n : ragged)
        {
            auto const x = vector(n, input::bell, n);
            A{}.prepare(x, ready);
            auto const v = ready.view();
            REQUIRE(v.cols == n);
            CHECK(ready.cols() == n);
            CHECK(same_bits({v.x, n}, x));
            std::vector<float> const padding(jackplane::round_up(n, block::cols) - n, 0.0f);
            CHECK(same_bits({v.x + n, padding.size()}, padding));
        }
    }
    SUBCASE("block sums are rounded once, but for 31 roundings of a double")
    {
        for (input const kind : all_inputs)
            for (std::size_t const n : ragged)
            {
                auto const x = vector(n, kind, n + 1);
                A{}.prepare(x, ready);
                for (std::size_t b = 0; b * block::cols < n; ++b)
                {
                    exact_number sum = 0, magnitudes = 0;
                    for (std::size_t i = b * block::cols; i < std::min(n, (b + 1) * block::cols); ++i)
                        sum += x[i], magnitudes += std::abs(x[i]);
                    exact_number const error = std::abs(sum - ready.view().sums[b]);
                    CHECK(error <= half_eps * std::abs(sum) + 31 * 0x1p-53L * magnitudes);
                    if (kind == input::coarse) // exact in double
                        CHECK(ready.view().sums[b] == static_cast<float>(sum));
                }
            }
    }
    SUBCASE("the sum of a block with NaN or Inf is NaN, of the others it is not")
    {
        for (float const bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                                -std::numeric_limits<float>::infinity()})
        {
            std::vector<float> x(100, 1.0f);
            x[40] = bad;
            A{}.prepare(x, ready);
            for (std::size_t b = 0; b < 4; ++b)
                CHECK(std::isnan(ready.view().sums[b]) == (b == 1));
        }
    }
    SUBCASE("nothing of a longer x is left behind")
    {
        typename A::prepared fresh;
        A{}.prepare(std::vector<float>(200, 3.0f), ready);
        for (std::size_t const n : {33u, 5u, 0u, 64u})
        {
            auto const x = vector(n, input::positive, n);
            A{}.prepare(x, ready);
            A{}.prepare(x, fresh);
            std::size_t const blocks = jackplane::ceil_div(n, block::cols);
            CHECK(ready.cols() == n);
            CHECK(same_bits({ready.view().x, blocks * block::cols}, {fresh.view().x, blocks * block::cols}));
            CHECK(same_bits({ready.view().sums, blocks}, {fresh.view().sums, blocks}));
        }
    }
}
