// SPDX-License-Identifier: BSD-3-Clause
#include "../laws/quadrature_rule.hpp"
using namespace jackplane;

TEST_CASE_TEMPLATE_INVOKE(quadrature_rule_law, left_riemann, right_riemann, midpoint, trapezoid, simpson, gauss,
                          inclusive_mean);

TEST_CASE("rules as books have them")
{
    gauss const two(2), three(3);
    CHECK(two.node(0) == doctest::Approx((1 - 1 / std::sqrt(3.0)) / 2).epsilon(1e-15));
    CHECK(two.weight(1) == doctest::Approx(0.5).epsilon(1e-15));
    CHECK(three.node(2) == doctest::Approx((1 + std::sqrt(0.6)) / 2).epsilon(1e-15));
    CHECK(three.weight(1) == doctest::Approx(4.0 / 9).epsilon(1e-15));
    CHECK(gauss(1).node(0) == doctest::Approx(0.5).epsilon(1e-15));
    CHECK(simpson(4).weight(1) == doctest::Approx(1.0 / 3).epsilon(1e-15));
    CHECK(inclusive_mean(4).size() == 5);
    CHECK(inclusive_mean(4).weight(0) == 0.2);
    CHECK_THROWS_WITH_AS(simpson(3), "Simpson's rule takes an even number of intervals, not 3", value_error);
    CHECK_THROWS_WITH_AS(midpoint(0), "a quadrature rule of 0 intervals", value_error);
    CHECK_THROWS_WITH_AS(gauss(0), "a quadrature rule of 0 points", value_error);
}
