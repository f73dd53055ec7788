// SPDX-License-Identifier: BSD-3-Clause
// AWQ, MatGPTQ, EfficientQAT, scales of their own, joint objectives of other slices: on the tiny model.
#include <engine/quantize/job/layer_balancer.hpp>
#include <engine/measure/loss.hpp>
#include "tiny_saved.hpp"
#include <doctest/doctest.h>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <set>
#include <span>
#include <vector>

namespace engine
{
    using tiny::bytes_of;
    using tiny::difference;
    using tiny::saved_model;

    namespace
    {
        // The tiny model with some channels of large activations, as trained models have them.
        struct uneven_model : saved_model
        {
            uneven_model()
            {
                parameter_view<float> const all(m.sizes, m.w.data(), m.w.data() + m.table.tuned_size());
                for (std::size_t i = 0; i < m.sizes.layers; ++i)
                    for (std::size_t k = 3; k < m.sizes.hidden; k += 16)
                    {
                        all.layer(i).attention_norm[k] *= 20;
                        all.layer(i).mlp_norm[k] *= 20;
                    }
                save_model<float>(m, folder, "float32");
                s.bits = 4;
                s.calibration = tiny::text_of(8, m.sizes.vocabulary); // each search runs a layer 80 times on it
            }
        };
    }

    TEST_CASE("squeezellm: values of each row's own, nearer where slopes are steep; the file keeps them")
    {
        saved_model t;
        double before = 0;
        for (unsigned const bits : {4u, 3u, 2u})
        {
            t.s.bits = bits;
            packed_model const made = t.made(squeezellm{});
            CHECK(made.widths() == std::vector<unsigned>{bits});
            double const apart = t.off(made, bits);
            CHECK(apart > before); // fewer bits are further off
            before = apart;
            model const decoded = made.decode(bits);
            std::set<float> const values(decoded.w.begin(), // of the first row of the first matrix
                                         decoded.w.begin() + static_cast<std::ptrdiff_t>(t.m.sizes.hidden));
            CHECK(values.size() == 1u << bits);
            save_nested(made, t.folder, "tuned.jack");
            model const read = load_nested("tuned.jack").decode(bits);
            std::size_t const layers = size_of(t.m.table.of_layers());
            CHECK(std::equal(read.w.begin(), read.w.begin() + static_cast<std::ptrdiff_t>(layers), decoded.w.begin()));
            auto nearest = t;
            nearest.s.group = jackplane::group::per_row();
            CHECK(apart < t.off(nearest.made(rtn{}), bits));
        }
        t.s.bits = 8;
        CHECK_THROWS_WITH_AS(t.made(squeezellm{}), "values of each row's own are for 4, 3 or 2 bits (--bits), not 8",
                             jackplane::width_error);
    }

    TEST_CASE("mean magnitudes of what the matrices of a layer read")
    {
        saved_model t;
        config const& c = t.m.sizes;
        calibration_stream const stream(c, t.m.view().ends().embedding, t.s.calibration);
        auto const layer = t.m.view().layer(0);
        for (layer_stage const& stage : stages_of(c, layer.kind))
        {
            auto const means = stream.mean_magnitudes(layer, stage, jackplane::team(3));
            CHECK(means == stream.mean_magnitudes(layer, stage));
            auto const gram = stream.gram(layer, stage);
            REQUIRE(means.size() == stream.size_of(layer, stage));
            auto const tokens = static_cast<double>(t.s.calibration.tokens.size());
            for (std::size_t i = 0; i < means.size(); ++i) // E|x|^2 <= E x^2, and not far from it
            {
                double const square = double{gram[i * means.size() + i]} / tokens;
                CHECK(double{means[i]} <= std::sqrt(square) * 1.0001);
                CHECK(double{means[i]} >= 0.3 * std::sqrt(square));
            }
        }
    }

    TEST_CASE("a balanced layer is the same layer, but for float; its norms are fp16 numbers")
    {
        uneven_model t;
        model balanced = t.m;
        parameter_view<float> const all(t.m.sizes, balanced.w.data(), balanced.w.data() + t.m.table.tuned_size());
        layer_balancer balancer(t.m.sizes, t.m.view().ends().embedding, t.s.codes(), t.s.calibration, t.s.bits, false);
        for (std::size_t i = 0; i < t.m.sizes.layers; ++i)
            balancer.balance(all.layer(i), t.m.table.of_layer(i));
        CHECK(balanced.w != t.m.w);
        CHECK(difference(t.m, balanced, t.s.calibration) < 1e-9);
        for (std::size_t k = 0; k < t.m.sizes.hidden; ++k)
        {
            float const norm = all.layer(0).attention_norm[k];
            if (norm != t.m.view().layer(0).attention_norm[k])
                CHECK(to_float(jackplane::from_float<jackplane::half>(norm)) == norm);
        }
    }

    TEST_CASE("AWQ is nearer to the model than nearest; balancing goes before other methods, too")
    {
        uneven_model t;
        for (scheme const range : {scheme::asymmetric, scheme::symmetric, scheme::full_range})
        {
            t.s.range = range;
            packed_model const q = t.made(awq{});
            CHECK(t.off(q, 4) < 0.8 * t.off(t.nearest(), 4));
            CHECK(bytes_of(q, t.folder) == bytes_of(t.made(awq{}), t.folder));
        }
        t.s.range = scheme::asymmetric;
        double const unbalanced = t.off(t.made(gptq{}), 4);
        t.s.balance = true;
        packed_model const both = t.made(gptq{});
        CHECK(t.off(both, 4) < 1.2 * unbalanced);
        // in the file is what was measured
        save_nested(both, t.folder, "balanced.jack");
        CHECK(t.off(load_nested("balanced.jack"), 4) == doctest::Approx(t.off(both, 4)).epsilon(1e-3));

        t.s.bits = 8;
        t.tuning.widths = {2};
        CHECK(t.off(t.learned(), 2) < t.off(t.nearest(), 2));
    }

    TEST_CASE("MatGPTQ: one parent, better at few bits than GPTQ at 8 bits, cut; by any slice")
    {
        saved_model t;
        for (slice_rule const& slice : {slice_rule{jackplane::truncate_centred{}}, slice_rule{jackplane::round_clamp{}},
                                        slice_rule{jackplane::extra_precision{}}})
        {
            t.s.slice = slice;
            packed_model const cut = t.made(gptq{});
            packed_model const joint = t.made(matgptq{.widths = {2, 4, 8}});
            CHECK(t.off(joint, 2) < t.off(cut, 2));
            CHECK(t.off(joint, 8) < t.off(joint, 4));
            CHECK(t.off(joint, 4) < t.off(joint, 2));
        }
    }

    TEST_CASE("the joint objective learns for the slice that the file has")
    {
        saved_model t;
        t.tuning.widths = {2, 4, 8};
        t.tuning.lambdas = {1, 0.1f, 0.1f};
        t.tuning.steps = 15;
        for (slice_rule const& slice : {slice_rule{jackplane::round_clamp{}}, slice_rule{jackplane::extra_precision{}}})
        {
            t.s.slice = slice;
            CHECK(t.off(t.learned(), 2) < t.off(t.nearest(), 2));
        }
    }

    TEST_CASE("what decides how widths are learned together")
    {
        saved_model t;
        t.tuning.widths = {2, 4, 8};
        t.tuning.lambdas = {1, 0.1f, 0.1f};
        t.tuning.steps = t.tuning.finer_steps = 10;
        auto const made = [&](any_method const& how)
        {
            width_reports report;
            std::string const bytes = bytes_of(t.made(how, &report), t.folder);
            for (width_report const& r : report)
                CHECK(r.after < r.before);
            return std::pair(bytes, report);
        };
        auto const learned = [&](auto change)
        {
            tuning_settings changed = t.tuning;
            change(changed);
            return made(signround{changed});
        };
        auto const [usual, report] = learned([](auto&) {});
        CHECK(report.size() == t.m.sizes.layers);
        CHECK(report[0].moved > 0.05);
        auto const near = learned([](auto& s) { s.reach = 0.5f; }).second; // half a step of 8 bits
        CHECK(near[0].moved < 0.2 * report[0].moved);
        CHECK(near[0].moved > 0);

        // after its stages, three and one for all
        auto const after = learned([](auto& s) { s.joint_steps = 10; }).second;
        CHECK(after.size() == 4 * t.m.sizes.layers);
        CHECK(after[3].after < report[0].after);

        CHECK(learned([](auto& s) { s.widths = {2, 3, 4, 8}, s.lambdas = {1, 0, 0.1f, 0.1f}; }).first == usual);
        CHECK(learned([](auto& s) { s.teacher = 8; }).first != usual);
        qat taught{t.at_once()};
        taught.tuning.teacher = 8;
        CHECK(made(taught).first != made(qat{t.at_once()}).first);
        CHECK(learned([](auto& s) { s.dense_inputs = true; }).first != usual);
        CHECK(learned([](auto& s) { s.learn_clipping = false; }).first != usual);
        t.tuning.steps = 30; // looked at after 20 and 30
        CHECK(learned([](auto& s) { s.keep_best = true; }).second[0].after <= learned([](auto&) {}).second[0].after);
        auto const refuses = [&](any_method const& how, char const* message)
        { CHECK_THROWS_WITH_AS(t.made(how), doctest::Contains(message), jackplane::error); };
        auto const refuses_to_learn = [&](auto change, char const* message)
        {
            tuning_settings changed = t.tuning;
            change(changed);
            refuses(signround{changed}, message);
        };
        refuses_to_learn([](auto& s) { s.lambdas = {}, s.joint_steps = 5; }, "go with lambdas");
        refuses_to_learn([](auto& s) { s.teacher = 6; }, "distilled from 6, which no term has");
        auto const other = std::make_shared<packed_model const>(t.nearest());
        refuses(signround{.tuning = t.tuning, .inside = {"a.jack", "", other}}, "without lambdas");
        refuses(signround{.tuning = t.tuning, .layer_wise = true}, "learned all at once (--lambda) from whole layers");
        refuses(signround{.tuning = {.dense_inputs = true}, .layer_wise = true},
                "go with learning from whole layers");
        t.s.slice = jackplane::round_clamp{};
        refuses_to_learn([](auto& s) { s.joint_steps = 5; }, "need truncate_centred");
    }

    TEST_CASE("codes of a file stay at the first width; the others are tuned inside their cells")
    {
        saved_model t;
        t.tuning.widths = {2, 4, 8};
        t.tuning.lambdas = {1, 0.1f, 0.1f};
        packed_model const joint = t.learned();
        t.tuning.lambdas = {};
        auto const given = [&](packed_model const& m)
        {
            save_nested(m, t.folder, "inside.jack");
            return give_nested("inside.jack");
        };
        signround how{.tuning = t.tuning, .inside = given(joint)};
        t.run.kept = kept_runs("inside.layers");
        std::filesystem::remove_all("inside.layers");
        width_reports report;
        packed_model const tuned = t.made(how, &report);
        CHECK(report.size() == 2 * t.m.sizes.layers);
        CHECK(tuned.decode(2).w == joint.decode(2).w);
        for (unsigned const bits : {4u, 8u})
            CHECK(t.off(tuned, bits) < t.off(joint, bits));
        auto const bytes = bytes_of(tuned, t.folder);
        CHECK(bytes_of(t.made(how), t.folder) == bytes); // all layers were kept

        how.inside = given(t.nearest());
        CHECK(bytes_of(t.made(how), t.folder) != bytes); // of other codes, so none of them counts
        t.run.kept = {};
        auto const refused = [&](char const* message)
        { CHECK_THROWS_WITH_AS(t.made(how), doctest::Contains(message), jackplane::error); };
        t.s.range = scheme::symmetric;
        refused("no parent of 8 bits with this --scheme");
        t.s.range = scheme::asymmetric;
        auto sparse = t.nearest();
        parameter const& first = t.m.table.parameters()[0];
        std::vector<jackplane::triplet> const one{{0, 0, 1.0f}};
        sparse.matrices[0].sparse = jackplane::csr<>(first.rows, first.cols, one, first.name);
        how.inside = given(sparse);
        refused("has weights beside its planes");
        auto other = t.nearest();
        other.rest[0] += 1;
        how.inside = given(other);
        refused("another model");
        how.layer_wise = true;
        refused("go with signround of whole layers");
    }

    TEST_CASE("EfficientQAT: first weights and scales, layer by layer, then the scales alone, all at once")
    {
        saved_model t;
        t.tuning.widths = {2};
        t.tuning.rate = 1e-3f;
        efficientqat const how{t.at_once()};
        for (scheme const range : {scheme::asymmetric, scheme::symmetric})
        {
            t.s.range = range;
            t.s.scales = {.steps = 0, .widths = {2}};
            width_reports report;
            packed_model const first = t.made(how, &report);
            CHECK(report.size() == t.m.sizes.layers);
            for (width_report const& r : report)
                CHECK(r.after < r.before);
            CHECK(t.off(first, 2) < t.off(t.nearest(), 2));

            report.clear();
            t.s.scales.steps = 8;
            packed_model const both = t.made(how, &report);
            REQUIRE(report.size() == t.m.sizes.layers + 1);
            CHECK(report.back().after < report.back().before);
            language_model_loss f(t.m, t.s.calibration.tokens, tiny::length);
            CHECK(f(first.decode(2).tuned()) == doctest::Approx(report.back().before).epsilon(1e-5));
            CHECK(f(both.decode(2).tuned()) == doctest::Approx(report.back().after).epsilon(1e-5));
            CHECK(bytes_of(both, t.folder) == bytes_of(t.made(how), t.folder));
        }
    }

    TEST_CASE("scales of its own for each width: the planes stay, every width gets better")
    {
        saved_model t;
        t.tuning.widths = {2, 4};
        t.tuning.steps = t.tuning.finer_steps = 8;
        packed_model const shared = t.learned();
        t.s.scales = {.steps = 8, .widths = {2, 4}};
        packed_model const own = t.learned();
        save_nested(own, t.folder, "own.jack");
        packed_model const read = load_nested("own.jack");
        language_model_loss f(t.m, t.s.calibration.tokens, tiny::length);
        for (unsigned const bits : {2u, 4u})
        {
            CHECK(f(own.decode(bits).tuned()) < f(shared.decode(bits).tuned()));
            model const a = read.decode(bits), b = own.decode(bits); // a dense lm_head behind the layers is fp16 there
            auto const layers = size_of(a.table.of_layers());
            CHECK(std::equal(a.w.begin(), a.w.begin() + static_cast<std::ptrdiff_t>(layers), b.w.begin()));
        }
        CHECK(own.decode(8).w == shared.decode(8).w); // the parents' own
        CHECK(own.cost_at(2).packed_bytes == shared.cost_at(2).packed_bytes);
    }
}
