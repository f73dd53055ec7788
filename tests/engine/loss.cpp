// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>
#include <engine/measure/loss.hpp>
#include "../laws/loss.hpp"
#include "tiny.hpp"
#include <cmath>
#include <span>
#include <vector>

namespace engine
{
    namespace
    {
        constexpr std::size_t text_size = 33;

        language_model_loss random_loss(model const& m, unsigned threads = 1)
        {
            return {m, random_tokens(5 * text_size + 7, m.sizes.vocabulary), text_size, jackplane::team(threads)};
        }
    }

    TEST_CASE("engine: the loss of all tuned weights in one array, and its gradient")
    {
        for (bool const tied : {true, false})
        {
            model const m = random_model(tiny_config(tied));
            language_model_loss f = random_loss(m);
            CHECK(f.size() == m.table.tuned_size());
            CHECK(f.samples() == 5); // the rest of 7 tokens left out
            laws::check_loss(f, m.tuned(), 1e-4f, 2e-2);
        }
    }

    TEST_CASE("engine: a batch is the mean over its scored tokens, for any number of threads")
    {
        model const m = random_model(tiny_config(true));
        language_model_loss f = random_loss(m);
        std::vector<float> one(f.size()), other(f.size());
        double const value = f(m.tuned(), one);
        for (unsigned const threads : {2u, 3u, 8u})
        {
            language_model_loss many = random_loss(m, threads);
            CHECK(many(m.tuned(), other) == value);
            CHECK(one == other);
        }
        double mean = 0.0;
        for (std::size_t window = 0; window < f.samples(); ++window)
        {
            f.at(std::span(&window, 1));
            mean += f(m.tuned()) / 5.0;
        }
        CHECK(mean == doctest::Approx(value).epsilon(1e-6));
        std::vector<std::size_t> const some{3, 1};
        f.at(some);
        double const both = f(m.tuned());
        f.at(std::span(some).first(1));
        double const third = f(m.tuned());
        f.at(std::span(some).last(1));
        CHECK(both == doctest::Approx((third + f(m.tuned())) / 2).epsilon(1e-6));
    }

    TEST_CASE("engine: taught by other weights it is the divergence of what both say of the next token")
    {
        model const m = random_model(tiny_config(true));
        model other = m;
        for (std::size_t i = 0; i < other.table.tuned_size(); ++i)
            other.w[i] *= 1 + 0.5f * std::sin(1000 * other.w[i]);
        language_model_loss f = random_loss(m);
        f.teach(other.tuned());
        CHECK(std::abs(f(other.tuned())) < 1e-6);
        laws::check_loss(f, m.tuned(), 1e-4f, 2e-2);

        // from the probabilities themselves
        auto const said = [&](model const& by, std::span<token const> tokens)
        {
            workspace<float> work(m.sizes, 1, text_size, false);
            auto const view = m.view(by.tuned());
            forward(
                m.sizes, [&](std::size_t layer) { return view.layer(layer); }, view.ends(), tokens, text_size, work);
            std::vector<double> p(text_size * m.sizes.vocabulary);
            for (std::size_t t = 0; t < text_size; ++t)
            {
                double sum = 0;
                for (std::size_t v = 0; v < m.sizes.vocabulary; ++v)
                {
                    double x = 0;
                    for (std::size_t j = 0; j < m.sizes.hidden; ++j)
                        x += double{work.hidden[t * m.sizes.hidden + j]} * view.ends().output[v * m.sizes.hidden + j];
                    sum += p[t * m.sizes.vocabulary + v] = std::exp(x);
                }
                for (std::size_t v = 0; v < m.sizes.vocabulary; ++v)
                    p[t * m.sizes.vocabulary + v] /= sum;
            }
            return p;
        };
        std::vector<token> const text = random_tokens(5 * text_size + 7, m.sizes.vocabulary);
        std::size_t const window = 3;
        auto const tokens = std::span(text).subspan(window * text_size, text_size);
        auto const p = said(other, tokens), q = said(m, tokens);
        double expected = 0;
        for (std::size_t i = 0; i < (text_size - 1) * m.sizes.vocabulary; ++i)
            expected += p[i] * std::log(p[i] / q[i]) / (text_size - 1);
        f.at(std::span(&window, 1));
        CHECK(f(m.tuned()) == doctest::Approx(expected).epsilon(1e-4));

        f.teach({});
        language_model_loss untaught = random_loss(m);
        untaught.at(std::span(&window, 1));
        CHECK(f(m.tuned()) == untaught(m.tuned()));
        CHECK_THROWS_AS(f.teach(m.tuned().first(3)), jackplane::shape_error);
    }

    TEST_CASE("engine: a loss refuses what does not fit")
    {
        model const m = random_model(tiny_config(true));
        language_model_loss f = random_loss(m);
        std::vector<float> g(f.size() - 1);
        CHECK_THROWS_AS(f(m.tuned(), g), jackplane::shape_error);
        CHECK_THROWS_AS(f(m.tuned().first(5)), jackplane::shape_error);
        CHECK_THROWS_AS(f.at(std::vector<std::size_t>{5}), jackplane::shape_error);
        CHECK_THROWS_AS(language_model_loss(m, std::vector<token>(text_size - 1), text_size), jackplane::shape_error);
        language_model_loss outside(m, std::vector<token>(text_size, 512), text_size);
        CHECK_THROWS_WITH_AS(outside(m.tuned()), "token 0 is 512, the vocabulary has 512", jackplane::value_error);
    }
}
