// SPDX-License-Identifier: BSD-3-Clause
#include <engine/measure/evaluate.hpp>
#include <engine/measure/perplexity.hpp>
#include <engine/quantize/quantize_model.hpp>
#include "logits.hpp"
#include "tiny.hpp"
#include <doctest/doctest.h>
#include <cmath>
#include <span>
#include <string_view>
#include <vector>

namespace engine
{
    TEST_CASE("x as bfloat16 is rounded on every machine; evaluation on packed weights is that of decoding")
    {
        auto const folder = folder_with(random_model(tiny_config(true)));
        packed_model const m = quantize(model_source(folder), rtn{}, {.group = jackplane::group{64}}).packed;
        auto const tokens = random_tokens(3 * 40 + 5, m.sizes.vocabulary);
        windows const text(tokens, 40);
        auto const every = m.mix(4);
        model const dense = m.decode(4);
        auto const against = make_reference(dense, text);
        score const plain = evaluate(dense, text, &against);
        auto const divergence = [&](char const* name)
        {
            score const one = evaluate(m, every, {activation_of(name)}, text, &against, jackplane::threads{1});
            score const many = evaluate(m, every, {activation_of(name)}, text, &against, jackplane::threads{3});
            CHECK(one.window_nll == many.window_nll);
            CHECK(one.mean_nll == doctest::Approx(plain.mean_nll).epsilon(0.1));
            double nll = 0; // as a decoder gives it, a window of its own
            auto const logits = all_logits(m, m.mix(4), text[0], activation_of(name), 1);
            for (std::size_t t = 0; t + 1 < text[0].size(); ++t)
            {
                auto const q = std::span<float const>(logits).subspan(t * m.sizes.vocabulary, m.sizes.vocabulary);
                nll += detail::log_total(q) - static_cast<double>(q[text[0][t + 1]]);
            }
            CHECK(one.window_nll[0] == doctest::Approx(nll).epsilon(0.01));
            return *one.kl_divergence;
        };
        double const exact = divergence("exact"), three = divergence("limbs3"), rounded = divergence("bf16");
        CHECK(exact < 1e-9);
        CHECK(three < 1e-9);
        CHECK(rounded > 1e-7);
        CHECK(rounded < 1e-2);
        if (std::string_view(kernels_name()) != "generic")
        {
            CHECK(divergence("limbs2") < rounded);
            CHECK(divergence("limbs1") > rounded);
        }
    }

    TEST_CASE("evaluation: scored tokens, no dependence on threads, a model against itself")
    {
        model const m = random_model(tiny_config(true));
        auto const tokens = random_tokens(3 * 20 + 5, m.sizes.vocabulary);
        windows const plain(tokens, 20), started(tokens, 20, token{1});
        windows const lone(std::span<token const>(tokens).first(41), 20);
        CHECK(plain.size() == 4);
        CHECK(plain.scored() == 3 * 19 + 4);
        CHECK(started.size() == 4); // 19 + 19 + 19 + 8 tokens of text
        CHECK(started.scored() == tokens.size());
        CHECK(lone.size() == 2); // a last window of 1 token has nothing to score
        auto const against = make_reference(m, plain);
        score const one = evaluate(m, plain, &against, jackplane::threads{1});
        for (unsigned const count : {2u, 3u, 7u})
        {
            score const many = evaluate(m, plain, &against, jackplane::threads{count});
            CHECK(many.mean_nll == one.mean_nll);
            CHECK(many.kl_divergence == one.kl_divergence);
        }
        CHECK(*one.kl_divergence == doctest::Approx(0).epsilon(1e-9));
        CHECK(*one.top1_agreement == 1);
        CHECK(one.perplexity == doctest::Approx(std::exp(one.mean_nll)));
        CHECK_THROWS_AS(windows(std::span<token const>(tokens).first(1), 20), jackplane::shape_error);
    }

    TEST_CASE("how sure a mean over windows is: each counts by its tokens, one alone tells nothing")
    {
        std::vector<std::size_t> const equal{10, 10, 10}, unequal{10, 10, 1};
        std::vector<double> const sums{20, 30, 40}, odd{20, 30, 9};
        CHECK_FALSE(standard_error(std::span(sums).first(1), std::span(equal).first(1)).has_value());
        CHECK(*standard_error(sums, equal) == doctest::Approx(1 / std::sqrt(3.0))); // of 2, 3 and 4
        double const mean = 59.0 / 21, a = 20 - 10 * mean, b = 30 - 10 * mean, c = 9 - mean;
        CHECK(*standard_error(odd, unequal) == doctest::Approx(std::sqrt(1.5 * (a * a + b * b + c * c)) / 21));
        CHECK(*standard_error(std::vector<double>{20, 20, 2}, unequal) == doctest::Approx(0)); // the same mean in all
    }
}
