// SPDX-License-Identifier: BSD-3-Clause
#include "losses.hpp"
#include <doctest/doctest.h>
#include <jackplane/integrate/taylor.hpp>
#include <limits>
using namespace jackplane;

TEST_CASE("on a quadratic the first two terms are all there is, and the second is dw H dw / 2")
{
    auto const w = numbers(65, 1), d = numbers(65, 3), to = numbers(65, 4);
    quadratic f{numbers(65, 2), d, numbers(65, 5)};
    auto const first = integrate(f, w, to, first_order{});
    auto const second = integrate(f, w, to, second_order{});
    double along = 0, curved = 0;
    for (std::size_t i = 0; i < 65; ++i)
        along += double{d[i]} * (double{to[i]} - w[i]);
    double size = 0;
    for (std::size_t i = 0; i < 65; ++i)
    {
        double const dw = double{to[i]} - w[i];
        curved += dw * (along * d[i] + f.own[i] * dw) / 2;
        size += std::abs(dw * (along * d[i] + f.own[i] * dw) / 2);
        std::vector<float> g(65);
        f(w, g);
        CHECK(first.change[i] == doctest::Approx(g[i] * dw).epsilon(1e-6));
    }
    // differences of fp32 gradients a 32nd of the path apart
    CHECK(std::abs(second.predicted - curved) <= 1e-5 * (size + size_of(first.change)));
    CHECK(std::abs(first.predicted + second.predicted - change(f, w, to)) <= 1e-5 * (size + size_of(first.change)));
}

namespace
{
    // Sequences of 4 tokens; the loss of a token is a slope times the weights, so that every gradient is known.
    struct linear_tokens
    {
        std::vector<std::vector<float>> slopes; // of each token
        std::size_t length = 1;                 // tokens of a sample
        std::vector<std::size_t> asked{};

        std::size_t samples() const { return slopes.size() / length; }
        void at(std::span<std::size_t const> which) { asked.assign(which.begin(), which.end()); }
        double operator()(std::span<float const> w, std::span<float> g)
        {
            double value = 0;
            std::fill(g.begin(), g.end(), 0.0f);
            float const part = 1 / static_cast<float>(length * asked.size());
            for (std::size_t const s : asked)
                for (std::size_t t = s * length; t < (s + 1) * length; ++t)
                    for (std::size_t i = 0; i < w.size(); ++i)
                    {
                        value += double{part} * slopes[t][i] * w[i];
                        if (!g.empty())
                            g[i] += part * slopes[t][i];
                    }
            return value;
        }
    };
}

TEST_CASE("Fisher information: per token, per sequence, and of the mean, which is short by the length")
{
    std::size_t const n = 17, tokens = 24, length = 4;
    linear_tokens f;
    for (unsigned t = 0; t < tokens; ++t)
        f.slopes.push_back(numbers(n, 10 + t));
    auto const w = numbers(n, 1), to = numbers(n, 2);
    auto const token = second_order_fisher(f, w, to);
    f.length = length;
    auto const sequence = second_order_fisher(f, w, to, double(length)), mean = second_order_fisher(f, w, to);
    for (std::size_t i = 0; i < n; ++i)
    {
        double const dw = double{to[i]} - w[i];
        double squares = 0, sums = 0;
        for (std::size_t s = 0; s < tokens / length; ++s)
        {
            double sum = 0;
            for (std::size_t t = s * length; t < (s + 1) * length; ++t)
            {
                squares += double{f.slopes[t][i]} * f.slopes[t][i];
                sum += f.slopes[t][i];
            }
            sums += sum * sum;
        }
        CHECK(token.change[i] == doctest::Approx(dw * dw * squares / tokens / 2).epsilon(1e-5));
        CHECK(sequence.change[i] == doctest::Approx(dw * dw * sums / tokens / 2).epsilon(1e-4));
        CHECK(mean.change[i] == doctest::Approx(sequence.change[i] / length).epsilon(1e-6));
    }
    CHECK(token.predicted == doctest::Approx(sum_of(token.change)).epsilon(1e-6));
    auto const information = fisher_information(f, w);
    for (std::size_t i = 0; i < n; ++i)
        CHECK(information[i] * std::pow(double{to[i]} - w[i], 2) / 2 == doctest::Approx(mean.change[i]).epsilon(1e-5));
    f.slopes[5][3] = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_WITH_AS(second_order_fisher(f, w, to, 1, {.name = "q"}),
                         doctest::Contains("q: the loss of sample 1 is"), value_error);
    CHECK_THROWS_AS(second_order_fisher(f, w, std::vector<float>(3)), shape_error);
}
