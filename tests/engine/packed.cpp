// SPDX-License-Identifier: BSD-3-Clause
// The two ways of a quantized Llama: token by token on packed weights, and in batches on decoded ones.
#include <engine/run/decode.hpp>
#include <engine/measure/evaluate.hpp>
#include <engine/run/generate.hpp>
#include <engine/pack/nested_model.hpp>
#include <engine/measure/perplexity.hpp>
#include <engine/quantize/head.hpp>
#include <engine/quantize/quantize_model.hpp>
#include <engine/pack/random_model.hpp>
#include <jackplane/store/nested_read.hpp>
#include "logits.hpp"
#include "tiny_families.hpp"
#include <doctest/doctest.h>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace engine
{
    namespace
    {
        std::filesystem::path folder_with(model const& m)
        {
            std::filesystem::path const folder = "packed_model";
            save_model<float>(m, folder, "float32");
            return folder;
        }
    }

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
                random_tokens(50, m.sizes.vocabulary); // beyond every window, and what longrope is used to
            model const dense = m.decode(8), same = read.decode(8);
            auto const layers = static_cast<std::ptrdiff_t>( // an lm_head behind them is kept in half
                size_of(m.table.of_layers()));
            CHECK(std::equal(same.w.begin(), same.w.begin() + layers, dense.w.begin()));
            auto const exact = batch_logits<double>(dense, tokens);
            double const allowed = 4 * worst(batch_logits<float>(dense, tokens), exact);
            CHECK(allowed > 0);
            CHECK(allowed < 0.01);
            CHECK(worst(all_logits(m, m.mix(8), tokens, {}, 1), exact) <= allowed);
            CHECK(worst(batched_logits(m, m.mix(8), tokens, 7, {}), exact) <= allowed);
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
            packed_model whole =
                quantize(model_source(folder), rtn{}, {{}, jackplane::group{s.group}, s.slice}).packed;
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
        auto const tokens = random_tokens(80, m.sizes.vocabulary);
        model const dense = m.decode(8);
        double const allowed = 4 * worst(batch_logits<float>(dense, tokens), batch_logits<double>(dense, tokens));
        for (std::size_t const length : {1u, 31u, 32u, 33u, 64u, 80u})
        {
            CAPTURE(length);
            decoder decode(m, 8, 80);
            auto const prompt = std::span<token const>(tokens).first(length);
            auto const exact = batch_logits<double>(dense, prompt);
            auto const last = std::span<double const>(exact).last(m.sizes.vocabulary);
            CHECK(worst(decode(prompt), last) <= allowed);
            CHECK(decode.position() == length);
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
        CHECK_THROWS_AS(decode.each(std::span<token const>(tokens).first(33)), jackplane::shape_error);
        std::vector<token> bad(40, 1);
        bad.back() = static_cast<token>(m.sizes.vocabulary);
        CHECK_THROWS_AS(decode(bad), jackplane::value_error);
        CHECK(decode.position() == 0);
    }

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
            score const one = evaluate(m, every, activation_of(name), text, &against, jackplane::threads{1});
            score const many = evaluate(m, every, activation_of(name), text, &against, jackplane::threads{3});
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

    TEST_CASE("a nested file gives the model back, whole and cut short, without the planes beyond")
    {
        auto const folder = folder_with(random_model(tiny_config(false)));
        packed_model const made = quantize(model_source(folder), rtn{}).packed;
        save_nested(made, folder, "model.jack");
        packed_model const read = load_nested("model.jack");
        CHECK(read.widths() == std::vector<unsigned>{1, 2, 3, 4, 5, 6, 7, 8});
        std::vector<model> dense;
        for (unsigned bits = 1; bits <= 8; ++bits)
        {
            dense.push_back(read.decode(bits));
            auto const expected = made.decode(bits).w;
            std::size_t const tuned = made.table.parameters()[made.matrices.size() - 1].offset; // lm_head became fp16
            auto const end = expected.begin() + static_cast<std::ptrdiff_t>(tuned);
            CHECK(std::equal(expected.begin(), end, dense.back().w.begin()));
        }
        std::vector<std::uint64_t> ends;
        {
            jackplane::nested::file const file = jackplane::nested::open("model.jack");
            for (auto const& level : file.levels())
                ends.push_back(level.end);
        }
        for (unsigned bits = 8; bits >= 1; --bits)
        {
            std::filesystem::resize_file("model.jack", ends[bits - 1]);
            packed_model const prefix = load_nested("model.jack");
            CHECK(prefix.widths().back() == bits);
            CHECK(prefix.decode(bits).w == dense[bits - 1].w);
            CHECK_THROWS_AS(static_cast<void>(prefix.decode(bits + 1)), jackplane::width_error);
        }
        std::filesystem::resize_file("model.jack", ends[0] - 1);
        CHECK_THROWS_AS(load_nested("model.jack"), jackplane::format_error);
    }

    TEST_CASE("weights beside the planes stand for what those give, at every width, in memory and from a file")
    {
        auto const folder = folder_with(random_model(tiny_config(false)));
        packed_model made = quantize(model_source(folder), rtn{}, {.group = jackplane::group{32}}).packed;
        packed_model const plain = made;
        std::vector<jackplane::triplet> const weights = {{0, 0, 3}, {0, 63, -2}, {5, 7, 0}, {31, 1, 0.25f}};
        for (std::size_t const i : {1u, 7u, 10u}) // not every matrix has some
        {
            parameter const& p = made.table.parameters()[i];
            made.matrices[i].sparse = jackplane::csr<>(p.rows, p.cols, weights);
        }
        save_nested(made, folder, "sparse.jack");
        packed_model const read = load_nested("sparse.jack");
        auto const tokens = random_tokens(19, made.sizes.vocabulary);
        for (unsigned const bits : {8u, 2u, 1u})
        {
            CAPTURE(bits);
            model const dense = read.decode(bits), without = plain.decode(bits);
            std::size_t const tuned = made.table.parameters()[made.matrices.size() - 1].offset; // lm_head became fp16
            std::size_t apart = 0;
            for (std::size_t i = 0; i < tuned; ++i)
                apart += dense.w[i] != without.w[i];
            CHECK(apart == 3 * weights.size());
            for (std::size_t const i : {1u, 7u, 10u})
                for (auto const& t : weights)
                {
                    parameter const& p = made.table.parameters()[i];
                    CHECK(dense.w[p.offset + t.row * p.cols + t.col] == t.value);
                }
            auto const exact = batch_logits<double>(dense, tokens);
            double const allowed = 4 * worst(batch_logits<float>(dense, tokens), exact);
            CHECK(worst(all_logits(read, read.mix(bits), tokens, {}, 1), exact) <= allowed);
            CHECK(worst(all_logits(read, read.mix(bits), tokens, activation_of("limbs3"), 2), exact) <= allowed);
            CHECK(worst(all_logits(plain, plain.mix(bits), tokens, {}, 1), exact) > 10 * allowed);

            std::size_t bytes = 0;
            for (std::size_t const i : {1u, 7u, 10u})
                bytes += weights.size() * 4 + (made.table.parameters()[i].rows + 1) * 4;
            CHECK(read.cost_at(bits).packed_bytes == plain.cost_at(bits).packed_bytes + bytes);
            CHECK(read.cost_at(bits).bytes_per_token == plain.cost_at(bits).bytes_per_token + bytes + 3 * 4 * 2);
        }
    }

    TEST_CASE("decoding reads scales of bfloat16, and weights beside more columns than 16 bits count")
    {
        config c = tiny_config(true);
        c.hidden = 16;
        c.heads = 2;
        c.kv_heads = c.layers = 1;
        c.intermediate = 65537;
        model whole = random_model(c);
        auto const scaled = [&](std::size_t i, float by)
        {
            parameter const& p = whole.table.parameters()[i];
            for (float& w : std::span(whole.w).subspan(p.offset, p.size()))
                w *= by;
        };
        scaled(2, 0x1p-20f); // v, and back in o
        scaled(3, 0x1p20f);
        scaled(6, 0x1p-8f); // many columns
        auto const folder = folder_with(whole);
        packed_model made = quantize(model_source(folder), rtn{}, {.group = jackplane::group{64}}).packed;
        using wide = jackplane::packed<jackplane::bit_planes, jackplane::uniform<8>, jackplane::bfloat16,
                                       jackplane::integer_zero>;
        CHECK(std::holds_alternative<wide>(made.matrices[2].packed));
        parameter const& down = made.table.parameters()[6];
        made.matrices[6].sparse =
            any_csr::of({whole.w.data() + down.offset, down.rows, down.cols}, {{0, 3, 0.5f}, {1, 65536, 2}}, down.name);
        save_nested(made, folder, "wide.jack");
        packed_model const read = load_nested("wide.jack");
        CHECK(read.matrices[6].sparse.visit([](auto const& a) { return sizeof(a.view().columns[0]); }) == 4);
        auto const tokens = random_tokens(9, c.vocabulary);
        for (unsigned const bits : {8u, 3u})
        {
            CAPTURE(bits);
            model const dense = read.decode(bits);
            CHECK(dense.w[down.offset + down.cols + 65536] == 2);
            auto const exact = batch_logits<double>(dense, tokens);
            double const allowed = 4 * worst(batch_logits<float>(dense, tokens), exact);
            CHECK(worst(all_logits(read, read.mix(bits), tokens, {}, 1), exact) <= allowed);
            CHECK(worst(all_logits(read, read.mix(bits), tokens, activation_of("limbs3"), 2), exact) <= allowed);
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
