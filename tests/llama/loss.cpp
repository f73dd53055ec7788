// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>
#include <llama/loss.hpp>
#include "tiny.hpp"
#include <cmath>
#include <span>
#include <vector>

namespace llama
{
    namespace
    {
        constexpr std::size_t length = 33, per_batch = 3;

        language_model_loss random_loss(model const& m)
        {
            return {m, random_tokens(5 * length + 7, m.sizes.vocabulary), length, per_batch};
        }
    }

    TEST_CASE("llama: the loss of all tuned weights in one array")
    {
        for (bool const tied : {true, false})
        {
            model const m = random_model(tiny_config(tied));
            language_model_loss f = random_loss(m);
            CHECK(f.size() == m.table.tuned_size());
            CHECK(f.batches() == 2); // 5 windows by 3, the rest of 7 tokens left out
            std::vector<float> g(f.size(), 1e9f), again(f.size());
            double const value = f(m.tuned(), g);
            CHECK(value == f(m.tuned()));        // with or without a gradient
            CHECK(value == f(m.tuned(), again)); // overwrites what was in g
            CHECK(g == again);

            // A step of length h along -g lowers the loss by h |g|.
            double norm = 0.0;
            for (float const x : g)
                norm += static_cast<double>(x) * static_cast<double>(x);
            norm = std::sqrt(norm);
            double const h = 1e-2;
            std::vector<float> w(m.tuned().begin(), m.tuned().end());
            for (std::size_t i = 0; i < w.size(); ++i)
                w[i] -= static_cast<float>(h / norm) * g[i];
            CHECK((value - f(w)) / (h * norm) == doctest::Approx(1.0).epsilon(0.02));
        }
    }

    TEST_CASE("llama: a batch is the mean over its scored tokens, however many windows run at once")
    {
        model const m = random_model(tiny_config(true));
        auto const tokens = random_tokens(5 * length, m.sizes.vocabulary);
        language_model_loss all(m, tokens, length, 5, 5), pairs(m, tokens, length, 5, 2), single(m, tokens, length, 1);
        std::vector<float> one(all.size()), other(all.size());
        double const value = all(m.tuned(), one);
        CHECK(pairs(m.tuned(), other) == doctest::Approx(value).epsilon(1e-6));
        double worst = 0.0, largest = 0.0;
        for (std::size_t i = 0; i < one.size(); ++i)
        {
            worst = std::max(worst, std::abs(static_cast<double>(one[i] - other[i])));
            largest = std::max(largest, std::abs(static_cast<double>(one[i])));
        }
        CHECK(worst <= 1e-5 * largest);
        double mean = 0.0;
        for (std::size_t batch = 0; batch < single.batches(); ++batch)
            mean += single.at(batch)(m.tuned()) / 5.0;
        CHECK(mean == doctest::Approx(value).epsilon(1e-6));
    }

    TEST_CASE("llama: a loss refuses what does not fit")
    {
        model const m = random_model(tiny_config(true));
        language_model_loss f = random_loss(m);
        std::vector<float> g(f.size() - 1);
        CHECK_THROWS_AS(f(m.tuned(), g), jackplane::shape_error);
        CHECK_THROWS_AS(f(m.tuned().first(5)), jackplane::shape_error);
        CHECK_THROWS_AS(f.at(2), jackplane::shape_error);
        CHECK_THROWS_AS(language_model_loss(m, std::vector<token>(length - 1), length, 1), jackplane::shape_error);
        language_model_loss outside(m, std::vector<token>(length, 512), length, 1);
        CHECK_THROWS_WITH_AS(outside(m.tuned()), "token 0 is 512, the vocabulary has 512", jackplane::value_error);
    }
}
