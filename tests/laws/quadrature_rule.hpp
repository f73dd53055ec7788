// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <doctest/doctest.h>
#include <jackplane/integrate/quadrature.hpp>

TEST_CASE_TEMPLATE_DEFINE("quadrature rule", Q, quadrature_rule_law)
{
    static_assert(jackplane::quadrature_rule<Q>);
    auto const integral = [](Q const& rule, auto&& f)
    {
        double sum = 0;
        for (std::size_t k = 0; k < rule.size(); ++k)
            sum += rule.weight(k) * f(rule.node(k));
        return sum;
    };
    auto const power = [&](Q const& rule, std::size_t degree)
    { return integral(rule, [&](double t) { return std::pow(t, static_cast<double>(degree)); }); };

    SUBCASE("weights sum to 1, points lie on the path in order, and polynomials up to the degree are exact")
    {
        for (std::size_t const n : {2u, 4u, 8u, 16u, 32u, 64u})
        {
            Q const rule(n);
            for (std::size_t k = 0; k < rule.size(); ++k)
            {
                CHECK(rule.weight(k) > 0);
                CHECK(rule.node(k) >= (k == 0 ? 0.0 : std::nextafter(rule.node(k - 1), 2.0)));
                CHECK(rule.node(k) <= 1);
            }
            for (std::size_t d = 0; d <= rule.degree(); ++d)
                CHECK(std::abs(power(rule, d) * static_cast<double>(d + 1) - 1) <= 4e-15 * static_cast<double>(d + 1));
            if (n <= 8) // not one degree more
                CHECK(std::abs(power(rule, rule.degree() + 1) * static_cast<double>(rule.degree() + 2) - 1) > 1e-12);
        }
    }
    SUBCASE("twice as many intervals divide the error by 2 to the order")
    {
        auto const error = [&](std::size_t n)
        {
            double const sum = integral(Q(n), [](double t) { return std::exp(t) * std::sin(3 * t + 1); });
            auto const whole = [](double t)
            { return std::exp(t) * (std::sin(3 * t + 1) - 3 * std::cos(3 * t + 1)) / 10; };
            return std::abs(sum - (whole(1) - whole(0)));
        };
        for (std::size_t const n : {8u, 16u, 32u})
        {
            double const ratio = error(n) / error(2 * n);
            if (error(2 * n) < 1e-14) // Gauss: no error is left
                continue;
            CHECK(ratio > 0.9 * std::pow(2, Q::order));
            if (Q(n).degree() < n)
                CHECK(ratio < 1.1 * std::pow(2, Q::order));
        }
    }
}
