// SPDX-License-Identifier: BSD-3-Clause
// Weights that stand beside the planes: before and after the others are quantized, restored and fitted. On the tiny
// model.
#include <engine/run/decode.hpp>
#include <engine/quantize/detach_model.hpp>
#include <engine/quantize/information.hpp>
#include <engine/run/generate.hpp>
#include <engine/measure/loss.hpp>
#include <jackplane/detach/choose.hpp>
#include "tiny_saved.hpp"
#include <doctest/doctest.h>
#include <algorithm>
#include <span>
#include <string>
#include <vector>

namespace engine
{
    using tiny::bytes_of;
    using tiny::saved_model;

    namespace
    {
        constexpr double half_percent = 0.5;

        // A text that the model itself says, so that what is nearer to the model predicts it better.
        calibration_text said_by(packed_model const& m, std::size_t windows, std::uint64_t seed)
        {
            calibration_text text{{}, tiny::length};
            decoder next(m, 8, tiny::length);
            for (std::size_t window = 0; window < windows; ++window)
            {
                next.restart();
                token t = static_cast<token>((seed * 131 + window * 7) % m.sizes.vocabulary);
                for (std::size_t i = 0; i < tiny::length; ++i)
                {
                    text.tokens.push_back(t);
                    t = sample(next(t), {1.0f, 100, seed}, window * tiny::length + i);
                }
            }
            return text;
        }

        // The tiny model, in every other row one weight more than ten times the others.
        struct spiky_model : saved_model
        {
            detach_settings d{};
            any_method how{}; // rtn

            spiky_model()
            {
                for (std::size_t i = 0; i < m.table.of_layers().size(); ++i)
                {
                    parameter const& p = m.table.parameters()[i];
                    for (std::size_t row = 0; row < p.rows; row += 2)
                        m.w[p.offset + row * p.cols + (row * 5 + i) % p.cols] = row % 4 == 0 ? 2.0f : -2.0f;
                }
                save_model<float>(m, folder, "float32");
                auto const whole = nearest();
                s.calibration = said_by(whole, 16, 1);
                d.bits = 2;
                d.integral.intervals = 2;
                d.validation = said_by(whole, 8, 2);
            }
            double loss(packed_model const& q) const // of the validation text
            {
                model const now = q.decode(2);
                language_model_loss f(now, d.validation.tokens, tiny::length);
                return f(now.tuned());
            }
            packed_model made(detach_report* told = nullptr) const
            {
                detach_result q = quantize_and_detach(model_source(folder), how, s, d, run);
                if (told)
                    *told = std::move(q.sparse);
                return std::move(q.packed);
            }
            packed_model without() const { return saved_model::made(how); }
        };

        std::size_t weights_beside(packed_model const& m)
        {
            std::size_t all = 0;
            for (auto const& each : m.matrices)
                all += each.sparse.nonzeros();
            return all;
        }

        // Weights of the model that stand beside the planes and are not what they were, but for fp16.
        std::size_t not_restored(packed_model const& q, model const& dense)
        {
            std::size_t wrong = 0;
            for (std::size_t i = 0; i < q.matrices.size(); ++i)
            {
                parameter const& p = dense.table.parameters()[i];
                for_each_weight(q.matrices[i].sparse,
                                [&](std::size_t row, std::size_t col, float w)
                                {
                                    float const was = dense.w[p.offset + row * p.cols + col];
                                    wrong += w != to_float(jackplane::from_float<jackplane::half>(was));
                                });
            }
            return wrong;
        }
    }

    TEST_CASE("outliers leave before the others are quantized, by every method that goes layer by layer")
    {
        spiky_model t;
        tuning_settings const at_two{.widths = {2}, .steps = 30};
        for (any_method const& how :
             {any_method(rtn{}), any_method(gptq{}), any_method(signround{at_two}),
              any_method(signround{.tuning = at_two, .layer_wise = true}), any_method(omniquant{at_two}),
              any_method(nested_gptq{{.widths = {2}}}), any_method(squeezellm{})})
        {
            bool const by_rows = !facts_of(how).scales;
            t.how = how;
            t.s.bits = by_rows ? 2 : 8;
            CAPTURE(how.index());
            t.d.outliers = 2;
            t.d.outlier_rule = "even";
            detach_report told;
            packed_model const q = t.made(&told);
            CHECK(told.outliers == weights_beside(q));
            CHECK(told.outliers ==
                  jackplane::count_of(2, size_of(t.m.table.of_layers())));
            CHECK(not_restored(q, t.m) == 0);
            // The range of a group is that of the others; values of each row's own mind large weights less.
            CHECK(t.off(q, 2) < (by_rows ? 1 : 0.7) * t.off(t.without(), 2));
        }
    }

    TEST_CASE("outliers by sensitivity, SqueezeLLM's rule, or chance: as many, and chance is the worst")
    {
        spiky_model t;
        t.d.outliers = 1;
        std::vector<double> off;
        for (auto const& rule : outlier_rule_names())
        {
            t.d.outlier_rule = rule;
            detach_report told;
            packed_model const q = t.made(&told);
            CHECK(told.outliers == weights_beside(q));
            CHECK(bytes_of(q, t.folder) == bytes_of(t.made(), t.folder));
            off.push_back(t.off(q, 2));
        }
        REQUIRE(outlier_rule_names().back() == "random");
        for (std::size_t i = 0; i + 1 < off.size(); ++i)
            CHECK(off[i] < 0.9 * off.back());
    }

    TEST_CASE("significant weights come back to what they were, after outliers and beside them, for every width")
    {
        spiky_model t;
        t.d.outliers = t.d.significant = half_percent;
        for (auto const& score : weight_score_names())
            for (bool const before : {false, true})
            {
                if (score == "pursuit")
                    continue;
                CAPTURE(score);
                CAPTURE(before);
                t.d.score = score;
                t.d.before = before;
                detach_report told;
                packed_model const q = t.made(&told);
                CHECK(told.significant == told.outliers);
                CHECK(told.significant + told.outliers == weights_beside(q)); // none twice
                CHECK(not_restored(q, t.m) == 0);
                for (unsigned const bits : {8u, 4u, 2u})
                    CHECK(t.off(q, bits) < t.off(t.without(), bits));
            }
    }

    TEST_CASE("significant weights that leave before are those of the nearest codes, whatever the method")
    {
        spiky_model t;
        t.s.bits = 2;
        t.d.outliers = t.d.significant = half_percent;
        t.d.before = true;
        std::vector<std::vector<std::size_t>> chosen;
        for (any_method const& how : {any_method(rtn{}), any_method(gptq{})})
        {
            t.how = how;
            packed_model const q = t.made();
            auto& places = chosen.emplace_back();
            for (auto const& each : q.matrices)
                for_each_weight(each.sparse, [&](std::size_t row, std::size_t col, float)
                                { places.push_back(row * each.sparse.cols() + col); });
            CHECK(not_restored(q, t.m) == 0);
        }
        CHECK(chosen[0] == chosen[1]);
        auto const left = bytes_of(t.made(), t.folder);
        t.d.before = false;
        CHECK(bytes_of(t.made(), t.folder) != left);
    }

    TEST_CASE("a text of its own chooses what stands beside the planes; the method still sees the other")
    {
        spiky_model t;
        auto const other = said_by(t.without(), 4, 3);
        t.how = gptq{};
        t.s.bits = 2;
        t.d.significant = half_percent;
        auto const one_text = bytes_of(t.made(), t.folder);
        t.d.integral.calibration = t.s.calibration;
        CHECK(bytes_of(t.made(), t.folder) == one_text);
        t.d.integral.calibration = other;
        packed_model q = t.made();
        packed_model const plain = t.without();
        CHECK(bytes_of(q, t.folder) != one_text);
        for (std::size_t i = 0; i < q.matrices.size(); ++i)
            q.matrices[i].sparse = plain.matrices[i].sparse;
        CHECK(bytes_of(q, t.folder) == bytes_of(plain, t.folder));
    }

    TEST_CASE("SqueezeLLM's information may be given")
    {
        saved_model t;
        t.s.bits = 2;
        auto const taken = bytes_of(t.made(squeezellm{}), t.folder);
        t.s.information = information_of(load_model(t.folder), t.s.calibration);
        CHECK(bytes_of(t.made(squeezellm{}), t.folder) == taken);
        std::fill(t.s.information.begin(), t.s.information.end(), 1.0f);
        CHECK(bytes_of(t.made(squeezellm{}), t.folder) != taken);
        t.s.information.pop_back();
        CHECK_THROWS_WITH_AS(t.made(squeezellm{}), doctest::Contains("information of"), jackplane::shape_error);
    }

    TEST_CASE("a choice that was killed goes on in the integral where it stood, to the same weights")
    {
        spiky_model t;
        t.d.significant = half_percent; // in two steps: two integrals
        auto const whole = bytes_of(t.made(), t.folder);
        struct killed
        {
        };
        std::size_t gradients = 0, last = 0;
        auto const counts = [&](std::string_view name, std::size_t, std::size_t)
        {
            gradients += name == "integral";
            if (gradients == last)
                throw killed{};
        };
        t.run.tell = counts;
        auto const made = [&] { return bytes_of(t.made(), t.folder); };
        last = 1000000;
        CHECK(made() == whole);
        std::size_t const all = std::exchange(gradients, 0);

        t.run.kept = kept_runs("killed.choice");
        std::filesystem::remove_all("killed.choice");
        last = all / 2 + 2;
        CHECK_THROWS_AS(made(), killed);
        std::size_t const before = std::exchange(gradients, 0);
        last = all;
        CHECK(made() == whole);
        CHECK(before + gradients == all);
        CHECK(before == all / 2 + 2);
    }
    TEST_CASE("fitted weights make up for the others; a layer that gains nothing on other text keeps its planes")
    {
        spiky_model t;
        t.d.significant = 1;
        t.d.score = "pursuit";
        double const before = t.loss(t.without());
        detach_report told;
        packed_model const pursued = t.made(&told);
        CHECK(told.refused.empty());
        CHECK(weights_beside(pursued) ==
              jackplane::count_of(1, size_of(t.m.table.of_layers())));
        CHECK(not_restored(pursued, t.m) > 0);
        CHECK(t.loss(pursued) < before);

        t.d.outliers = 1; // all that stand out
        t.d.outlier_rule = "even";
        t.d.score = "magnitude";
        double const restored = t.off(t.made(), 2);
        t.d.fit = true;
        CHECK(t.off(t.made(), 2) < restored);

        t.d.outliers = 0;
        t.d.validation = tiny::text_of(8, t.m.sizes.vocabulary); // that neither model can predict
        packed_model const doubted = t.made(&told);
        CHECK(t.loss(doubted) <= t.loss(t.without()));
        CHECK((told.refused.empty() || weights_beside(doubted) < weights_beside(pursued)));
    }

    TEST_CASE("what a sparse part cannot be asked for")
    {
        spiky_model t;
        t.d.outliers = 100;
        CHECK_THROWS_WITH_AS(t.made(), doctest::Contains("outliers: 100 %"), jackplane::value_error);
        t.d.outliers = 1;
        t.d.outlier_rule = "largest";
        CHECK_THROWS_WITH_AS(t.made(), doctest::Contains("no rule for outliers 'largest'"), jackplane::value_error);
        t.d.outlier_rule = "adaptive";
        t.d.integral.rule = "adaptive";
        t.d.integral.each_sample = true;
        CHECK_THROWS_WITH_AS(t.made(), doctest::Contains("adaptive"), jackplane::value_error);
        t.d.integral.each_sample = false;
        t.d.outlier_rule = "even";
        t.d.significant = 1e-9;
        CHECK_THROWS_WITH_AS(t.made(), doctest::Contains("significant weights: 1e-09 % of"), jackplane::value_error);
        t.d.significant = 1;
        t.d.score = "hessian";
        CHECK_THROWS_WITH_AS(t.made(), doctest::Contains("no score of weights 'hessian'"), jackplane::value_error);
        t.d.score = "information";
        t.d.fit = true;
        CHECK_THROWS_WITH_AS(t.made(), "weights that leave first are not fitted", jackplane::value_error);
        t.d.score = "pursuit";
        t.d.fit = false;
        t.d.before = true;
        CHECK_THROWS_WITH_AS(t.made(), "weights that leave first are not fitted", jackplane::value_error);
        t.d.validation.tokens.clear();
        CHECK_THROWS_WITH_AS(t.made(), doctest::Contains("validation text"), jackplane::value_error);
        t.d.significant = 0;
        t.how = qat{};
        CHECK_THROWS_WITH_AS(t.made(), doctest::Contains("not in qat"), jackplane::value_error);
        t.s.calibration.tokens.clear();
        CHECK_THROWS_WITH_AS(t.made(), doctest::Contains("calibration text"), jackplane::value_error);
    }
}
