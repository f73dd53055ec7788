// SPDX-License-Identifier: BSD-3-Clause
// What a model does with a calibration text, and GPTQ, which looks at it.
#include <engine/measure/calibration.hpp>
#include <engine/quantize/quantize_model.hpp>
#include "tiny_text.hpp"
#include <doctest/doctest.h>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>
#include <span>
#include <vector>

namespace engine
{
    using tiny::difference;
    using tiny::text_of;

    TEST_CASE("calibration windows: as many as asked or all there are, each once, in the order of the text")
    {
        std::vector<token> text(103);
        for (std::size_t i = 0; i < text.size(); ++i)
            text[i] = static_cast<token>(i);
        std::set<std::vector<token>> draws;
        for (std::uint64_t seed = 0; seed < 20; ++seed)
            for (std::size_t const samples : {1u, 3u, 10u, 11u})
            {
                auto const t = calibration_text::of(text, samples, 10, seed);
                CHECK(t.length == 10);
                REQUIRE(t.tokens.size() == 10 * std::min<std::size_t>(samples, 10));
                for (std::size_t i = 0; i < t.tokens.size(); ++i)
                {
                    CHECK(t.tokens[i] % 10 == i % 10); // whole windows
                    CHECK((i < 10 || t.tokens[i] > t.tokens[i - 10]));
                }
                CHECK(t.tokens == calibration_text::of(text, samples, 10, seed).tokens);
                if (samples == 3)
                    draws.insert(t.tokens);
            }
        CHECK(draws.size() > 10); // of 120
        CHECK_THROWS_WITH_AS(calibration_text::of(text, 4, 104, 0),
                             "calibration text: 103 tokens, fewer than one sample of 104", jackplane::shape_error);
        CHECK_THROWS_AS(calibration_text::of(text, 0, 10, 0), jackplane::shape_error);
    }

    TEST_CASE("the Gram matrices of a stream are those of what the layers read in a forward pass")
    {
        model const m = random_model(tiny_config(true, 10));
        config const& c = m.sizes;
        calibration_text const text = text_of(3, c.vocabulary);
        calibration_stream stream(c, m.view().ends().embedding, text);
        std::vector<workspace<float>> passes(3, workspace<float>(c, 1, tiny::length, true)); // a state for every layer
        for (std::size_t window = 0; window < 3; ++window)
            forward(
                c, [&](std::size_t i) { return m.view().layer(i); }, m.view().ends(),
                std::span(text.tokens).subspan(window * tiny::length, tiny::length), tiny::length, passes[window]);
        for (std::size_t layer = 0; layer < c.layers; ++layer)
        {
            using state = layer_state<float>;
            for (auto const& [which, x] :
                 {std::pair{layer_input::attention, &state::attention_normed},
                  std::pair{layer_input::attended, &state::attended}, std::pair{layer_input::mlp, &state::mlp_normed},
                  std::pair{layer_input::active, &state::active}})
            {
                auto const w = m.view().layer(layer);
                auto const stages = stages_of(c, w.kind);
                auto const stage = *std::find_if(stages.begin(), stages.end(),
                                                 [input = which](layer_stage const& s) { return s.input == input; });
                std::size_t const size = stream.size_of(w, stage);
                auto const gram = stream.gram(w, stage);
                REQUIRE(gram.size() == size * size);
                REQUIRE((passes[0].state(layer).*x).size() == tiny::length * size);
                std::size_t wrong = 0;
                for (std::size_t a = 0; a < size; ++a)
                    for (std::size_t b = 0; b < size; ++b)
                    {
                        double expected = 0, magnitude = 0;
                        for (auto& pass : passes)
                            for (std::size_t t = 0; t < tiny::length; ++t)
                            {
                                float const* const row = (pass.state(layer).*x).data() + t * size;
                                double const term = static_cast<double>(row[a]) * static_cast<double>(row[b]);
                                expected += term;
                                magnitude += std::abs(term);
                            }
                        // a window is added in fp32, one rounding for each token, and the sum is rounded
                        double const allowed = static_cast<double>(tiny::length + 1) * 0x1p-24 * magnitude;
                        wrong += !(std::abs(gram[a * size + b] - expected) <= allowed);
                    }
                CHECK(wrong == 0);
                // a drift from itself is none, and threads change nothing
                auto const none = stream.drift(w, stage, stream, w, jackplane::team(2));
                CHECK(std::all_of(none.begin(), none.end(), [](float number) { return number == 0; }));
                CHECK(stream.gram(w, stage, jackplane::team(3)) == gram);
            }
            stream.advance(m.view().layer(layer));
        }
    }

    TEST_CASE("GPTQ: the same sizes and the same bytes every time, nearer to the model on the text it looked at")
    {
        model const m = random_model(tiny_config(false));
        std::filesystem::path const folder = "calibrated_model";
        save_model<float>(m, folder, "float32");
        quantize_settings s;
        s.group = jackplane::group{32};
        s.calibration = text_of(40, m.sizes.vocabulary);
        for (unsigned const bits : {4u, 2u})
            for (scheme const range : {scheme::asymmetric, scheme::symmetric, scheme::full_range})
            {
                s.bits = bits;
                s.range = range;
                auto const made = [&](any_method const& how)
                { return quantize(model_source(folder), how, s).packed.decode(bits); };
                double const nearest = difference(m, made(rtn{}), s.calibration);
                for (bool const other : {false, true})
                {
                    gptq const how{.by_activation = other, .search_scale = other};
                    model const once = made(how);
                    CHECK(once.w == made(how).w);
                    CHECK(once.w == quantize(m, how, s).packed.decode(bits).w); // from memory, too
                    CHECK(difference(m, once, s.calibration) < nearest);
                }
            }
        s.calibration = {};
        CHECK_THROWS_WITH_AS(quantize(m, gptq{}, s), "a method that looks at activations needs a calibration text",
                             jackplane::value_error);
    }
}
