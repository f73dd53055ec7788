// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <doctest/doctest.h>
#include <jackplane/tune/step.hpp>
#include "weights.hpp"

TEST_CASE_TEMPLATE_DEFINE("update step", U, update_step_law)
{
    static_assert(jackplane::update_step<U>);
    laws::sample const start = laws::weights(1, 257, 1, 1);

    SUBCASE("against the gradient, at most by the rate when the gradient stays, not at all where it is 0")
    {
        laws::sample v = start, g = laws::weights(1, 257, 2, 1);
        for (std::size_t i = 0; i < g.data.size(); i += 5)
            g.data[i] = 0;
        U step{};
        for (int k = 0; k < 20; ++k)
        {
            laws::sample const before = v;
            step(v.data, g.data, 0.125f);
            for (std::size_t i = 0; i < g.data.size(); ++i)
            {
                float const moved = v.data[i] - before.data[i];
                CHECK(moved * g.data[i] <= 0);
                CHECK((moved != 0) == (g.data[i] != 0));
                CHECK(std::abs(moved) <= 0.125f * (1 + 0x1p-16f)); // a few roundings
            }
        }
    }
    SUBCASE("a rate of 0 moves nothing, and scaling the gradient by a power of two changes next to nothing")
    {
        laws::sample const g = laws::weights(1, 257, 2, 1);
        laws::sample a = start, b = start, large = g;
        for (float& x : large.data)
            x *= 1024;
        U still{}, one{}, other{};
        still(a.data, g.data, 0);
        CHECK(a.data == start.data);
        one(a.data, g.data, 0.5f);
        other(b.data, large.data, 0.5f);
        for (std::size_t i = 0; i < a.data.size(); ++i) // adam's epsilon, beside gradients down to 2^-20
            CHECK(std::abs(a.data[i] - b.data[i]) <= 0.5f * 0.02f);
    }
    SUBCASE("a bowl is walked down to its floor")
    {
        laws::sample v = start;
        U step{};
        constexpr int steps = 4000;
        for (int k = 0; k < steps; ++k)
        {
            laws::sample g = v; // of |v|^2 / 2
            step(v.data, g.data, 0.01f * (1 - static_cast<float>(k) / steps));
        }
        for (float const x : v.data)
            CHECK(std::abs(x) <= 0.011f);
    }
}
