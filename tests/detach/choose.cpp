// SPDX-License-Identifier: BSD-3-Clause
#include "../laws/weight_score.hpp"
#include <limits>
#include <numeric>
using namespace jackplane;

TEST_CASE_TEMPLATE_INVOKE(weight_score_law, by_change, by_rise, by_magnitude, by_interquartile_range, by_chance);

TEST_CASE("what the scores are")
{
    std::vector<float> const w{-4, 0, 1, 2, 3, 10, -1, 0.5f, 1.5f}, change{-3, 2, 0, 1, -1, 0, 5, -5, 4};
    CHECK(choose(by_change{}, w, change, 3) == std::vector<std::size_t>{6, 7, 8});
    CHECK(choose(by_rise{}, w, change, 3) == std::vector<std::size_t>{1, 6, 8});
    CHECK(choose(by_magnitude{}, w, change, 2) == std::vector<std::size_t>{0, 5});
    // quartiles 0 and 2: |w| - 2 in units of 2
    auto const score = by_interquartile_range{}(w, {});
    CHECK(score[5] == 4);
    CHECK(score[0] == 1);
    CHECK(score[1] == -1);
    CHECK(choose(by_chance{1}, w, change, 4) != choose(by_chance{2}, w, change, 4));
    // of equal ones the first
    std::vector<float> const same(100, 1.0f);
    std::vector<std::size_t> first(7);
    std::iota(first.begin(), first.end(), std::size_t{0});
    CHECK(largest(same, 7) == first);
    CHECK(largest(same, 3, first) == std::vector<std::size_t>{7, 8, 9});
}

TEST_CASE("budgets and scores that make no sense are errors")
{
    CHECK(count_of(0.5, 1000) == 5);
    CHECK(count_of(0.26, 200) == 1);
    CHECK_THROWS_WITH_AS(count_of(0, 1000, "--outliers"),
                         "--outliers: 0 % of 1000 weights; it takes one at least, and not all", value_error);
    for (double const percent : {100.0, -1.0, 0.01, 99.99, std::numeric_limits<double>::quiet_NaN()})
        CHECK_THROWS_AS(count_of(percent, 1000), value_error);
    std::vector<float> score{1, 2, std::numeric_limits<float>::quiet_NaN()};
    CHECK_THROWS_WITH_AS(largest(score, 1), "scores: that of weight 2 is NaN", value_error);
    score.pop_back();
    CHECK_THROWS_WITH_AS(largest(score, 3), "scores: 3 of 2, without 0", shape_error);
    CHECK_THROWS_AS(largest(score, 0, std::vector<std::size_t>{1, 0}), shape_error);
    CHECK_THROWS_AS(largest(score, 0, std::vector<std::size_t>{2}), shape_error);
}

TEST_CASE("step by step: each part by what remains, none twice")
{
    laws::sample const w = laws::weights(1, 100, 1);
    std::vector<std::vector<std::size_t>> seen;
    // choosing a weight makes its right neighbour matter
    auto const changes_of = [&](std::span<std::size_t const> chosen)
    {
        seen.emplace_back(chosen.begin(), chosen.end());
        std::vector<float> change(100);
        change[10] = change[50] = 1;
        for (std::size_t const i : chosen)
            change[i + 1] = 2;
        return change;
    };
    CHECK(choose_stepwise(by_change{}, w.data, 6, 3, changes_of) == std::vector<std::size_t>{10, 11, 12, 50, 51, 52});
    CHECK(seen == std::vector<std::vector<std::size_t>>{{}, {10, 50}, {10, 11, 50, 51}});
    seen.clear();
    CHECK(choose_stepwise(by_change{}, w.data, 5, 2, changes_of).size() == 5); // 2, then 3
    CHECK(seen[1].size() == 2);
    CHECK_THROWS_AS(choose_stepwise(by_change{}, w.data, 5, 0, changes_of), value_error);
}
