// SPDX-License-Identifier: BSD-3-Clause
// The output head in planes: lm_head, or the embedding that is tied to it, at a width of its own.
#include <engine/measure/perplexity.hpp>
#include <engine/pack/nested_model.hpp>
#include <engine/quantize/head.hpp>
#include <jackplane/store/cut.hpp>
#include "logits.hpp"
#include "tiny.hpp"
#include <doctest/doctest.h>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace engine::of_head
{
    namespace
    {
        std::filesystem::path const folder = "head_model", file = "head.jack";

        config config_of(bool tied, std::size_t vocabulary)
        {
            config c = tiny_config(tied);
            c.vocabulary = vocabulary;
            return c;
        }
        model dense_model(bool tied, std::size_t vocabulary)
        {
            model const m = random_model(config_of(tied, vocabulary));
            save_model<float>(m, folder, "float32");
            return m;
        }
        packed_model with_head(quantize_settings const& s)
        {
            packed_model m = quantize(model_source(folder), rtn{}, s).packed;
            quantize_head(m, s.range, s.group);
            return m;
        }
        std::span<float const> head_of(model const& m, packed_model const& q)
        {
            parameter const& p = q.table.parameters()[q.head()];
            return std::span(m.w).subspan(p.offset, p.size());
        }
    }

    TEST_CASE("the head in planes: decoding, one by one and several at once, gives the logits of the batch forward")
    {
        for (bool const tied : {true, false})
            for (std::size_t const vocabulary : {7u, 509u, 528u}) // whole panels of 16 rows or not
                for (slice_rule const& slice :
                     {slice_rule{jackplane::truncate_centred{}}, slice_rule{jackplane::round_clamp{}}})
                {
                    CAPTURE(tied);
                    CAPTURE(vocabulary);
                    dense_model(tied, vocabulary);
                    packed_model const whole =
                        with_head({.range = scheme::asymmetric, .group = jackplane::group{24}, .slice = slice});
                    REQUIRE(whole.head_is_packed());
                    auto const tokens = random_tokens(19, vocabulary);
                    for (unsigned const head : {8u, 6u, 3u})
                    {
                        CAPTURE(head);
                        auto const mix = whole.mix(4, head);
                        model const dense = whole.decode(mix);
                        auto const exact = batch_logits<double>(dense, tokens);
                        double const allowed = 4 * worst(batch_logits<float>(dense, tokens), exact);
                        CHECK(allowed > 0);
                        CHECK(allowed < 0.01);
                        auto const [m, widths] = whole.sliced(mix);
                        CHECK(worst(all_logits(m, widths, tokens, {}, 1), exact) <= allowed);
                        CHECK(worst(all_logits(m, widths, tokens, activation_of("limbs3"), 2), exact) <= allowed);
                        CHECK(worst(batched_logits(m, widths, tokens, 7, {}), exact) <= allowed);
                    }
                }
    }

    TEST_CASE("the head is read at 8 bits whatever the layers are, each weight within a step; its rows one by one")
    {
        for (bool const tied : {true, false})
        {
            model const dense = dense_model(tied, 509);
            packed_model const q = with_head({.group = jackplane::group{24}, .bits = 4});
            CHECK(q.widths() == std::vector<unsigned>{4});
            CHECK(q.widths_of_head() == std::vector<unsigned>{1, 2, 3, 4, 5, 6, 7, 8});
            model const decoded = q.decode(4);
            auto const was = head_of(dense, q), is = head_of(decoded, q);
            for (std::size_t row = 0; row < 509; ++row)
                for (std::size_t first = 0; first < 64; first += 24)
                {
                    std::size_t const n = std::min<std::size_t>(24, 64 - first);
                    auto const of = was.subspan(row * 64 + first, n), to = is.subspan(row * 64 + first, n);
                    auto const [least, most] = std::minmax_element(of.begin(), of.end());
                    // half a step, and as much again where an integer zero cuts the range
                    double const step = (std::max(*most, 0.0f) - std::min(*least, 0.0f)) / 255.0;
                    for (std::size_t i = 0; i < n; ++i)
                        CHECK(std::abs(of[i] - to[i]) <= 1.1 * step);
                }
            std::vector<float> row(64);
            for (unsigned const bits : {8u, 5u, 1u})
            {
                model const at = q.decode(q.mix(4, bits));
                for (std::size_t const r : {0u, 15u, 16u, 500u, 508u})
                {
                    q.decode_row(q.head(), bits, r, row);
                    CHECK(std::equal(row.begin(), row.end(),
                                     head_of(at, q).begin() + static_cast<std::ptrdiff_t>(64 * r)));
                }
            }
            // everything else is what it is beside a dense head
            packed_model const plain =
                quantize(model_source(folder), rtn{}, {.group = jackplane::group{24}, .bits = 4}).packed;
            CHECK_FALSE(plain.head_is_packed());
            model other = plain.decode(4);
            auto const head = head_of(decoded, q);
            std::copy(head.begin(), head.end(),
                      other.w.begin() + static_cast<std::ptrdiff_t>(q.table.parameters()[q.head()].offset));
            CHECK(other.w == decoded.w);
            CHECK(q.with_head_of(dense).decode(4).w == plain.decode(4).w);
            CHECK(plain.with_head_of(dense).decode(4).w == plain.decode(4).w);
            model wanted = dense;
            std::copy(head.begin(), head.end(),
                      wanted.w.begin() + static_cast<std::ptrdiff_t>(q.table.parameters()[q.head()].offset));
            CHECK(q.with_head_in(dense, 8).w == wanted.w);
            CHECK_THROWS_WITH_AS(plain.expect_width_of_head(4, "x.jack"), doctest::Contains("is dense"),
                                 jackplane::value_error);
        }
    }

    TEST_CASE("weights beside the planes of a head stand in its rows, too")
    {
        dense_model(true, 40);
        packed_model m = with_head({.group = jackplane::group{32}});
        std::vector<jackplane::triplet> const weights{{0, 0, 3}, {5, 7, 0}, {5, 63, -2}};
        m.matrices[m.head()].sparse = jackplane::csr<>(40, 64, weights);
        save_nested(m, folder, file);
        packed_model const read = load_nested(file);
        auto const tokens = std::vector<token>{5, 0, 39, 5};
        model const dense = read.decode(3);
        CHECK(head_of(dense, read)[5 * 64 + 63] == -2);
        auto const exact = batch_logits<double>(dense, tokens);
        CHECK(worst(all_logits(read, read.mix(3), tokens, {}, 1), exact) <=
              4 * worst(batch_logits<float>(dense, tokens), exact));
    }

    TEST_CASE("what a head costs: at its own width, an embedding beside it one row")
    {
        for (bool const tied : {true, false})
        {
            dense_model(tied, 528);
            packed_model const m = with_head({.group = jackplane::group{32}});
            packed_model const plain = m.with_head_of(m.decode(8));
            std::size_t const scales = 528 * 2 * 3; // two groups of a row: half, and a byte for the zero
            for (unsigned const head : {8u, 3u})
            {
                auto const all = m.cost_at(m.mix(4, head)), without = plain.cost_at(4);
                std::size_t const bytes = 528 * 64 * head / 8 + scales;
                CHECK(all.packed_bytes == without.packed_bytes + bytes);
                CHECK(all.bytes_per_token == without.bytes_per_token + bytes - 528 * 64 * 2); // dense: in half
                double const weights = static_cast<double>(m.table.parameters()[m.head()].offset + 528 * 64);
                CHECK(all.effective_bits == doctest::Approx(8.0 * static_cast<double>(all.packed_bytes) / weights));
            }
        }
    }

    TEST_CASE(
        "a file holds the head for all its widths; a cut may leave fewer of its bits; files with a dense head read")
    {
        for (bool const tied : {true, false})
        {
            CAPTURE(tied);
            dense_model(tied, 509);
            packed_model const made = with_head({.group = jackplane::group{32}});
            save_nested(made, folder, file);
            packed_model const read = load_nested(file);
            REQUIRE(read.head_is_packed());
            CHECK(read.rest.size() == made.rest.size());
            for (unsigned const bits : {8u, 3u})
            {
                auto const a = read.decode(read.mix(bits, 6)), b = made.decode(made.mix(bits, 6));
                auto const end = b.w.begin() + static_cast<std::ptrdiff_t>(made.table.parameters()[made.head()].offset);
                CHECK(std::equal(b.w.begin(), end, a.w.begin()));
                CHECK(std::equal(head_of(a, made).begin(), head_of(a, made).end(), head_of(b, made).begin()));
            }
            std::uint64_t end = 0;
            {
                auto const whole = jackplane::nested::open(file);
                end = whole.at_bits(2).end;
                jackplane::nested::cut(whole, "cut.jack", 4, 5);
            }
            packed_model const cut = load_nested("cut.jack");
            CHECK(cut.widths().back() == 4);
            CHECK(cut.widths_of_head() == std::vector<unsigned>{1, 2, 3, 4, 5});
            CHECK(cut.decode(4).w == read.decode(read.mix(4, 5)).w);
            CHECK_THROWS_WITH_AS(cut.expect_width_of_head(6, "cut.jack"),
                                 doctest::Contains("cannot be read at 6 bits, only at 1, 2, 3, 4, 5"),
                                 jackplane::width_error);
            verify_nested("cut.jack", cut, cut.mix(4));
            std::filesystem::resize_file(file, end); // a download that stopped there
            packed_model const prefix = load_nested(file);
            CHECK(prefix.widths().back() == 2);
            CHECK(prefix.widest_head() == 8);
            verify_nested(file, prefix, prefix.mix(2));

            packed_model const plain = quantize(model_source(folder), rtn{}, {.group = jackplane::group{32}}).packed;
            save_nested(plain, folder, "plain.jack");
            packed_model const dense = load_nested("plain.jack");
            CHECK_FALSE(dense.head_is_packed());
            CHECK(dense.widths_of_head().empty());
            CHECK(dense.matrices.size() == dense.table.tuned_parameters());
        }
    }

    TEST_CASE("an older file, whose head is one of the layers: it goes with their width, and a shorter file agrees")
    {
        namespace nested = jackplane::nested;
        dense_model(false, 40);
        save_nested(with_head({.group = jackplane::group{32}}), folder, file);
        {
            auto const now = nested::open(file);
            nested::writer older;
            for (auto const* const t : now.plain())
                older.add({t->name, t->type, t->shape, t->bytes, {}});
            for (auto const& [name, is] : now.described().layers)
                older.add(name, now.matrix(name));
            older.save("older.jack");
        }
        packed_model const now = load_nested(file), older = load_nested("older.jack");
        CHECK_FALSE(now.head_is_layer);
        REQUIRE(older.head_is_layer);
        CHECK(older.widths() == now.widths());
        CHECK(older.widths_of_head() == now.widths_of_head());
        auto const whole = nested::open("older.jack");
        for (unsigned const bits : {8u, 3u})
        {
            CHECK(now.head_beside(bits) == 8);
            CHECK(older.head_beside(bits) == bits);
            CHECK(older.decode(bits).w == now.decode(now.mix(bits, bits)).w);
            CHECK(older.decode(older.mix(bits, 8)).w == now.decode(bits).w); // where it is asked for
            nested::cut(whole, "shorter.jack", bits);
            CHECK(load_nested("shorter.jack").decode(bits).w == older.decode(bits).w);
            verify_nested("shorter.jack", load_nested("shorter.jack"), older.mix(bits));
        }
        CHECK_THROWS_WITH_AS(nested::cut(whole, "shorter.jack", 4, 4),
                             doctest::Contains("older.jack: no layer has a width of its own"),
                             jackplane::width_error);
    }

    TEST_CASE("a row of the table names the width of the head")
    {
        dense_model(true, 40);
        packed_model const m = with_head({.group = jackplane::group{32}});
        auto const tokens = random_tokens(30, 40);
        auto const text = scored_text::of(tokens, 20, {}, {});
        row const packed = quantized_row(m, m.mix(4, 6), 4, text, nullptr);
        CHECK(packed.head_bits == 6u);
        CHECK(label_of(packed, true) == "4/6");
        CHECK(label_of(packed, false) == "4");
        row const plain = quantized_row(m.with_head_of(m.decode(8)), 4, text, nullptr);
        CHECK(plain.head_bits == 0u);
        CHECK(label_of(plain, true) == "4/fp");
    }
}
