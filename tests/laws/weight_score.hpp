// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <doctest/doctest.h>
#include <jackplane/detach/choose.hpp>
#include "weights.hpp"

TEST_CASE_TEMPLATE_DEFINE("weight score", S, weight_score_law)
{
    static_assert(jackplane::weight_score<S>);
    for (std::size_t const n : laws::ragged)
    {
        laws::sample const w = laws::weights(1, n, 1), change = laws::weights(1, n, 2);
        S const score{};
        auto const scores = score(w.data, change.data);
        CHECK(scores.size() == n);
        CHECK(score(w.data, change.data) == scores);
        for (std::size_t const count : {std::size_t{0}, n / 3, n / 2, n})
        {
            auto const chosen = jackplane::choose(score, w.data, change.data, count);
            CHECK(chosen.size() == count); // as many as promised, each once, ascending
            CHECK(std::adjacent_find(chosen.begin(), chosen.end(), std::greater_equal<>{}) == chosen.end());
            float least = std::numeric_limits<float>::infinity();
            for (std::size_t const i : chosen)
                least = std::min(least, scores[i]);
            for (std::size_t i = 0; i < n; ++i)
                CHECK((std::binary_search(chosen.begin(), chosen.end(), i) || scores[i] <= least));
            if (2 * count > n)
                continue;
            auto const others = jackplane::choose(score, w.data, change.data, count, chosen);
            CHECK(others.size() == count);
            for (std::size_t const i : others)
                CHECK_FALSE(std::binary_search(chosen.begin(), chosen.end(), i));
        }
    }
}
