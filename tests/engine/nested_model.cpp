// SPDX-License-Identifier: BSD-3-Clause
// A packed model in a nested file: written, cut short, read, decoded.
#include <engine/pack/nested_model.hpp>
#include <engine/quantize/quantize_model.hpp>
#include <jackplane/store/nested_read.hpp>
#include "logits.hpp"
#include "tiny.hpp"
#include <doctest/doctest.h>
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <span>
#include <variant>
#include <vector>

namespace engine
{
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
}
