// SPDX-License-Identifier: BSD-3-Clause
// Importance matrices: squares of what linear layers read, by the names of a GGUF file.
#include <engine/measure/importance.hpp>
#include "tiny_families.hpp"
#include "tiny_text.hpp"
#include <doctest/doctest.h>
#include <cmath>
#include <cstddef>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace engine
{
    namespace
    {
        // How many of the sums are not the diagonal of a Gram matrix, which is added in fp32 for a window.
        std::size_t off_diagonal(std::span<float const> sums, std::vector<float> const& gram)
        {
            std::size_t const size = sums.size();
            std::size_t off = 0;
            for (std::size_t i = 0; i < size; ++i)
                off += !(std::abs(sums[i] - gram[i * size + i]) <=
                         static_cast<float>(tiny::length + 3) * 0x1p-24f * gram[i * size + i]);
            return off;
        }
    }

    TEST_CASE("sums of squares are the diagonals of Gram matrices, whatever the threads, of every family")
    {
        for (tiny_family const& f : tiny_families)
        {
            CAPTURE(std::string(f.name));
            model const m = random_model(tiny_config_of(f));
            config const& c = m.sizes;
            calibration_text const text = tiny::text_of(5, c.vocabulary);
            auto const found = importance_of(m, text, {}, jackplane::team(1));
            CHECK(found.chunk_count == 5);
            CHECK(found.chunk_size == tiny::length);
            auto const again = importance_of(m, text, {}, jackplane::team(3));
            std::set<std::string> named;
            auto const look =
                [&](std::string const& name, std::size_t matrix, std::vector<float> const& gram, std::size_t tokens)
            {
                CAPTURE(name);
                named.insert(name);
                REQUIRE(found.of.contains(name));
                auto const& sums = found.of.at(name);
                REQUIRE(matrix < sums.counts.size());
                CHECK(sums.counts[matrix] == static_cast<float>(tokens));
                std::size_t const size = sums.columns();
                REQUIRE(gram.size() == size * size);
                CHECK(off_diagonal(std::span(sums.squares).subspan(matrix * size, size), gram) == 0);
                CHECK(again.of.at(name).squares == sums.squares);
            };
            calibration_stream stream(c, m.view().ends().embedding, text);
            for (std::size_t i = 0; i < c.layers; ++i)
            {
                auto const layer = m.view().layer(i);
                auto const routed = stream.tokens_of_experts(layer, jackplane::team(1));
                std::string const block = engine::text("blk.", i, ".");
                for (layer_stage const& stage : stages_of(c, layer.kind))
                {
                    auto const gram = stream.gram(layer, stage);
                    bool const experts = layer.kind.experts;
                    char const* const end = experts ? "_exps.weight" : ".weight";
                    std::size_t const tokens = experts ? routed[stage.expert] : text.tokens.size();
                    if (stage.input == layer_input::attention)
                        for (char const* name : {"attn_q.weight", "attn_k.weight", "attn_v.weight"})
                            look(block + (c.block.fused ? "attn_qkv.weight" : name), 0, gram, text.tokens.size());
                    else if (stage.input == layer_input::attended)
                        look(block + "attn_output.weight", 0, gram, text.tokens.size());
                    else if (stage.input == layer_input::active)
                        look(block + "ffn_down" + end, stage.expert, gram, tokens);
                    else
                        for (char const* name : {"ffn_up", "ffn_gate"})
                            look(block + (c.block.fused ? "ffn_up" : name) + end, stage.expert, gram, tokens);
                }
                stream.advance(layer);
            }
            workspace<float> work(c, 5, tiny::length, false);
            forward(
                c, [&](std::size_t i) { return m.view().layer(i); }, m.view().ends(), text.tokens, tiny::length, work);
            std::vector<float> gram(c.hidden * c.hidden);
            for (std::size_t i = 0; i < c.hidden; ++i)
            {
                double sum = 0;
                for (std::size_t t = 0; t < text.tokens.size(); ++t)
                    sum += std::pow(static_cast<double>(work.hidden[t * c.hidden + i]), 2);
                gram[i * c.hidden + i] = static_cast<float>(sum);
            }
            look(c.tied ? "token_embd.weight" : "output.weight", 0, gram, text.tokens.size());
            CHECK(named.size() == found.of.size());
        }
    }

    TEST_CASE("no text: no importance matrix")
    {
        model const m = random_model(tiny_config_of(tiny_families[0]));
        CHECK_THROWS_WITH_AS(importance_of(m, {}), "an importance matrix needs a calibration text",
                             jackplane::value_error);
    }
}
