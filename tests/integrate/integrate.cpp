// SPDX-License-Identifier: BSD-3-Clause
#include "losses.hpp"
#include <doctest/doctest.h>
#include <jackplane/integrate/integrate.hpp>
#include <limits>
#include <string>
using namespace jackplane;

namespace
{
    constexpr double eps = std::numeric_limits<float>::epsilon();

    struct problem
    {
        std::vector<float> w = numbers(37, 1), w_tilde = w;
        wavy f;

        problem()
        {
            auto const by = numbers(37, 2);
            for (std::size_t i = 0; i < w.size(); ++i)
            {
                w[i] *= 0.125f;
                w_tilde[i] = w[i] + 0.03125f * by[i];
            }
        }
        template <class Rule>
        sensitivity by(Rule const& rule, integrate_options const& options = {})
        {
            return integrate(f, w, w_tilde, rule, options);
        }
    };
}

TEST_CASE("rules of degree 1 and more are exact on quadratics, weight by weight")
{
    auto const w = numbers(65, 1), d = numbers(65, 3), to = numbers(65, 4);
    quadratic f{numbers(65, 2), d, numbers(65, 5)};
    std::vector<float> middle(w.size()), g(w.size());
    for (std::size_t i = 0; i < middle.size(); ++i)
        middle[i] = (w[i] + to[i]) / 2;
    f(middle, g); // the mean slope of a quadratic
    auto const check = [&](auto const& rule)
    {
        auto const s = integrate(f, w, to, rule);
        double largest = 0;
        for (std::size_t i = 0; i < g.size(); ++i)
            largest = std::max(largest, std::abs(double{g[i]} * (double{to[i]} - w[i])));
        for (std::size_t i = 0; i < g.size(); ++i)
            CHECK(std::abs(s.change[i] - double{g[i]} * (double{to[i]} - w[i])) <= 64 * eps * largest);
        CHECK(std::abs(s.predicted - change(f, w, to)) <= 64 * eps * size_of(s.change));
    };
    check(midpoint(3));
    check(trapezoid(1));
    check(inclusive_mean(4));
    check(simpson(2));
    check(gauss(1));
}

TEST_CASE("the shares sum to the change: to predicted as sums of floats do, and to the loss as the rule does")
{
    problem p;
    double const actual = change(p.f, p.w, p.w_tilde);
    auto const off = [&](auto const& rule)
    {
        auto const s = p.by(rule);
        CHECK(std::abs(sum_of(s.change) - s.predicted) <=
              static_cast<double>(rule.size() + 1) * eps * size_of(s.change));
        return std::abs(s.predicted - actual);
    };
    CHECK(off(midpoint(32)) < 1e-3 * std::abs(actual));
    CHECK(off(gauss(8)) < 1e-5 * std::abs(actual));
    auto const falls = [&](auto rule, double by)
    {
        using rule_type = decltype(rule);
        for (std::size_t const n : {8u, 16u})
            CHECK(off(rule_type(n)) / off(rule_type(2 * n)) == doctest::Approx(by).epsilon(0.15));
    };
    falls(trapezoid(1), 4);
    falls(midpoint(1), 4);
    falls(inclusive_mean(1), 2);
    falls(left_riemann(1), 2);
    // no path, no change
    CHECK(integrate(p.f, p.w, p.w, midpoint(4)).predicted == 0);
}

TEST_CASE("batches: the mean over all samples; magnitudes: the mean of those of each sample")
{
    problem p;
    auto const whole = p.by(midpoint(8));
    CHECK(p.f.calls == 8);
    auto const parts = p.by(midpoint(8), {.batch = 2}); // 2, 2 and 1 of 5
    CHECK(p.f.calls == 8 + 24);
    auto const each = p.by(midpoint(8), {.each_sample = true});
    std::vector<double> expected(p.w.size());
    for (std::size_t sample = 0; sample < 5; ++sample)
    {
        wavy one;
        one.frequencies = {p.f.frequencies[sample]};
        one.asked = {0};
        auto const s = integrate(one, p.w, p.w_tilde, midpoint(8));
        for (std::size_t i = 0; i < expected.size(); ++i)
            expected[i] += std::abs(double{s.change[i]}) / 5;
    }
    for (std::size_t i = 0; i < p.w.size(); ++i)
    {
        double const bound = 32 * eps * expected[i];
        CHECK(std::abs(double{parts.change[i]} - whole.change[i]) <= bound);
        CHECK(std::abs(double{each.change[i]} - whole.change[i]) <= bound);
        CHECK(std::abs(each.magnitude[i] - expected[i]) <= bound);
        CHECK(each.magnitude[i] >= std::abs(each.change[i]) * (1 - 8 * eps));
    }
    CHECK(whole.magnitude.empty());
}

TEST_CASE("an adaptive rule meets its tolerance, or says that it did not")
{
    problem p;
    double const actual = change(p.f, p.w, p.w_tilde);
    for (double const tolerance : {1e-2, 1e-3, 1e-4})
    {
        p.f.calls = 0;
        auto const s = integrate(p.f, p.w, p.w_tilde, adaptive{tolerance, 2, 4096});
        CHECK(s.error <= tolerance * std::abs(s.predicted));
        CHECK(std::abs(s.predicted - actual) <= 2 * s.error);
        CHECK(p.f.calls == s.intervals + 1); // none is asked for twice
        auto const same = p.by(trapezoid(s.intervals));
        CHECK(s.predicted == doctest::Approx(same.predicted).epsilon(1e-9));
        for (std::size_t i = 0; i < p.w.size(); ++i)
            CHECK(std::abs(double{s.change[i]} - same.change[i]) <= 32 * eps * (std::abs(same.change[i]) + 1e-3));
    }
    auto const s = integrate(p.f, p.w, p.w_tilde, adaptive{1e-12, 2, 8});
    CHECK(s.intervals == 8);
    CHECK(s.error > 1e-12 * std::abs(s.predicted));
    integrate_options const options{.each_sample = true};
    CHECK_THROWS_AS(integrate(p.f, p.w, p.w_tilde, adaptive{}, options), value_error);
}

TEST_CASE("a resumed run gives the same, bit for bit")
{
    problem p;
    for (bool const each : {false, true})
    {
        std::vector<run_state> states;
        integrate_options options{.batch = 2, .each_sample = each};
        auto const whole = p.by(simpson(4), options);
        options.checkpoints = {2, [&](run_state const& s) { states.push_back(s); }};
        std::size_t told = 0;
        options.tell = [&](std::string_view, std::size_t done, std::size_t) { told = done; };
        p.by(simpson(4), options);
        CHECK(told == (each ? 25 : 15));
        REQUIRE(states.size() == told / 2);
        for (run_state const& from : states)
        {
            options.checkpoints = {.from = &from};
            auto const rest = p.by(simpson(4), options);
            CHECK(rest.change == whole.change);
            CHECK(rest.magnitude == whole.magnitude);
            CHECK(rest.predicted == whole.predicted);
        }
        run_state other = states[1];
        options.checkpoints.from = &other;
        other.arrays[0].pop_back();
        CHECK_THROWS_AS(p.by(simpson(4), options), shape_error);
        other = states[1];
        other.steps = 26;
        CHECK_THROWS_AS(p.by(simpson(4), options), shape_error);
    }
}

TEST_CASE("what cannot be integrated is an error that says where")
{
    problem p;
    std::vector<float> const shorter(36);
    CHECK_THROWS_WITH_AS(integrate(p.f, p.w, shorter, midpoint(2), {.name = "layer 3"}),
                         "layer 3: 37 weights become 36", shape_error);
    auto bad = [&](std::span<float const> w, std::span<float> g)
    {
        std::fill(g.begin(), g.end(), 0.0f);
        return w[0] == p.w[0] ? 1.0 : std::numeric_limits<double>::quiet_NaN();
    };
    CHECK_THROWS_WITH_AS(integrate(bad, p.w, p.w_tilde, trapezoid(4)),
                         "integrate: the loss at point 2 of 5, t = 0.25, is nan", value_error);
    auto steep = [&](std::span<float const> w, std::span<float> g)
    {
        std::fill(g.begin(), g.end(), 0.0f);
        if (w[0] != p.w[0])
            g[3] = std::numeric_limits<float>::infinity();
        return 1.0;
    };
    CHECK_THROWS_WITH_AS(integrate(steep, p.w, p.w_tilde, midpoint(2)),
                         doctest::Contains("the derivative at point 1 of 2, t = 0.25, is "), value_error);
}
