// SPDX-License-Identifier: BSD-3-Clause
// Models that are written as GGUF files and read again. (tests/clients shows llama.cpp such files.)
#include <engine/write/gguf/model.hpp>
#include "tiny_families.hpp"
#include <doctest/doctest.h>
#include <jackplane/store/gguf/blocks.hpp>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace engine
{
    namespace
    {
        std::filesystem::path written_file() { return "written.gguf"; }

        bool is_refused(tiny_family const& f) // no model of llama.cpp has layers without experts beside those with some
        {
            return std::string(f.type) == "qwen3_moe";
        }

        // A matrix with blocks of 8 bits; none where a row is no whole number of them.
        block_matrix in_blocks(model const& m, parameter const& p)
        {
            if (p.cols % jackplane::gguf::q8_0::values != 0)
                return {};
            return to_blocks({m.w.data() + p.offset, p.rows, p.cols}, jackplane::gguf::q8_0::id, {}, p.name);
        }
    }

    TEST_CASE("a dense model comes back from a GGUF file, of every family")
    {
        for (tiny_family const& f : tiny_families)
        {
            CAPTURE(std::string(f.name));
            model const m = random_model(tiny_config_of(f));
            if (is_refused(f))
            {
                CHECK_THROWS_AS(save_gguf(m, {}, {}, written_file()), jackplane::format_error);
                continue;
            }
            save_gguf(m, {}, {}, written_file());
            model const back = load_model(written_file());
            config sizes = back.sizes;
            CHECK(static_cast<float>(m.sizes.rms_norm_eps) == static_cast<float>(sizes.rms_norm_eps));
            sizes.rms_norm_eps = m.sizes.rms_norm_eps; // an F32 there
            sizes.block = m.sizes.block;               // so are its frequencies and scales
            CHECK(difference(m.sizes, sizes).empty());
            REQUIRE(back.w.size() == m.w.size());
            double const scale =
                back.sizes.block.score_scale == 0 ? 1 : m.sizes.block.score_scale / back.sizes.block.score_scale;
            std::string const scaled = m.sizes.block.head_norms ? ".q_norm." : ".q_proj.";
            for (parameter const& p : m.table.parameters())
            {
                CAPTURE(p.name);
                std::size_t wrong = 0;
                bool const is_scaled = scale != 1 && p.name.find(scaled) != p.name.npos;
                float const shift = m.sizes.block.shifted_norms && p.norm ? 1.0f : 0.0f;
                for (std::size_t i = p.offset; i < p.offset + p.size(); ++i)
                {
                    float const was = m.w[i], is = back.w[i];
                    double const wanted = (is_scaled ? scale : 1) * static_cast<double>(was + shift);
                    if (is_scaled || shift != 0) // is rounded once more, to fp32
                        wrong += !(std::abs(static_cast<double>(is + shift) - wanted) < 1e-6);
                    else
                        wrong += p.norm ? is != was : !same_but_for_half(was, is);
                }
                CHECK(wrong == 0);
            }
        }
    }

    TEST_CASE("matrices in blocks come back bit for bit, of every family")
    {
        for (tiny_family const& f : tiny_families)
        {
            CAPTURE(std::string(f.name));
            model m = random_model(tiny_config_of(f));
            if (is_refused(f))
                continue;
            std::vector<block_matrix> matrices;
            auto const& all = m.table.parameters();
            for (std::size_t i = 0; i <= m.table.tuned_parameters(); ++i)
                if (bool const scaled = m.sizes.block.score_scale != 0 && !m.sizes.block.head_norms &&
                                        all[i].name.find("q_proj") != all[i].name.npos;
                    scaled)
                    matrices.emplace_back();
                else
                    matrices.push_back(in_blocks(m, all[i]));
            jackplane::gguf::metadata more;
            more.set("general.name", std::string("in blocks"));
            save_gguf(m, matrices, more, written_file());
            model_source const back{written_file()};
            CHECK(back.gguf_metadata()->get<std::string>("general.name") == "in blocks");
            CHECK(back.gguf_metadata()->get<std::uint32_t>("general.file_type") == 7);
            for (std::size_t i = 0; i < matrices.size(); ++i)
            {
                CAPTURE(all[i].name);
                std::vector<float> is(all[i].size()), was(all[i].size());
                back.read(all[i], is.data());
                if (matrices[i].empty())
                    continue;
                matrices[i].decode({was.data(), all[i].rows, all[i].cols});
                CHECK(is == was);
            }
        }
    }

    TEST_CASE("matrices that are not the model's are refused")
    {
        model const m = random_model(tiny_config_of(tiny_families[0]));
        auto const& all = m.table.parameters();
        std::vector<block_matrix> matrices{in_blocks(m, all[0])};
        matrices[0].rows -= 1;
        CHECK_THROWS_AS(save_gguf(m, matrices, {}, written_file()), jackplane::shape_error);
        matrices[0] = in_blocks(m, all[0]);
        matrices[0].type = 9999;
        CHECK_THROWS_AS(save_gguf(m, matrices, {}, written_file()), jackplane::shape_error);
        matrices[0] = in_blocks(m, all[0]);
        matrices[0].bytes.pop_back();
        CHECK_THROWS_AS(save_gguf(m, matrices, {}, written_file()), jackplane::shape_error);
        matrices.assign(m.table.tuned_parameters() + 2, {}); // the last norm
        matrices.back() = {jackplane::gguf::f32::id, 1, m.sizes.hidden, std::vector<std::byte>(4 * m.sizes.hidden)};
        CHECK_THROWS_WITH_AS(save_gguf(m, matrices, {}, written_file()), "model.norm.weight: only matrices have blocks",
                             jackplane::format_error);
    }
}
