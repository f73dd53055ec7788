// SPDX-License-Identifier: BSD-3-Clause
#include "../laws/weights.hpp"
#include <doctest/doctest.h>
#include <jackplane/detach/outliers.hpp>
#include <limits>
#include <numeric>
using namespace jackplane;

TEST_CASE("shares: as many as there are in all, none above its size, in proportion where whole numbers allow")
{
    std::vector<std::size_t> const sizes{1000, 500, 200, 10, 0};
    std::vector<double> const sensitivity{1, 2, 4, 1000, 3};
    for (std::size_t const count : {0u, 1u, 7u, 100u, 1700u, 1710u})
        for (double const exponent : {0.0, 0.5, 1.0, 3.0, -1.0})
        {
            auto const counts = share_out(count, sizes, sensitivity, exponent);
            CHECK(std::accumulate(counts.begin(), counts.end(), std::size_t{0}) == count);
            for (std::size_t i = 0; i < sizes.size(); ++i)
                CHECK(counts[i] <= sizes[i]);
        }
    CHECK(share_out(171, sizes, sensitivity, 0) == std::vector<std::size_t>{100, 50, 20, 1, 0});
    CHECK(share_out(28, std::vector<std::size_t>{1000, 500, 200}, std::vector<double>{1, 2, 4}, 1) ==
          std::vector<std::size_t>{10, 10, 8});
    CHECK(share_out(20, sizes, sensitivity, 3)[3] == 10); // full: the rest goes to the others
    CHECK(share_out(5, std::vector<std::size_t>{3, 3}, std::vector<double>{0, 0}, 1) == std::vector<std::size_t>{3, 2});
    CHECK_THROWS_WITH_AS(share_out(7, std::vector<std::size_t>{3, 3}, std::vector<double>{1, 1}, 1),
                         "outliers: 7 of fewer weights", shape_error);
    CHECK_THROWS_AS(share_out(1, sizes, std::vector<double>{1}, 1), shape_error);
    CHECK_THROWS_WITH_AS(share_out(1, std::vector<std::size_t>{3, 3}, std::vector<double>{1, -1}, 1),
                         "outliers: the sensitivity of matrix 1 is -1", value_error);
}

TEST_CASE("self-adaptive: the exponent that loses least")
{
    std::vector<std::size_t> const sizes{1000, 1000};
    std::vector<double> const sensitivity{1, 4}, exponents{0, 0.5, 1, 2};
    std::vector<std::size_t> tried;
    auto const loss_of = [&](std::span<std::size_t const> counts) // least where 75 of 100 lie in the second
    {
        tried.push_back(counts[1]);
        double const off = static_cast<double>(counts[1]) - 75;
        return off * off;
    };
    auto const best = adaptive_outliers(100, sizes, sensitivity, exponents, loss_of);
    CHECK(tried == std::vector<std::size_t>{50, 67, 80, 94});
    CHECK(best.exponent == 1);
    CHECK(best.counts == std::vector<std::size_t>{20, 80});
    CHECK(best.loss == 25);
    auto const nothing = [](std::span<std::size_t const>) { return std::numeric_limits<double>::quiet_NaN(); };
    CHECK_THROWS_WITH_AS(adaptive_outliers(100, sizes, sensitivity, exponents, nothing, "layers"),
                         "layers: no finite loss of 4 exponents", value_error);
    CHECK_THROWS_AS(adaptive_outliers(100, sizes, sensitivity, {}, loss_of), value_error);
}
