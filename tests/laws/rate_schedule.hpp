// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <doctest/doctest.h>
#include <jackplane/tune/rate.hpp>

TEST_CASE_TEMPLATE_DEFINE("rate schedule", R, rate_schedule_law)
{
    static_assert(jackplane::rate_schedule<R>);
    for (std::size_t const steps : {1u, 2u, 7u, 200u, 1000u})
    {
        R const rate{0.25f, steps};
        CHECK(rate.steps == steps);
        CHECK(rate(0) == 0.25f);
        for (std::size_t k = 1; k < steps; ++k)
        {
            CHECK(rate(k) > 0);
            CHECK(rate(k) <= rate(k - 1));
        }
    }
}
