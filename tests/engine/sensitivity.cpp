// SPDX-License-Identifier: BSD-3-Clause
// What quantizing costs, measured and predicted, on the tiny model.
#include <engine/measure/sensitivity.hpp>
#include <engine/measure/loss.hpp>
#include "tiny_saved.hpp"
#include <doctest/doctest.h>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <span>
#include <vector>

namespace engine
{
    using tiny::saved_model;

    namespace
    {
        struct quantized_model : saved_model
        {
            model four;
            sensitivity_settings how{};

            explicit quantized_model(unsigned bits = 4) : four(nearest().decode(bits))
            {
                how.calibration = tiny::text_of(6, m.sizes.vocabulary);
                how.fisher_tokens = 8;
            }
            sensitivity_result measure() const { return measure_sensitivity(m, four, how); }
        };
    }

    TEST_CASE("the loss in fp64 is that in fp32, but for its rounding")
    {
        saved_model t;
        auto const text = tiny::text_of(5, t.m.sizes.vocabulary);
        language_model_loss f(t.m, text.tokens, tiny::length);
        double const value = loss_in_double(t.m, t.m.tuned(), text, jackplane::team(1));
        CHECK(value == doctest::Approx(f(t.m.tuned())).epsilon(1e-6));
        CHECK(loss_in_double(t.m, t.m.tuned(), text, jackplane::team(3)) == value);
    }

    TEST_CASE("the integral predicts the change, and its shares add up over matrices")
    {
        for (unsigned const bits : {4u, 2u})
        {
            quantized_model t(bits);
            t.how.rule = "midpoint";
            t.how.intervals = 16;
            auto const r = t.measure();
            CHECK(r.total.pqi == doctest::Approx(r.total.actual).epsilon(2e-3));
            REQUIRE(r.matrices.size() == t.m.table.of_layers().size());
            for (auto const member :
                 {&change_estimates::pqi, &change_estimates::first_order, &change_estimates::second_order_hessian,
                  &change_estimates::second_order_fisher_token})
            {
                double sum = 0;
                for (change_estimates const& e : r.matrices)
                    sum += e.*member;
                CHECK(r.total.*member == doctest::Approx(sum).epsilon(1e-9));
            }
            for (std::size_t i = 0; i < r.matrices.size(); ++i)
            {
                auto const& p = t.m.table.parameters()[i];
                CHECK(r.matrices[i].name == p.name);
                auto const of = std::span(r.integral.change).subspan(p.offset, p.size());
                CHECK(std::accumulate(of.begin(), of.end(), 0.0) == r.matrices[i].pqi);
            }
            REQUIRE(r.blocks.size() == t.m.sizes.layers);
            CHECK(r.blocks[0].pqi + r.blocks[1].pqi == doctest::Approx(r.total.pqi).epsilon(1e-9));
            // one matrix alone
            std::vector<float> one(t.m.tuned().begin(), t.m.tuned().end());
            auto const& p = t.m.table.parameters()[3];
            std::copy_n(t.four.w.begin() + static_cast<std::ptrdiff_t>(p.offset), p.size(),
                        one.begin() + static_cast<std::ptrdiff_t>(p.offset));
            jackplane::team const alone(1);
            CHECK(r.matrices[3].actual == loss_in_double(t.m, one, t.how.calibration, alone) -
                                              loss_in_double(t.m, t.m.tuned(), t.how.calibration, alone));
        }
    }

    TEST_CASE("near the weights two terms of Taylor's series are enough; the Fisher information of means is short")
    {
        quantized_model t(4);
        t.how.path = 0.125f;
        t.how.parts_alone = false;
        auto const r = t.measure();
        CHECK(r.total.first_order + r.total.second_order_hessian == doctest::Approx(r.total.actual).epsilon(0.02));
        CHECK(r.total.pqi == doctest::Approx(r.total.actual).epsilon(0.01));
        CHECK(r.total.second_order_fisher_sequence ==
              doctest::Approx(r.total.second_order_fisher_mean * (tiny::length - 1)).epsilon(1e-12));
        CHECK(r.total.second_order_fisher_token > 0);
        for (change_estimates const& e : r.matrices)
            CHECK(e.actual == 0); // nobody asked
    }

    TEST_CASE("single tokens: their slopes are those of a text that scores nothing else")
    {
        // windows of two tokens score one each: the Fisher information per sequence is that per token
        quantized_model t(4);
        t.how.calibration = calibration_text::of(t.how.calibration.tokens, 24, 2, 0);
        t.how.fisher_tokens = 1000; // all there are
        t.how.parts_alone = false;
        auto const r = t.measure();
        CHECK(r.total.second_order_fisher_token == doctest::Approx(r.total.second_order_fisher_sequence).epsilon(1e-4));
        CHECK(r.total.second_order_fisher_mean == doctest::Approx(r.total.second_order_fisher_sequence).epsilon(1e-12));
    }

    TEST_CASE("every rule by its name; magnitudes of each sequence; a killed integral goes on")
    {
        quantized_model t(2);
        t.how.taylor = t.how.parts_alone = false;
        t.how.intervals = 4;
        double const actual = t.measure().total.actual;
        for (std::string const& rule : rule_names())
        {
            t.how.rule = rule;
            auto const r = t.measure();
            CHECK(r.total.actual == actual);
            if (rule != "left" && rule != "right")
                CHECK(r.total.pqi == doctest::Approx(actual).epsilon(0.1));
        }
        t.how.rule = "cubic";
        CHECK_THROWS_WITH_AS(t.measure(), "no quadrature rule 'cubic'", jackplane::value_error);

        t.how.rule = "trapezoid";
        t.how.each_sample = true;
        auto const whole = t.measure().integral;
        REQUIRE(whole.magnitude.size() == t.m.table.tuned_size());
        t.how.kept = kept_runs("killed.integral");
        std::filesystem::remove_all("killed.integral");
        struct killed
        {
        };
        std::size_t gradients = 0;
        auto const dies = [&](std::string_view, std::size_t done, std::size_t)
        {
            ++gradients;
            if (done == 13)
                throw killed{};
        };
        CHECK_THROWS_AS(measure_sensitivity(t.m, t.four, t.how, dies), killed);
        gradients = 0;
        auto const counts = [&](std::string_view, std::size_t, std::size_t) { ++gradients; };
        auto const again = measure_sensitivity(t.m, t.four, t.how, counts).integral;
        CHECK(gradients == 5 * 6 - 13);
        CHECK(again.change == whole.change);
        CHECK(again.magnitude == whole.magnitude);
    }

    TEST_CASE("a model whose norms differ is no change of the weights alone")
    {
        quantized_model t;
        t.four.w[t.four.w.size() - 3] *= 2;
        CHECK_THROWS_WITH_AS(t.measure(), doctest::Contains("no change of the linear weights alone"),
                             jackplane::value_error);
    }
}
