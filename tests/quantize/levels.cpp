// SPDX-License-Identifier: BSD-3-Clause
#include "../laws/weights.hpp"
#include <doctest/doctest.h>
#include <jackplane/quantize/levels.hpp>
#include <jackplane/quantize/quantize.hpp>
#include <cmath>
#include <limits>
#include <vector>
using namespace jackplane;

namespace
{
    constexpr std::size_t level_rows = 7, level_cols = 77, level_columns = 16, level_groups = 5;

    given_levels some_levels(std::vector<float> values, float scale = 0.5f)
    {
        aligned_vector<float> scales(level_rows * level_groups), offsets(level_rows * level_groups);
        for (std::size_t i = 0; i < scales.size(); ++i)
        {
            scales[i] = scale * (i % 2 == 0 ? 1.0f : -0.75f);
            offsets[i] = 0.1f * static_cast<float>(i % 7) - 0.3f;
        }
        return {std::move(values), level_columns, std::move(scales), std::move(offsets)};
    }
    std::vector<float> const even_levels{0, 1, 2, 3, 4, 5, 6, 7}, uneven_levels{-8, -5, -2, -0.5f, 1, 2, 4, 9};
}

TEST_CASE("each weight gets the code of the nearest level, evenly spaced or not")
{
    laws::sample const w = laws::weights(level_rows, level_cols, 1);
    for (auto const& values : {even_levels, uneven_levels})
    {
        given_levels const by = some_levels(values);
        aligned_vector<code> q(w.data.size());
        round_to_levels(w.view(), by, q, independent{}, "w", threads{3});
        for (std::size_t row = 0, i = 0; row < level_rows; ++row)
            for (std::size_t col = 0; col < level_cols; ++col, ++i)
            {
                std::size_t const group = by.group_of(row, col, level_cols);
                CHECK(group == row * level_groups + col / level_columns);
                float least = std::numeric_limits<float>::infinity();
                for (code k = 0; k < by.size(); ++k)
                    least = std::min(least, std::abs(by.decode(group, k) - w.data[i]));
                CHECK(std::abs(by.decode(group, q[i]) - w.data[i]) <= least * (1 + 1e-5f) + 1e-6f);
                CHECK(by.error(group, q[i], w.data[i]) == doctest::Approx(w.data[i] - by.decode(group, q[i])));
            }
    }
}

TEST_CASE("with feedback the codes are those of quantize, where the scales are")
{
    laws::sample const w = laws::weights(level_rows, level_cols, 1), gram = laws::correlated(level_cols, 2);
    feedback_options options{.scales_first = true};
    for (bool const by_activation : {false, true})
    {
        options.by_activation = by_activation;
        feedback const order(gram.view(), options);
        auto const q = quantize<float>(w.view(), uniform<3>{}, full_range{}, group{level_columns}, nearest{}, order);
        aligned_vector<float> offsets;
        for (float const scale : q.scales)
            offsets.push_back(-4 * scale);
        given_levels const by(even_levels, level_columns, q.scales, offsets);
        aligned_vector<code> codes(w.data.size());
        round_to_levels(w.view(), by, codes, order);
        std::size_t differ = 0; // where w / s + 4 and (w + 4 s) / s round to other sides of a tie
        for (std::size_t i = 0; i < codes.size(); ++i)
            differ += codes[i] != q.codes[i];
        CHECK(differ * 100 <= codes.size());
        aligned_vector<code> alone(w.data.size());
        round_to_levels(w.view(), by, alone);
        CHECK(alone != codes);
    }
}

TEST_CASE("a group whose scale is 0 keeps its codes, and its errors are made up for")
{
    std::vector<float> const w{3, 3, 1, 1}, gram{1, 0.9f, 0.9f, 0.9f, 0.9f, 1,    0.9f, 0.9f,
                                                 0.9f, 0.9f, 1, 0.9f, 0.9f, 0.9f, 0.9f, 1};
    given_levels const by({0, 1, 2, 3, 4, 5, 6, 7}, 2, {0, 1}, {0, 0});
    aligned_vector<code> q{5, 6, 0, 0};
    feedback const order(matrix_view<float const>{gram.data(), 4, 4});
    round_to_levels({w.data(), 1, 4}, by, q, order);
    CHECK(q[0] == 5);
    CHECK(q[1] == 6);
    CHECK(int{q[2]} + int{q[3]} > 4); // 6 are missing, most of which the others can make
}

TEST_CASE("levels, sizes and numbers that do not fit are errors")
{
    CHECK_THROWS_AS(given_levels({0}, 1, {}, {}), value_error);
    CHECK_THROWS_AS(given_levels({0, 1, 1}, 1, {}, {}), value_error);
    CHECK_THROWS_AS(given_levels({0, std::nanf("")}, 1, {}, {}), value_error);
    CHECK_THROWS_AS(given_levels({0, 1}, 0, {}, {}), value_error);
    CHECK_THROWS_AS(given_levels(std::vector<float>(257), 1, {}, {}), value_error);
    laws::sample const w = laws::weights(2, 5, 1);
    aligned_vector<code> q(10), short_of(9);
    given_levels const by({0, 1}, 2, {1, 1, 1, 1, 1, 1}, {0, 0, 0, 0, 0, 0});
    CHECK_NOTHROW(round_to_levels(w.view(), by, q));
    CHECK_THROWS_AS(round_to_levels(w.view(), by, short_of), shape_error);
    given_levels const few({0, 1}, 2, {1, 1, 1, 1, 1}, {0, 0, 0, 0, 0});
    CHECK_THROWS_AS(round_to_levels(w.view(), few, q), shape_error);
    given_levels const broken({0, 1}, 2, {1, 1, 1, 1, std::nanf(""), 1}, {0, 0, 0, 0, 0, 0});
    CHECK_THROWS_WITH_AS(round_to_levels(w.view(), broken, q, independent{}, "w"),
                         doctest::Contains("w: scale nan and offset 0 of group 1 in row 1"), value_error);
}
