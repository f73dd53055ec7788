// SPDX-License-Identifier: BSD-3-Clause
// Layers with experts: who reads a token, what comes of it, and how checkpoints hold them. (Families, gradients and the
// tool's methods have tests for all models.)
#include <doctest/doctest.h>
#include <engine/measure/unread_experts.hpp>
#include <engine/pack/nested_model.hpp>
#include <engine/pack/random_model.hpp>
#include <engine/quantize/quantize_model.hpp>
#include <engine/run/decode.hpp>
#include "tiny_families.hpp"
#include "tiny_text.hpp"
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <numeric>
#include <string>

namespace engine
{
    namespace
    {
        using numbers = std::vector<double>;

        config tiny_experts(std::string const& more = "")
        {
            static std::string settings;
            settings =
                R"("moe_intermediate_size":36,"num_experts":6,"num_experts_per_tok":3,"mlp_only_layers":[1])" + more;
            return tiny_config_of({"", "qwen3_moe", settings.c_str()});
        }

        numbers times(double const* w, numbers const& x, std::size_t rows)
        {
            numbers y(rows);
            for (std::size_t i = 0; i < rows; ++i)
                y[i] = std::inner_product(x.begin(), x.end(), w + i * x.size(), 0.0);
            return y;
        }

        // The definition, for one token.
        numbers mixture(config const& c, layer_view<double const> const& w, numbers const& x)
        {
            expert_description const& e = c.block.experts;
            numbers p = times(w.router, x, e.count);
            for (double& each : p)
                each = std::exp(each);
            double const all = std::accumulate(p.begin(), p.end(), 0.0);
            std::vector<std::size_t> order(e.count);
            std::iota(order.begin(), order.end(), std::size_t{0});
            std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] > p[b]; });
            order.resize(e.used);
            double chosen = 0;
            for (std::size_t const each : order)
                chosen += p[each];
            numbers y(c.hidden);
            for (std::size_t const each : order)
            {
                double const* const gate = w.gate_up + each * c.mlp_size(w.kind);
                numbers inner = times(gate, x, e.inner);
                numbers const up = times(gate + e.inner * c.hidden, x, e.inner);
                for (std::size_t j = 0; j < e.inner; ++j)
                    inner[j] = inner[j] / (1 + std::exp(-inner[j])) * up[j];
                numbers const given = times(gate + 2 * e.inner * c.hidden, inner, c.hidden);
                for (std::size_t j = 0; j < c.hidden; ++j)
                    y[j] += p[each] / (e.normalized ? chosen : all) * given[j];
            }
            return y;
        }
    }

    TEST_CASE("a layer of experts is the definition")
    {
        for (bool const normalized : {false, true})
        {
            config const c = tiny_experts(normalized ? R"(,"norm_topk_prob":true)" : "");
            REQUIRE(c.block.experts.normalized == normalized);
            parameter_table const table(c);
            auto const w = random_weights<double>(table);
            layer_view<double const> const layer =
                parameter_view<double const>(c, w.data(), w.data() + table.tuned_size()).layer(2);
            constexpr std::size_t n = 11;
            layer_state<double> s(c, n, n, inner_numbers(c, n), c.block.experts);
            std::mt19937 random(4);
            std::normal_distribution<double> normal;
            std::generate_n(s.mlp_normed.begin(), n * c.hidden, [&] { return normal(random); });
            numbers y(n * c.hidden);
            mlp(c, layer, s, n, y.data());
            for (std::size_t t = 0; t < n; ++t)
            {
                double const* const x = s.mlp_normed.data() + t * c.hidden;
                numbers const expected = mixture(c, layer, {x, x + c.hidden});
                for (std::size_t j = 0; j < c.hidden; ++j)
                    CHECK(y[t * c.hidden + j] == doctest::Approx(expected[j]).epsilon(1e-11));
            }
        }
    }

    TEST_CASE("of equal experts the first ones read a token; rows lie by expert, then by token")
    {
        config const c = tiny_experts();
        std::vector<float> router(c.block.experts.count * c.hidden), x(2 * c.hidden, 1.0f);
        std::fill_n(router.begin() + 4 * static_cast<std::ptrdiff_t>(c.hidden), c.hidden, 0.1f); // expert 4
        std::fill_n(x.begin(), c.hidden, -1.0f);                                                 // not of token 0
        routing<float> r(c.block.experts, 2);
        route(c, router.data(), x.data(), 2, r);
        CHECK(r.experts == std::vector<std::size_t>{0, 1, 2, 0, 1, 4});
        CHECK(r.first == std::vector<std::size_t>{0, 2, 4, 5, 5, 6, 6});
        CHECK(r.tokens == std::vector<std::size_t>{0, 1, 0, 1, 0, 1});
        CHECK(r.rows == std::vector<std::size_t>{0, 2, 4, 1, 3, 5});
        x.assign(x.size(), std::nanf("")); // nothing is the largest then: still three experts each
        route(c, router.data(), x.data(), 2, r);
        CHECK(r.first.back() == 6);
    }

    TEST_CASE("token by token on packed weights, the logits of the batch")
    {
        model const m = random_model(tiny_experts());
        save_model<float>(m, "experts_model", "float32");
        packed_model const q = quantize(model_source("experts_model"), rtn{}).packed;
        model const dense = q.decode(8);
        auto const tokens = random_tokens(70, m.sizes.vocabulary);
        workspace<float> work(m.sizes, 1, tokens.size(), false);
        forward(
            m.sizes, [&](std::size_t i) { return dense.view().layer(i); }, dense.view().ends(),
            std::span<token const>(tokens), tokens.size(), work);
        std::vector<float> expected(tokens.size() * m.sizes.vocabulary);
        logits_of(m.sizes, work.hidden.data(), dense.view().ends().output, expected.data(), tokens.size());
        for (unsigned const threads : {1u, 3u})
        {
            decoder alone(q, 8, tokens.size(), jackplane::exact{}, jackplane::team(threads));
            decoder together(q, 8, tokens.size(), jackplane::exact{}, jackplane::team(threads));
            auto const both = together.each(std::span(tokens).first(65)); // more than a block of attention
            double worst = 0;
            for (std::size_t t = 0; t < tokens.size(); ++t)
            {
                auto const logits = alone(tokens[t]);
                for (std::size_t j = 0; j < logits.size(); ++j)
                {
                    double const wanted = expected[t * logits.size() + j];
                    worst = std::max(worst, std::abs(logits[j] - wanted));
                    if (t < 65)
                        worst = std::max(worst, std::abs(both[t * logits.size() + j] - wanted));
                }
            }
            CHECK(worst < 1e-4);
        }
    }

    TEST_CASE("a token reads as many experts as it goes to, of random models different ones")
    {
        packed_model const m = random_planes(shape_of("tiny-experts"), 7);
        config const& c = m.sizes;
        std::size_t of_experts = 0;
        for (std::size_t i = 0; i < m.matrices.size(); ++i)
            if (m.table.parameters()[i].of_expert)
                of_experts += std::visit([](auto const& a) { return bytes_read(a.prefix(4)); }, m.matrices[i].packed);
        packed_model::cost const cost = m.cost_at(4);
        std::size_t const rest = (2 * 8 + 2 * 2 + 2) * c.hidden; // routers, norms, a row of the embedding
        CHECK(of_experts > cost.packed_bytes / 4);
        CHECK(cost.bytes_per_token > cost.packed_bytes - of_experts * 6 / 8);
        CHECK(cost.bytes_per_token <= cost.packed_bytes - of_experts * 6 / 8 + rest * sizeof(float));
        model const dense = m.decode(8);
        calibration_stream const stream(c, dense.view().ends().embedding, {random_tokens(64, c.vocabulary), 64});
        auto const tokens = stream.tokens_of_experts(dense.view().layer(0), jackplane::team(1));
        CHECK(std::count(tokens.begin(), tokens.end(), std::size_t{0}) < 4);
    }

    TEST_CASE("stacked experts are read as those that stand alone")
    {
        model const m = random_model(tiny_experts());
        save_model<float>(m, "experts_model", "float32");
        std::filesystem::path const folder = "experts_stacked";
        std::filesystem::create_directories(folder);
        std::filesystem::copy_file("experts_model/config.json", folder / "config.json",
                                   std::filesystem::copy_options::overwrite_existing);
        std::vector<safetensors::item> items;
        std::map<std::string, std::vector<float>> tensors;
        std::map<std::string, std::vector<std::size_t>> shapes;
        for (parameter const& p : m.table.parameters())
        {
            tensor_part const& part = p.places.back();
            shapes[part.tensor] = part.shape;
            auto& all = tensors[part.tensor];
            all.resize(std::max(all.size(), part.first + p.size()));
            std::copy_n(m.w.data() + p.offset, p.size(), all.data() + part.first);
        }
        auto const save = [&](std::string const& but)
        {
            items.clear();
            for (auto const& [name, values] : tensors)
                if (name != but)
                    items.push_back(safetensors::item::of<float>(name, shapes[name], values));
            safetensors::save(folder / "model.safetensors", items, {});
        };
        save("");
        CHECK(shapes.at("model.layers.0.mlp.experts.gate_up_proj") == std::vector<std::size_t>{6, 72, 64});
        CHECK(load_model(folder).w == m.w);
        save("model.layers.2.mlp.experts.down_proj");
        CHECK_THROWS_WITH_AS(load_model(folder),
                             doctest::Contains("no tensor 'model.layers.2.mlp.experts.0.down_proj.weight' nor "
                                               "'model.layers.2.mlp.experts.down_proj'"),
                             jackplane::format_error);
        shapes["model.layers.2.mlp.experts.down_proj"] = {6, 36, 64};
        save("");
        CHECK_THROWS_WITH_AS(load_model(folder), doctest::Contains("config.json makes it [6, 64, 36]"),
                             jackplane::shape_error);
    }

    TEST_CASE("an expert's calibration is that of its tokens; one without any is told and rounded to nearest")
    {
        model const m = random_model(tiny_experts());
        save_model<float>(m, "experts_model", "float32");
        config const& c = m.sizes;
        calibration_text const text{random_tokens(4, c.vocabulary), 4}; // 12 rows
        calibration_stream stream(c, m.view().ends().embedding, text);
        auto const w = m.view().layer(0);
        auto const tokens = stream.tokens_of_experts(w, jackplane::team(2));
        CHECK(std::accumulate(tokens.begin(), tokens.end(), std::size_t{0}) == 12);
        std::vector<double> all(c.hidden * c.hidden);
        for (layer_stage const& stage : stages_of(c, w.kind))
        {
            if (stage.input != layer_input::mlp && stage.input != layer_input::active)
                continue;
            auto const gram = stream.gram(w, stage, jackplane::team(3));
            CHECK(gram.size() == (stage.input == layer_input::mlp ? c.hidden * c.hidden : 36u * 36));
            bool const none = std::all_of(gram.begin(), gram.end(), [](float x) { return x == 0; });
            CHECK(none == (tokens[stage.expert] == 0));
            auto const drift = stream.drift(w, stage, stream, w, jackplane::team(2));
            // the same numbers by products of as many or of fewer rows
            CHECK(std::all_of(drift.begin(), drift.end(), [](float x) { return std::abs(x) < 1e-4f; }));
            for (std::size_t i = 0; i < all.size() && stage.input == layer_input::mlp; ++i)
                all[i] += double{gram[i]};
        }
        layer_stage every{layer_input::mlp, 4, 6, layer_stage::every_expert};
        auto const whole = stream.gram(w, every); // each token goes to 3
        for (std::size_t i = 0; i < all.size(); ++i)
            CHECK(all[i] == doctest::Approx(3 * double{whole[i]}).epsilon(1e-4));

        std::vector<token> const few(2, 7); // one token goes to 3 of 6 experts in each layer
        auto const told = unread_experts(model_source("experts_model"), {few, 2}, "so it is");
        REQUIRE(told.size() == 2);
        CHECK(told[0].starts_with("model.layers.0: no token of the calibration text goes to expert "));
        CHECK(told[1].starts_with("model.layers.2: "));
        CHECK(unread_experts(model_source("experts_model"), {random_tokens(800, c.vocabulary), 80}, "").empty());
    }
}
