// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>
#include <engine/run/backward.hpp>
#include "tiny_families.hpp"
#include <algorithm>
#include <cmath>
#include <random>
#include <span>
#include <vector>

namespace engine
{
    namespace
    {
        // Loss and gradient of one array of all parameters, in double.
        struct problem
        {
            config c;
            parameter_table table{c};
            std::size_t length = 70; // more than one block of attention rows, and a ragged one
            std::vector<token> tokens = random_tokens(3 * length, c.vocabulary);
            workspace<double> work{c, 3, length, true};
            dropout drop{};

            double loss(std::vector<double> const& w)
            {
                parameter_view<double const> const v(c, w.data(), w.data() + table.tuned_size());
                forward(
                    c, [&](std::size_t i) { return v.layer(i); }, v.ends(), tokens, length, work, drop);
                return negative_log_likelihood(c, v.ends(), std::span<token const>(tokens), length, work);
            }

            double gradient(std::vector<double> const& w, std::vector<double>& g)
            {
                std::fill(g.begin(), g.end(), 0.0);
                parameter_view<double const> const v(c, w.data(), w.data() + table.tuned_size());
                parameter_view<double> const d(c, g.data(), g.data() + table.tuned_size());
                auto const layers = [&](std::size_t i) { return v.layer(i); };
                auto const d_layers = [&](std::size_t i) { return d.layer(i); };
                forward(c, layers, v.ends(), tokens, length, work, drop);
                double const nll = negative_log_likelihood_backward(c, v.ends(), std::span<token const>(tokens), length,
                                                                    1.0, work, d.ends().output);
                backward(c, layers, v.ends(), tokens, length, work, d_layers, d.ends(), drop);
                return nll;
            }
        };

        // For each parameter: its gradient in a random direction against the central difference. The difference has a
        // truncation error of order h^2 and a rounding error of nll eps / h: h = 1e-5 makes both about 1e-8 of a nat.
        // Where a router chooses, the loss jumps at equal experts: steps so small that none are equal in between.
        void check(problem p)
        {
            std::vector<double> const w = random_weights<double>(p.table);
            std::vector<double> g(w.size());
            double const nll = p.gradient(w, g);
            CHECK(nll == doctest::Approx(p.loss(w)).epsilon(1e-12));
            std::mt19937 random(3);
            std::normal_distribution<double> normal;
            for (parameter const& at : p.table.parameters())
            {
                double const h = (p.c.block.experts.count > 0 ? 1e-7 : 1e-5) /
                                 (at.rows == p.c.vocabulary ? p.c.block.embedding_scale : 1);
                std::vector<double> up = w, down = w;
                double expected = 0.0;
                for (std::size_t i = at.offset; i < at.offset + at.size(); ++i)
                {
                    double const direction = normal(random);
                    up[i] += h * direction;
                    down[i] -= h * direction;
                    expected += direction * g[i];
                }
                double const difference = (p.loss(up) - p.loss(down)) / (2.0 * h);
                INFO(at.name, ": gradient ", expected, ", difference ", difference);
                CHECK(std::abs(expected - difference) <= 1e-6 * std::abs(difference) + 1e-4);
            }
        }
    }

    TEST_CASE("engine: the gradient is the central difference")
    {
        SUBCASE("tied output") { check({tiny_config(true)}); }
        SUBCASE("untied output") { check({tiny_config(false)}); }
        SUBCASE("head_dim is not hidden / heads") { check({tiny_config(false, 10)}); }
        for (tiny_family const& f : tiny_families)
            SUBCASE(f.name) { check({tiny_config_of(f)}); }
        SUBCASE("dropout draws the same mask on the way back")
        {
            problem p{tiny_config(true)};
            p.drop = {0.2f, 77};
            check(std::move(p));
        }
    }
}
