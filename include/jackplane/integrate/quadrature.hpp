// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <numbers>
#include <vector>
#include "../core/check.hpp"
#include "../core/concepts.hpp"

// Rules for the integral over [0, 1]: sum of weight(k) f(node(k)), k < size(). degree(): polynomials up to it are
// integrated exactly; order: for smooth f, twice as many intervals divide the error by 2^order (Gauss: far more).
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace detail
    {
        struct equal_intervals
        {
            std::size_t intervals;

            explicit equal_intervals(std::size_t n) : intervals(n)
            {
                JACKPLANE_EXPECTS(n > 0, value_error, "a quadrature rule of 0 intervals");
            }
            double at(double position) const noexcept { return position / static_cast<double>(intervals); }
        };
        struct one_point_each : equal_intervals // all of the same weight
        {
            using equal_intervals::equal_intervals;
            std::size_t size() const noexcept { return intervals; }
            double weight(std::size_t) const noexcept { return at(1); }
        };
        struct both_ends : equal_intervals // the ends of all intervals
        {
            using equal_intervals::equal_intervals;
            std::size_t size() const noexcept { return intervals + 1; }
            double node(std::size_t k) const noexcept { return at(static_cast<double>(k)); }
        };
    }

    namespace detail
    {
        template <bool Right>
        struct riemann : one_point_each // at one end of each interval
        {
            using one_point_each::one_point_each;
            static constexpr unsigned order = 1;
            static constexpr char const* name() noexcept { return Right ? "right" : "left"; }
            static constexpr std::size_t degree() noexcept { return 0; }
            double node(std::size_t k) const noexcept { return at(static_cast<double>(Right ? k + 1 : k)); }
        };
    }
    using left_riemann = detail::riemann<false>; // the value at the beginning of each interval
    using right_riemann = detail::riemann<true>; // the value at the end of each interval

    struct midpoint : detail::one_point_each // the value in the middle of each interval
    {
        using one_point_each::one_point_each;
        static constexpr unsigned order = 2;
        static constexpr char const* name() noexcept { return "midpoint"; }
        static constexpr std::size_t degree() noexcept { return 1; }
        double node(std::size_t k) const noexcept { return at(static_cast<double>(k) + 0.5); }
    };

    // The mean over both ends of all intervals: what the paper's figures fit (Hu et al., arXiv 2503.01901, table 3; the
    // rule itself is inferred). Half the weight of the ends is too much: order 1.
    struct inclusive_mean : detail::both_ends
    {
        using both_ends::both_ends;
        static constexpr unsigned order = 1;
        static constexpr char const* name() noexcept { return "inclusive_mean"; }
        static constexpr std::size_t degree() noexcept { return 1; }
        double weight(std::size_t) const noexcept { return 1 / static_cast<double>(size()); }
    };

    struct trapezoid : detail::both_ends // the mean of the values at the ends of each interval
    {
        using both_ends::both_ends;
        static constexpr unsigned order = 2;
        static constexpr char const* name() noexcept { return "trapezoid"; }
        static constexpr std::size_t degree() noexcept { return 1; }
        double weight(std::size_t k) const noexcept { return at(k == 0 || k == intervals ? 0.5 : 1.0); }
    };

    // Throws value_error for an odd number of intervals.
    struct simpson : detail::both_ends
    {
        explicit simpson(std::size_t n) : both_ends(n)
        {
            JACKPLANE_EXPECTS(n % 2 == 0, value_error, "Simpson's rule takes an even number of intervals, not ", n);
        }
        static constexpr unsigned order = 4;
        static constexpr char const* name() noexcept { return "simpson"; }
        static constexpr std::size_t degree() noexcept { return 3; }
        double weight(std::size_t k) const noexcept
        {
            return at((k == 0 || k == intervals ? 1.0 : k % 2 == 1 ? 4.0 : 2.0) / 3);
        }
    };

    // Gauss and Legendre's n points: the zeros of the Legendre polynomial of degree n, by Newton's method.
    class gauss
    {
    public:
        explicit gauss(std::size_t n) : m_nodes(n), m_weights(n)
        {
            JACKPLANE_EXPECTS(n > 0, value_error, "a quadrature rule of 0 points");
            for (std::size_t k = 0; k < n; ++k)
            {
                double x =
                    -std::cos(std::numbers::pi * (static_cast<double>(k) + 0.75) / (static_cast<double>(n) + 0.5));
                double slope = 0;
                for (int round = 0; round < 100; ++round)
                {
                    double value = x, before = 1;
                    for (std::size_t d = 2; d <= n; ++d)
                    {
                        auto const m = static_cast<double>(d);
                        double const next = ((2 * m - 1) * x * value - (m - 1) * before) / m;
                        before = value;
                        value = next;
                    }
                    slope = static_cast<double>(n) * (x * value - before) / (x * x - 1);
                    double const step = value / slope;
                    x -= step;
                    if (std::abs(step) <= 1e-15)
                        break;
                }
                m_nodes[k] = (1 + x) / 2;
                m_weights[k] = 1 / ((1 - x * x) * slope * slope);
            }
        }
        static constexpr unsigned order = 2; // at least
        static constexpr char const* name() noexcept { return "gauss"; }
        std::size_t degree() const noexcept { return 2 * size() - 1; }
        std::size_t size() const noexcept { return m_nodes.size(); }
        double node(std::size_t k) const noexcept { return m_nodes[k]; }
        double weight(std::size_t k) const noexcept { return m_weights[k]; }

    private:
        std::vector<double> m_nodes, m_weights;
    };

    static_assert(quadrature_rule<left_riemann> && quadrature_rule<right_riemann> && quadrature_rule<midpoint>);
    static_assert(quadrature_rule<inclusive_mean> && quadrature_rule<trapezoid> && quadrature_rule<simpson>);
    static_assert(quadrature_rule<gauss>);
}
