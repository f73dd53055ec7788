// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <doctest/doctest.h>
#include <jackplane/quantize/rounding.hpp>
#include "weights.hpp"

TEST_CASE_TEMPLATE_DEFINE("rounding", R, rounding_law)
{
    static_assert(jackplane::rounding<R>);
    R const rounded{};
    laws::sequence random{11};
    auto place = [&] { return jackplane::position{random() % 5000, random() % 5000}; };

    SUBCASE("gives a whole number at most 1 away, the same one when asked again")
    {
        for (int k = 0; k < 20000; ++k)
        {
            float const p = random.bell() * static_cast<float>(1u << random() % 12);
            jackplane::position const at = place();
            float const r = rounded(p, at);
            CHECK(r == std::floor(r));
            CHECK(std::abs(r - p) <= 1);
            CHECK(rounded(p, at) == r);
        }
    }
    SUBCASE("leaves integers alone, however large")
    {
        for (int k = -300; k <= 300; ++k)
            CHECK(rounded(static_cast<float>(k), place()) == static_cast<float>(k));
        for (float const large : {0x1p23f, 0x1p23f + 1, 0x1p24f - 1, 1e10f, -0x1p23f, 3e38f, -3e38f})
            CHECK(rounded(large, place()) == large);
    }
    SUBCASE("large fractions and tiny numbers")
    {
        for (float const p : {0x1p22f + 0.5f, -0x1p22f - 0.5f, 0x1p21f + 0.25f, 1e-30f, -1e-30f, 1e-44f, -1e-44f,
                              0.99999994f, -0.99999994f})
            for (int k = 0; k < 10; ++k)
            {
                float const r = rounded(p, place());
                CHECK((r == std::floor(p) || r == std::ceil(p)));
            }
    }
}
