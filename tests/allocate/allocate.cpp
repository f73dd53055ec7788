// SPDX-License-Identifier: BSD-3-Clause
#include "../laws/weights.hpp"
#include <doctest/doctest.h>
#include <jackplane/allocate/allocate.hpp>
#include <cmath>
#include <limits>
#include <vector>
using namespace jackplane;

namespace
{
    using table = std::vector<std::vector<allocation_choice>>;

    // Every combination.
    allocation brute_force(table const& layers, std::uint64_t budget)
    {
        std::vector<std::size_t> now(layers.size());
        allocation best{{}, 0, std::numeric_limits<double>::infinity()};
        for (;;)
        {
            allocation a{now, 0, 0};
            for (std::size_t i = 0; i < layers.size(); ++i)
                a.size += layers[i][now[i]].size, a.loss += layers[i][now[i]].loss;
            if (a.size <= budget && (a.loss < best.loss || (a.loss == best.loss && a.size < best.size)))
                best = a;
            std::size_t i = 0;
            while (i < layers.size() && ++now[i] == layers[i].size())
                now[i++] = 0;
            if (i == layers.size())
                return best;
        }
    }
    table random_table(std::size_t layers, std::uint64_t seed)
    {
        laws::sequence next{seed};
        table t(layers);
        for (auto& choices : t)
            for (std::size_t c = 0, n = 1 + next() % 5; c < n; ++c) // losses in quarters: their sums are exact
                choices.push_back({next() % 40, static_cast<double>(static_cast<int>(next() % 64) - 8) / 4});
        return t;
    }
}

TEST_CASE("the least loss of all combinations within the budget, and of those the smallest")
{
    std::size_t tried = 0;
    for (std::uint64_t seed = 1; seed <= 60; ++seed)
    {
        table const t = random_table(seed % 7, seed);
        std::uint64_t least = 0;
        for (auto const& choices : t)
        {
            std::uint64_t smallest = 1000;
            for (auto const& c : choices)
                smallest = std::min(smallest, c.size);
            least += smallest;
        }
        for (std::uint64_t const over : {0u, 1u, 7u, 30u, 1000u})
        {
            allocation const a = allocate(t, least + over), expected = brute_force(t, least + over);
            CHECK(a.loss == expected.loss);
            CHECK(a.size == expected.size);
            REQUIRE(a.choices.size() == t.size());
            std::uint64_t size = 0;
            double loss = 0;
            for (std::size_t i = 0; i < t.size(); ++i)
            {
                REQUIRE(a.choices[i] < t[i].size());
                size += t[i][a.choices[i]].size;
                loss += t[i][a.choices[i]].loss;
            }
            CHECK(size == a.size);
            CHECK(loss == a.loss);
            ++tried;
        }
    }
    CHECK(tried == 300);
}

TEST_CASE("a model of real size: 224 matrices, 8 widths each, in less than the blink of an eye")
{
    laws::sequence next{3};
    table t(224);
    std::uint64_t weights = 0;
    for (std::size_t i = 0; i < t.size(); ++i)
    {
        std::uint64_t const size = i % 7 < 4 ? 16 : 43; // 4096 x 4096 and 4096 x 11008, in units of 2^20 weights
        double const matters = 0.5 + next.unit();
        for (unsigned bits = 1; bits <= 8; ++bits)
            t[i].push_back({size * bits, matters * std::exp2(-2.0 * bits)});
        weights += size;
    }
    allocation const three = allocate(t, 3 * weights), four = allocate(t, 4 * weights);
    CHECK(three.size <= 3 * weights);
    CHECK(three.size > 3 * weights - 16);
    CHECK(four.loss < three.loss);
    double uniform = 0;
    for (auto const& choices : t)
        uniform += choices[2].loss;
    CHECK(three.loss < uniform);
}

TEST_CASE("what cannot be is an error that says the numbers")
{
    table t{{{5, 1.0}, {7, 0.5}}, {{3, 1.0}}};
    CHECK_THROWS_WITH_AS(allocate(t, 7),
                         "allocate: a budget of 7, but the smallest choices of the first 2 layers need more",
                         value_error);
    CHECK(allocate(t, 8).choices == std::vector<std::size_t>{0, 0});
    t[1].clear();
    CHECK_THROWS_WITH_AS(allocate(t, 100, "mix"), "mix: layer 1 has no choice", value_error);
    t[1] = {{1, std::nan("")}};
    CHECK_THROWS_WITH_AS(allocate(t, 100), doctest::Contains("allocate: layer 1 has a loss of"), value_error);
    CHECK(allocate(table{}, 0).choices.empty());
    std::uint64_t const huge = std::numeric_limits<std::uint64_t>::max();
    CHECK_THROWS_AS(allocate(table{{{5, 1.0}}, {{huge - 2, 1.0}}}, huge), value_error); // sums do not wrap
    CHECK(allocate(table{{{huge, 1.0}, {1, 2.0}}, {{huge, 1.0}, {0, 3.0}}}, huge).size == huge);
}

TEST_CASE("a pyramid: few bits at both ends, many in the middle")
{
    using sizes = std::vector<std::size_t>;
    CHECK(pyramid(6, 3) == sizes{0, 1, 2, 2, 1, 0});
    CHECK(pyramid(5, 3) == sizes{0, 1, 2, 1, 0});
    CHECK(pyramid(1, 3) == sizes{0});
    CHECK(pyramid(0, 3).empty());
    CHECK(pyramid(26, 3) == sizes{0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0, 0});
}
