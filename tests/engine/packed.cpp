// SPDX-License-Identifier: BSD-3-Clause
// The two ways of a quantized Llama: token by token on packed weights, and in batches on decoded ones.
#include <engine/run/decode.hpp>
#include <engine/run/generate.hpp>
#include <engine/pack/nested_model.hpp>
#include <engine/quantize/head.hpp>
#include <engine/quantize/quantize_model.hpp>
#include <engine/pack/random_model.hpp>
#include "logits.hpp"
#include "tiny_families.hpp"
#include <doctest/doctest.h>
#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace engine
{
    // Both ways round differently. A model in double tells how far fp32 products of this depth go astray: the way over
    // packed weights may stray no more than four times as far as OpenBLAS does.
    TEST_CASE("decoding on packed weights gives the logits of the batch forward, at every width, slice and scheme")
    {
        struct setting
        {
            bool tied;
            std::size_t head_dim;
            scheme range;
            slice_rule slice;
            bool quantized_head;
        };
        for (setting const& s : {setting{true, 8, scheme::asymmetric, jackplane::truncate_centred{}, false},
                                 setting{false, 10, scheme::symmetric, jackplane::truncate_centred{}, false},
                                 setting{false, 8, scheme::full_range, jackplane::truncate_centred{}, true},
                                 setting{true, 8, scheme::asymmetric, jackplane::round_clamp{}, true},
                                 setting{true, 8, scheme::asymmetric, jackplane::extra_precision{}, false}})
        {
            auto const folder = folder_with(random_model(tiny_config(s.tied, s.head_dim)));
            packed_model whole =
                quantize(model_source(folder), rtn{}, {s.range, jackplane::group{24}, s.slice, 8}).packed;
            if (s.quantized_head)
                quantize_head(whole, s.range, jackplane::group{24});
            auto const tokens = random_tokens(19, whole.sizes.vocabulary);
            for (unsigned const bits : whole.widths())
            {
                CAPTURE(bits);
                model const dense = whole.decode(bits);
                auto const exact = batch_logits<double>(dense, tokens);
                auto const batch = batch_logits<float>(dense, tokens);
                auto const [m, widths] = whole.sliced(whole.mix(bits));
                auto const one_by_one = all_logits(m, widths, tokens, {}, 1);
                double const allowed = 4 * worst(batch, exact);
                CHECK(allowed > 0);
                CHECK(allowed < 0.01); // the logits reach beyond 10
                CHECK(worst(one_by_one, exact) <= allowed);
            }
        }
    }

    TEST_CASE("every family: decoding, one by one and several at once, gives the logits of the batch forward")
    {
        for (tiny_family const& f : tiny_families)
        {
            CAPTURE(f.name);
            auto const folder = folder_with(random_model(tiny_config_of(f)));
            CHECK(difference(read_config(folder / "config.json"), tiny_config_of(f)).empty());
            packed_model const m = quantize(model_source(folder), rtn{}, {.group = jackplane::group{24}}).packed;
            save_nested(m, folder, "family.jack");
            packed_model const read = load_nested("family.jack");
            CHECK(difference(m.sizes, read.sizes).empty());
            auto const tokens =
                random_tokens(70, m.sizes.vocabulary); // beyond every window, what longrope is used to, and a block
            model const dense = m.decode(8), same = read.decode(8);
            auto const layers = static_cast<std::ptrdiff_t>( // an lm_head behind them is kept in half
                size_of(m.table.of_layers()));
            CHECK(std::equal(same.w.begin(), same.w.begin() + layers, dense.w.begin()));
            auto const exact = batch_logits<double>(dense, tokens);
            double const allowed = 4 * worst(batch_logits<float>(dense, tokens), exact);
            CHECK(allowed > 0);
            CHECK(allowed < 0.01);
            CHECK(worst(all_logits(m, m.mix(8), tokens, {}, 1), exact) <= allowed);
            for (std::size_t const at_once : {7u, 69u, 70u})
            {
                auto const found = batched_logits(m, m.mix(8), tokens, at_once, {});
                CHECK(worst(found, exact) <= allowed);
                CHECK(found == batched_logits(m, m.mix(8), tokens, at_once, {}, 3));
            }
        }
    }

    TEST_CASE("x as bytes: three are as good as fp32, each one less is coarser; any number of threads, the same bits")
    {
        auto const folder = folder_with(random_model(tiny_config(false)));
        for (std::size_t const group : {32u, 64u, 128u})
            for (scheme const range : {scheme::asymmetric, scheme::symmetric})
            {
                packed_model m = quantize(model_source(folder), rtn{}, {range, jackplane::group{group}}).packed;
                quantize_head(m, range, jackplane::group{group});
                auto const tokens = random_tokens(19, m.sizes.vocabulary);
                for (unsigned const bits : {8u, 5u, 2u})
                {
                    CAPTURE(bits);
                    CAPTURE(group);
                    model const dense = m.decode(bits);
                    auto const exact = batch_logits<double>(dense, tokens);
                    auto const error_of = [&](char const* name)
                    {
                        auto const one = all_logits(m, m.mix(bits), tokens, activation_of(name), 1);
                        CHECK(one == all_logits(m, m.mix(bits), tokens, activation_of(name), 3));
                        return worst(one, exact);
                    };
                    double const fp32 = worst(batch_logits<float>(dense, tokens), exact), three = error_of("limbs3");
                    double const two = error_of("limbs2"), one = error_of("limbs1");
                    CHECK(error_of("exact") <= 4 * fp32);
                    CHECK(three <= 4 * fp32);
                    if (std::string_view(kernels_name()) != "generic") // which reads floats, however x was prepared
                    {
                        CHECK(two > 4 * fp32);
                        CHECK(two * 32 < one); // 256, but for how errors add up
                    }
                    CHECK(two < 0.02);
                    CHECK(one < 2); // the logits reach beyond 10
                }
            }
        CHECK_THROWS_AS(static_cast<void>(activation_of("limbs4")), jackplane::value_error);
    }

    // Products of several vectors sum in another order than those of one, so the batch has the bound of one by one.
    TEST_CASE("tokens at once: the logits of one by one but for rounding, for every activation, slice and sparse part")
    {
        struct setting
        {
            slice_rule slice;
            std::size_t group; // 24: read with fp32 x whatever the activation
            bool beside;
        };
        auto const folder = folder_with(random_model(tiny_config(false)));
        for (setting const& s :
             {setting{jackplane::truncate_centred{}, 64, false}, setting{jackplane::truncate_centred{}, 24, true},
              setting{jackplane::round_clamp{}, 64, true}})
        {
            packed_model whole = quantize(model_source(folder), rtn{}, {{}, jackplane::group{s.group}, s.slice}).packed;
            if (!s.beside)
                quantize_head(whole, {}, jackplane::group{s.group});
            if (s.beside)
                for (std::size_t const i : {1u, 7u, 10u})
                {
                    parameter const& p = whole.table.parameters()[i];
                    std::vector<jackplane::triplet> const weights{{0, 0, 3}, {0, 63, -2}, {5, 7, 0}};
                    whole.matrices[i].sparse = jackplane::csr<>(p.rows, p.cols, weights);
                }
            auto const tokens = random_tokens(39, whole.sizes.vocabulary);
            auto const [m, widths] = whole.sliced(whole.mix(3));
            model const dense = whole.decode(3);
            auto const exact = batch_logits<double>(dense, tokens);
            double const fp32 = worst(batch_logits<float>(dense, tokens), exact);
            for (std::string const& name : activation_names())
            {
                CAPTURE(name);
                CAPTURE(s.group);
                activation const how = activation_of(name);
                bool const as_fp32 = name == "exact" || name == "limbs3";
                double const one_by_one = worst(all_logits(m, widths, tokens, how, 1), exact);
                for (std::size_t const at_once : {2u, 7u, 32u})
                    CHECK(worst(batched_logits(m, widths, tokens, at_once, how), exact) <=
                          (as_fp32 ? 4 * fp32 : 2 * one_by_one + 4 * fp32));
                CHECK(batched_logits(m, widths, tokens, 7, how) == batched_logits(m, widths, tokens, 7, how, 3));
            }
        }
    }

    TEST_CASE("a prompt: any length, the logits behind its last token; what has no room is refused before it is taken")
    {
        packed_model const m = random_planes(shape_of("tiny"), 7);
        constexpr std::size_t most = decoder::together;
        auto const tokens = random_tokens(2 * most + 9, m.sizes.vocabulary);
        model const dense = m.decode(8);
        double const allowed = 4 * worst(batch_logits<float>(dense, tokens), batch_logits<double>(dense, tokens));
        auto const one_by_one = all_logits(m, m.mix(8), tokens, {}, 1);
        for (std::size_t const length : {std::size_t{1}, std::size_t{2}, most - 1, most, most + 1, tokens.size()})
        {
            CAPTURE(length);
            decoder decode(m, 8, tokens.size());
            auto const prompt = std::span<token const>(tokens).first(length);
            auto const exact = batch_logits<double>(dense, prompt);
            auto const last = std::span<double const>(exact).last(m.sizes.vocabulary);
            CHECK(worst(decode(prompt), last) <= allowed);
            CHECK(decode.position() == length);
            CHECK(worst(std::span(one_by_one).subspan((length - 1) * m.sizes.vocabulary, m.sizes.vocabulary), last) <=
                  allowed);
            if (length > 1) // and what follows sees it
            {
                decode.restart();
                decode(prompt.first(length - 1));
                CHECK(worst(decode(prompt.back()), last) <= allowed);
            }
        }
        decoder decode(m, 8, 40);
        CHECK_THROWS_AS(decode(std::span<token const>(tokens).first(41)), jackplane::shape_error);
        CHECK_THROWS_AS(decode(std::span<token const>()), jackplane::shape_error);
        decoder many(m, 8, tokens.size());
        CHECK_THROWS_AS(many.each(std::span<token const>(tokens).first(most + 1)), jackplane::shape_error);
        std::vector<token> bad(40, 1);
        bad.back() = static_cast<token>(m.sizes.vocabulary);
        CHECK_THROWS_AS(decode(bad), jackplane::value_error);
        CHECK(decode.position() == 0);
    }

    TEST_CASE("a width for each layer: every layer as at its own, and so are the costs")
    {
        packed_model const m = random_planes(shape_of("tiny"), 7);
        REQUIRE(m.sizes.layers >= 2);
        std::vector<unsigned> bits(m.sizes.layers, 8);
        for (std::size_t i = 0; i < bits.size(); ++i)
            bits[i] = i % 3 == 0 ? 2 : i % 3 == 1 ? 5 : 8;
        model const mixed = m.decode(m.mix(bits, 8));
        std::vector<model> at{m.decode(2), m.decode(5), m.decode(8)};
        std::size_t wrong = 0, bytes = 0;
        for (std::size_t i = 0; i < m.matrices.size(); ++i)
        {
            parameter const& p = m.table.parameters()[i];
            std::size_t const layer = i / m.table.of_layer(0).size(), which = layer < bits.size() ? layer % 3 : 2;
            wrong += !std::equal(mixed.w.begin() + static_cast<std::ptrdiff_t>(p.offset),
                                 mixed.w.begin() + static_cast<std::ptrdiff_t>(p.offset + p.size()),
                                 at[which].w.begin() + static_cast<std::ptrdiff_t>(p.offset));
            unsigned const width = layer < bits.size() ? bits[layer] : 8;
            if (m.matrices[i].is_packed)
                bytes += std::visit([&](auto const& a) { return bytes_read(a.prefix(width)); }, m.matrices[i].packed);
        }
        CHECK(wrong == 0);
        CHECK(m.cost_at(m.mix(bits, 8)).packed_bytes == bytes);
        auto const tokens = random_tokens(19, m.sizes.vocabulary);
        auto const exact = batch_logits<double>(mixed, tokens);
        decoder decode(m, m.mix(bits, 8), tokens.size());
        CHECK(worst(decode.each(tokens), exact) <= 4 * worst(batch_logits<float>(mixed, tokens), exact));
        CHECK_THROWS_WITH_AS(static_cast<void>(m.mix(std::vector<unsigned>(1, 4), 4)),
                             doctest::Contains("1 widths for"), jackplane::shape_error);
    }

    TEST_CASE("random planes make a model that decodes as its dense twin does")
    {
        CHECK_THROWS_AS(static_cast<void>(shape_of("70b")), jackplane::value_error);
        packed_model const m = random_planes(shape_of("tiny"), 7);
        CHECK(m.widths() == std::vector<unsigned>{1, 2, 3, 4, 5, 6, 7, 8});
        std::size_t const head = m.table.parameters()[m.head()].size();
        CHECK(m.cost_at(8).packed_bytes - m.cost_at(3).packed_bytes == 5 * (m.table.tuned_size() - head) / 8);
        CHECK(m.cost_at(m.mix(3, 8)).packed_bytes - m.cost_at(m.mix(3, 5)).packed_bytes == 3 * head / 8);
        auto const tokens = random_tokens(19, m.sizes.vocabulary);
        for (unsigned const bits : {8u, 3u})
        {
            model const dense = m.decode(bits);
            auto const exact = batch_logits<double>(dense, tokens);
            double const allowed = 4 * worst(batch_logits<float>(dense, tokens), exact);
            CHECK(worst(all_logits(m, m.mix(bits), tokens, {}, 2), exact) <= allowed);
            double most = 0;
            for (double const x : exact)
                most = std::max(most, std::abs(x));
            CHECK(most > 1);
            CHECK(most < 100);
        }
    }

    TEST_CASE("sampling: greedy takes the likeliest, draws follow the seed and the probabilities")
    {
        std::vector<float> const logits{0.0f, 2.0f, 1.0f, 2.0f, -1.0f};
        CHECK(sample(logits, {0.0f, 40, 1}, 0) == 1); // the first of two
        CHECK(sample(logits, {0.8f, 1, 1}, 5) == 1);
        std::vector<int> count(5);
        constexpr int draws = 20000;
        for (std::size_t i = 0; i < draws; ++i)
            ++count[sample(logits, {1.0f, 3, 9}, i)];
        CHECK(count[0] + count[4] == 0); // beyond the top 3
        double const p = std::exp(2.0) / (2 * std::exp(2.0) + std::exp(1.0)), sigma = std::sqrt(p * (1 - p) * draws);
        CHECK(std::abs(count[1] - p * draws) < 5 * sigma);
        CHECK(std::abs(count[3] - p * draws) < 5 * sigma);
        CHECK(sample(logits, {1.0f, 3, 9}, 77) == sample(logits, {1.0f, 3, 9}, 77));
    }
}
