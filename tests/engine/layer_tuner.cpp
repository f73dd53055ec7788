// SPDX-License-Identifier: BSD-3-Clause
// Learned rounding: the loss of a layer, and whole models that are tuned layer by layer.
#include "../laws/loss.hpp"
#include <engine/tune/layer_loss.hpp>
#include <engine/measure/loss.hpp>
#include <engine/pack/nested_model.hpp>
#include <engine/quantize/quantize_model.hpp>
#include "tiny_saved.hpp"
#include <doctest/doctest.h>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <span>
#include <vector>
#include <sys/stat.h>

namespace engine
{
    using tiny::bytes_of;
    using tiny::saved_model;
    using tiny::text_of;

    namespace
    {
        struct layer_problem // a layer, what it reads, what it should give
        {
            model m = random_model(tiny_config(true, 10));
            model other = [this]
            {
                model o = m;
                for (float& x : o.w)
                    x *= 1.0f + 0.1f * std::sin(1000 * x);
                return o;
            }();
            calibration_stream in{m.sizes, m.view().ends().embedding, text_of(6, m.sizes.vocabulary)}, out = in;
            std::size_t size = m.table.tuned_size() / m.sizes.layers;

            layer_problem() { out.advance(other.view().layer(0)); }
            layer_loss loss(unsigned threads)
            {
                return {m.sizes, m.view().layer(0), in.input(), out.input(), tiny::length, jackplane::team(threads)};
            }
            std::span<float const> weights() const { return m.tuned().first(size); }
        };
    }

    TEST_CASE("a layer's loss: the mean squared difference of its output, and the slope of that")
    {
        layer_problem p;
        layer_loss f = p.loss(1);
        CHECK(f.size() == p.size);
        CHECK(f.samples() == 6);
        calibration_stream now = p.in;
        now.advance(p.m.view().layer(0));
        std::size_t const window = tiny::length * p.m.sizes.hidden;
        std::vector<std::size_t> const some{4, 0, 5};
        double expected = 0;
        for (std::size_t const k : some)
            for (std::size_t i = k * window; i < (k + 1) * window; ++i)
                expected += std::pow(static_cast<double>(now.input()[i]) - p.out.input()[i], 2);
        f.at(some);
        CHECK(f(p.weights(), {}) == doctest::Approx(expected / (3.0 * static_cast<double>(window))).epsilon(1e-5));
        laws::check_loss(f, p.weights(), 1e-4f, 1e-2);

        // taught by other weights: their output is what is wanted
        std::vector<float> const others(p.other.w.begin(), p.other.w.begin() + static_cast<std::ptrdiff_t>(p.size));
        f.teach(others);
        CHECK(f(others, {}) == 0);
        double const apart = f(p.weights(), {});
        f.teach(p.weights());
        CHECK(f(p.weights(), {}) == 0);
        CHECK(f(others, {}) == doctest::Approx(apart).epsilon(1e-5));
        f.teach({});
        CHECK(f(p.weights(), {}) == doctest::Approx(expected / (3.0 * static_cast<double>(window))).epsilon(1e-5));

        // without the largest thousandth of the differences of each window
        f.suppress_outliers(true);
        double const less = f(p.weights(), {});
        CHECK(less < expected / (3.0 * static_cast<double>(window)));
        CHECK(less > 0);
        CHECK_THROWS_AS(f.at(std::vector<std::size_t>{6}), jackplane::shape_error);
        CHECK_THROWS_AS(f(p.weights().first(7), {}), jackplane::shape_error);
    }

    TEST_CASE("the loss of a layer and its gradient are the same for any number of threads")
    {
        layer_problem p;
        std::vector<float> one(p.size), other(p.size);
        double const value = p.loss(1)(p.weights(), one);
        for (unsigned const threads : {2u, 3u, 8u})
        {
            CHECK(p.loss(threads)(p.weights(), other) == value);
            CHECK(one == other);
        }
    }

    TEST_CASE("learned rounding is nearer to the model than nearest, at every width it was learned for")
    {
        saved_model t;
        for (scheme const range : {scheme::asymmetric, scheme::symmetric, scheme::full_range})
        {
            t.s.range = range;
            packed_model const nearest = t.nearest();
            width_reports widths;
            t.tuning.widths = {2, 4};
            t.tuning.lambdas = {};
            packed_model const staged = t.learned(&widths);
            CHECK(t.off(staged, 2) < t.off(nearest, 2));
            CHECK(t.off(staged, 4) < t.off(staged, 2));
            REQUIRE(widths.size() == 2 * t.m.sizes.layers);
            for (std::size_t i = 0; i < widths.size(); ++i)
            {
                CHECK(widths[i].bits == (i % 2 == 0 ? 2 : 4));
                CHECK(widths[i].after < widths[i].before);
            }
            t.tuning.lambdas = {1.0f, 0.1f};
            CHECK(t.off(t.learned(), 2) < t.off(nearest, 2));
        }
        t.s.range = scheme::asymmetric;
        t.tuning.widths = {4};
        t.tuning.lambdas = {};
        CHECK(t.off(t.learned(), 4) < t.off(t.nearest(), 4));
    }

    TEST_CASE("cells that overlap: 2 bits as without, 8 nearer to the model, from there on or inside a file")
    {
        saved_model t;
        t.tuning.widths = {2, 4, 8};
        packed_model const divided = t.learned();
        t.tuning.overlap = true;
        width_reports widths;
        packed_model const overlapping = t.learned(&widths);
        CHECK(t.off(overlapping, 2) == t.off(divided, 2));
        CHECK(t.off(overlapping, 4) < t.off(overlapping, 2));
        CHECK(t.off(overlapping, 8) < t.off(overlapping, 4));
        CHECK(t.off(overlapping, 8) < t.off(divided, 8));
        CHECK(widths.size() == 3 * t.m.sizes.layers);
        std::string const bytes = bytes_of(overlapping, t.folder);
        CHECK(bytes == bytes_of(t.learned(), t.folder));

        signround inside{t.tuning};
        for (packed_model const* parent : {&divided, &overlapping}) // the same 2 bits, and so all others
        {
            inside.inside = {"parent", {}, std::make_shared<packed_model const>(*parent)};
            CHECK(bytes_of(t.made(inside), t.folder) == bytes);
        }
        inside.tuning.overlap = false; // codes that stay behind 2 bits go on as they are
        for (unsigned const first : {4u, 8u})
        {
            inside.tuning.widths = first == 4 ? std::vector<unsigned>{4, 6} : std::vector<unsigned>{8};
            packed_model const again = t.made(inside);
            for (unsigned const bits : {2u, 3u, first})
                CHECK(again.decode(bits).w == overlapping.decode(bits).w);
            CHECK((bytes_of(again, t.folder) == bytes) == (first == 8));
        }
        auto mixed = overlapping;
        mixed.matrices[1].packed = divided.matrices[1].packed;
        inside.inside.model = std::make_shared<packed_model const>(mixed);
        CHECK_THROWS_WITH_AS(t.made(inside), doctest::Contains("k_proj"), jackplane::value_error);
        t.tuning.widths = {3, 8}; // there are no 2 bits to go on from
        std::string const from_three = bytes_of(t.learned(), t.folder);
        t.tuning.overlap = false;
        CHECK(bytes_of(t.learned(), t.folder) == from_three);
    }

    TEST_CASE("layer-wise, from Gram matrices alone: GPTQ coarse to fine, SignRound, and SignRound from GPTQ's codes")
    {
        saved_model t;
        t.tuning.widths = {2, 4, 8};
        tuning_settings untuned = t.tuning;
        untuned.steps = untuned.finer_steps = 0;
        packed_model const nearest = t.made(signround{untuned}); // with the same scales
        auto const check = [&](any_method const& how)
        {
            width_reports widths;
            packed_model const tuned = t.made(how, &widths);
            CHECK(t.off(tuned, 4) < t.off(tuned, 2));
            CHECK(t.off(tuned, 8) < t.off(tuned, 4));
            CHECK(widths.size() == 3 * t.m.sizes.layers);
            for (width_report const& r : widths) // each matrix keeps its best; GPTQ's before is without feedback
                CHECK(r.after <= r.before);
            CHECK(bytes_of(tuned, t.folder) == bytes_of(t.made(how), t.folder));
            return t.off(tuned, 2);
        };
        CHECK(check(nested_gptq{{.widths = t.tuning.widths}}) < t.off(nearest, 2));
        check(signround{.tuning = t.tuning, .layer_wise = true});
        signround how{.tuning = t.tuning, .layer_wise = true, .from_feedback = true};
        CHECK(check(how) < t.off(nearest, 2));
        how.tuning.search_scale = true;
        check(how);
    }

    TEST_CASE("quantization-aware training: the text is better predicted, at one width or at several")
    {
        saved_model t;
        t.tuning.rate = 1e-3f;
        t.tuning.steps = 40;
        for (auto const& widths : {std::vector<unsigned>{2}, std::vector<unsigned>{8}, std::vector<unsigned>{2, 4, 8}})
        {
            t.tuning.widths = widths;
            width_reports report;
            packed_model const q = t.made(qat{t.at_once()}, &report);
            REQUIRE(report.size() == 1);
            CHECK(report[0].after < report[0].before);
            CHECK(q.widths().size() == 8);
            CHECK(bytes_of(q, t.folder) == bytes_of(t.made(qat{t.at_once()}), t.folder));
            // what was reported is what is in the file
            if (widths.size() == 1)
            {
                model const read = q.decode(widths[0]);
                language_model_loss f(t.m, t.s.calibration.tokens, tiny::length);
                CHECK(f(read.tuned()) == doctest::Approx(report[0].after).epsilon(1e-5));
            }
        }
    }

    TEST_CASE("the same settings, the same bytes: at once, or killed and taken up again")
    {
        saved_model t;
        t.tuning.widths = {2, 8};
        width_reports told; // of a run that nothing stopped
        std::string const whole = bytes_of(t.learned(&told), t.folder);
        CHECK(told.size() == 2 * t.m.sizes.layers);
        CHECK(whole == bytes_of(t.learned(), t.folder));

        std::filesystem::path const folder = "tuned.layers";
        std::filesystem::remove_all(folder);
        t.run.kept = kept_runs(folder);
        struct killed
        {
        };
        auto const dies = [](std::string_view, std::size_t done, std::size_t)
        {
            if (done == 9) // in the second layer
                throw killed{};
        };
        t.run.tell = dies;
        CHECK_THROWS_AS(t.learned(), killed);
        t.run.tell = {};
        std::filesystem::remove(folder / "layer.1.jack"); // as if killed before it was kept
        REQUIRE(std::filesystem::exists(folder / "layer.0.jack"));
        auto const kept = [&] // another file each time that a layer is tuned
        {
            std::vector<ino_t> all;
            for (std::size_t layer = 0; layer < t.m.sizes.layers; ++layer)
            {
                struct stat is = {};
                stat((folder / text("layer.", layer, ".jack")).c_str(), &is);
                all.push_back(is.st_ino);
            }
            return all;
        };
        auto const layers_tuned = [&](tuning_settings const& s)
        {
            width_reports widths;
            auto const before = kept();
            std::string const again = bytes_of(t.made(signround{s}, &widths), t.folder);
            CHECK((widths == told) == (again == whole));
            auto const after = kept();
            std::size_t tuned = 0;
            for (std::size_t i = 0; i < after.size(); ++i)
                tuned += before[i] != after[i];
            return std::pair(again, tuned);
        };
        CHECK(layers_tuned(t.tuning) == std::pair(whole, std::size_t{1}));
        CHECK(layers_tuned(t.tuning) == std::pair(whole, std::size_t{0})); // all there now

        std::filesystem::path const first = folder / "layer.0.jack";
        {
            std::fstream file(first, std::ios::in | std::ios::out | std::ios::binary); // damaged
            file.seekp(-100, std::ios::end);
            char const byte = static_cast<char>(file.peek());
            file.put(static_cast<char>(~byte));
        }
        CHECK(layers_tuned(t.tuning) == std::pair(whole, std::size_t{1}));
        std::ofstream(first, std::ios::trunc) << "nothing";
        CHECK(layers_tuned(t.tuning) == std::pair(whole, std::size_t{1}));
        tuning_settings other = t.tuning; // other settings: nothing fits
        other.seed = 1;
        CHECK(layers_tuned(other).second == t.m.sizes.layers);
    }

    TEST_CASE("the training of a whole model, killed and taken up again: the same bytes")
    {
        saved_model t;
        t.tuning.widths = {2};
        t.tuning.steps = 14;
        t.s.scales.steps = 13;
        t.s.scales.widths = {2};
        std::string const whole = bytes_of(t.made(qat{t.at_once()}), t.folder);
        std::filesystem::path const folder = "trained.layers";
        std::filesystem::remove_all(folder);
        t.run.kept = kept_runs(folder);
        struct killed
        {
        };
        auto const run = [&](std::string_view dies_in, std::size_t dies_at)
        {
            std::size_t steps = 0;
            t.run.tell = [&](std::string_view name, std::size_t done, std::size_t)
            {
                bool const learns = name == "training" || name.starts_with("scales at ");
                steps += learns;
                if (name == dies_in && done == dies_at)
                    throw killed{};
            };
            if (!dies_in.empty())
                CHECK_THROWS_AS(t.made(qat{t.at_once()}), killed);
            else
                CHECK(bytes_of(t.made(qat{t.at_once()}), t.folder) == whole);
            return steps;
        };
        CHECK(run("training", 12) == 12);
        CHECK(run("scales at 2 bits", 11) == 4 + 11); // behind step 10
        CHECK(run("", 0) == 4 + 3);
        {
            std::fstream file(folder / "training.safetensors", std::ios::in | std::ios::out | std::ios::binary);
            file.seekp(-100, std::ios::end); // damaged
            char const byte = static_cast<char>(file.peek());
            file.put(static_cast<char>(~byte));
        }
        CHECK(run("", 0) == 14 + 3);
        std::ofstream(folder / "training.safetensors", std::ios::trunc) << "nothing";
        CHECK(run("", 0) == 14 + 3);
        t.tuning.seed = 1; // other settings: nothing fits
        CHECK(run("training", 14) == 14);
    }

    TEST_CASE("0 steps: the nearest codes in every cell; settings that make no sense are errors")
    {
        saved_model t;
        t.tuning.widths = {8};
        t.tuning.steps = 0;
        CHECK(bytes_of(t.learned(), t.folder) == bytes_of(t.nearest(), t.folder));
        t.tuning.finer_steps = 0; // a narrower start, on the parent's range: the same file
        t.tuning.widths = {2, 8};
        CHECK(bytes_of(t.learned(), t.folder) == bytes_of(t.nearest(), t.folder));
        t.tuning.own_range = true;
        packed_model const own = t.learned();
        CHECK(t.off(own, 8) > t.off(t.nearest(), 8));
        t.tuning.own_range = false;
        t.tuning.widths = {8};
        auto const refuses = [&](auto change, char const* message)
        {
            saved_model u = t;
            any_method how = signround{u.tuning};
            change(u, how);
            if (auto* const rounding = std::get_if<signround>(&how))
                rounding->tuning = u.tuning;
            CHECK_THROWS_WITH_AS(u.made(how), message, jackplane::error);
        };
        refuses([](auto& u, auto&) { u.tuning.widths = {4, 2}; }, "widths to tune: from 1 to 8, each once");
        refuses([](auto& u, auto&) { u.tuning.widths = {}; }, "widths to tune: from 1 to 8, each once");
        refuses([](auto& u, auto&) { u.tuning.widths = {2, 9}; }, "widths to tune: from 1 to 8, each once");
        refuses([](auto& u, auto&) { u.tuning.lambdas = {1, 1}; }, "2 lambdas for 1 widths");
        refuses(
            [](auto& u, auto&) { u.s.slice = jackplane::round_clamp{}, u.tuning.widths = {2}; },
            "bits inside the cells of coarser codes need truncate_centred; round_clamp needs lambdas: all widths at "
            "once");
        refuses(
            [](auto&, auto& how) {
                how = efficientqat{{.widths = {2, 4}}};
            },
            "EfficientQAT learns one width, not 2");
        refuses(
            [](auto& u, auto&)
            {
                u.s.slice = jackplane::round_clamp{}, u.tuning.widths = {2, 8}, u.tuning.lambdas = {1, 1};
                u.s.scales.steps = 3, u.s.scales.widths = {2, 8};
            },
            "a width with scales of its own is a prefix: round_clamp has none");
        refuses([](auto& u, auto& how) { how = rtn{}, u.s.scales.steps = 3, u.s.calibration = {}; },
                "a method that looks at activations needs a calibration text");
        for (any_method const& other : {any_method(qat{}), any_method(rtn{}), any_method(squeezellm{}),
                                        any_method(awq{})})
            refuses([&](auto& u, auto& how)
                    { how = other, u.s.balance = true, u.s.bits = facts_of(other).makes_parents ? 8 : 4; },
                    text(facts_of(other).name, " balances columns always or never (--balance)").c_str());
        refuses([](auto& u, auto&) { u.s.bits = 4; }, "what is learned is a parent of 8 bits, not 4");
        refuses([](auto& u, auto&) { u.s.calibration = {}; },
                "a method that looks at activations needs a calibration text");
        // what a method does not read it does not take
        refuses([](auto&, auto& how) { how = nested_gptq{{.steps = 30}}; },
                "settings of learning that nested-gptq does not read");
        refuses([](auto&, auto& how) { how = omniquant{{.learn_clipping = false}}; },
                "settings of learning that omniquant does not read");
        refuses([](auto&, auto& how) { how = qat{{.keep_best = true}}; },
                "settings of learning that qat does not read");
    }
}
