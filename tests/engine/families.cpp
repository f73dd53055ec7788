// SPDX-License-Identifier: BSD-3-Clause
// What each family of models asks of a block. Whether the engine computes it right is seen in tests/clients, by an
// engine that nobody here wrote.
#include "tiny_families.hpp"
#include <doctest/doctest.h>
#include <engine/describe/families.hpp>
#include <cmath>
#include <set>
#include <string>

namespace engine
{
    namespace
    {
        block_description block_of(std::string const& name)
        {
            for (tiny_family const& f : tiny_families)
                if (name == f.name)
                    return tiny_config_of(f).block;
            FAIL("no family ", name);
            return {};
        }
        config read_of(std::string const& type, std::string const& more)
        {
            return tiny_config_of({"", type.c_str(), more.c_str()});
        }
    }

    TEST_CASE("every family has a tiny model here, and a type of its own")
    {
        std::set<std::string_view> tested, types;
        for (tiny_family const& f : tiny_families)
            tested.insert(f.type);
        for (family const* const f : all_families)
            types.insert(f->type);
        CHECK(tested == types);
        CHECK(types.size() == std::size(all_families));
    }

    TEST_CASE("what a config.json says of a block")
    {
        CHECK(block_of("llama") == block_description{});
        CHECK(block_of("qwen2").qkv_bias);
        CHECK(block_of("qwen3").head_norms);
        CHECK_FALSE(block_of("qwen3").qkv_bias);
        CHECK(block_of("phi3").fused);
        CHECK(block_of("mistral").layers == std::vector<layer_kind>(3, {9, 0}));
        CHECK(block_of("gemma2").layers == std::vector<layer_kind>{{9, 0}, {0, 0}, {9, 0}});
        CHECK(block_of("gemma3").layers == std::vector<layer_kind>{{9, 1}, {0, 0}, {9, 1}});
        block_description const mixtral = block_of("mixtral"), moe = block_of("qwen3_moe");
        CHECK(mixtral.layers == std::vector<layer_kind>(3, {0, 0, true}));
        CHECK(mixtral.experts == expert_description{5, 2, 172, true, "block_sparse_moe.", "w1", "w3", "w2"});
        CHECK(moe.layers == std::vector<layer_kind>{{0, 0, true}, {0, 0, false}, {0, 0, true}});
        CHECK(moe.experts == expert_description{6, 3, 36, false});
        CHECK(moe.head_norms);
        config const usual =
            read_of("qwen3_moe", R"("decoder_sparse_step":2,"norm_topk_prob":true,"use_qk_norm":true)");
        CHECK(usual.block.experts == expert_description{128, 8, 768, true});
        CHECK(usual.block.layers == std::vector<layer_kind>{{0, 0, false}, {0, 0, true}, {0, 0, false}});
        CHECK(read_of("mixtral", R"("num_experts":4)").block.experts.count == 4); // as newer files name them
        for (char const* const name : {"gemma2", "gemma3"})
        {
            block_description const b = block_of(name);
            CHECK(b.shifted_norms);
            CHECK(b.post_norms);
            CHECK(b.gate == gate_function::gelu);
            CHECK(b.score_scale == doctest::Approx(1 / std::sqrt(12.0)));
            CHECK(b.embedding_scale == 8);
        }
        CHECK(block_of("gemma2").score_cap == 2);
        CHECK(block_of("gemma2").logit_cap == 3);
        CHECK(block_of("gemma3").score_cap == 0);
        // what Hugging Face's classes have where nothing is said, and what null says
        config const plain = read_of("gemma2", R"("head_dim":8)");
        CHECK(plain.tied);
        CHECK(plain.block.score_cap == 50);
        CHECK(plain.block.logit_cap == 30);
        CHECK(plain.block.layers[0].window == 4096);
        CHECK(read_of("gemma2", R"("attn_logit_softcapping":null)").block.score_cap == 0);
        CHECK(read_of("gemma2", R"("attn_logit_softcapping":null)").head_dim == 256);
        CHECK(read_of("mistral", R"("sliding_window":null)").block.kind(0).window == 0);
        CHECK(read_of("qwen2", R"("use_sliding_window":true,"sliding_window":9,"max_window_layers":1)").block.layers ==
              std::vector<layer_kind>{{0, 0}, {9, 0}, {9, 0}});
        CHECK(read_of("qwen3", R"("use_sliding_window":true,"sliding_window":9,)"
                               R"("layer_types":["sliding_attention","full_attention","full_attention"])")
                  .block.layers == std::vector<layer_kind>{{9, 0}, {0, 0}, {0, 0}});
    }

    TEST_CASE("a key that another family reads is refused, and so is a family that nobody reads")
    {
        for (auto const& [type, more] : std::vector<std::pair<std::string, std::string>>{
                 {"qwen2", R"("query_pre_attn_scalar":12)"},
                 {"llama", R"("partial_rotary_factor":0.5)"},
                 {"mistral", R"("final_logit_softcapping":30.0)"},
                 {"qwen2", R"("attention_bias":true)"},
                 {"gemma2", R"("hidden_activation":"gelu")"},
                 {"gemma2", R"("sliding_window":9,"sliding_window_size":8)"},
                 {"gemma3_text", R"("layer_types":["full_attention"])"},
                 {"gemma3_text", R"("layer_types":["full_attention","full_attention","chunked_attention"])"},
                 {"phi3", R"("rope_scaling":{"type":"longrope","short_factor":[1.0],"long_factor":[1.0]})"},
                 {"phi3", R"("architectures":["LlamaForCausalLM"])"},
                 {"llama", R"("rope_scaling":{"type":"dynamic","factor":2.0})"},
                 {"qwen2", R"("is_causal":false)"},
                 {"qwen2", R"("layer_types":["linear_attention","full_attention","full_attention"])"},
                 {"qwen3", R"("layer_types":["full_attention"])"},
                 {"mistral", R"("layer_types":["full_attention","sliding_attention","full_attention"])"},
                 {"gemma2", R"("query_pre_attn_scalar":null)"},
                 {"qwen3", R"("num_experts":4)"},
                 {"mixtral", R"("num_experts_per_tok":9)"},
                 {"mixtral", R"("num_experts":4097)"},
                 {"mixtral", R"("num_experts":4,"num_local_experts":5)"},
                 {"mixtral", R"("num_experts":1)"},
                 {"mixtral", R"("moe_intermediate_size":36)"},
                 {"mixtral", R"("norm_topk_prob":false)"},
                 {"mixtral", R"("decoder_sparse_step":2)"},
                 {"mixtral", R"("mlp_only_layers":[0])"},
                 {"mixtral", R"("scoring_func":"sigmoid")"},
                 {"mixtral", R"("sliding_window":9,"use_sliding_window":false)"},
                 {"mistral", R"("sliding_window":9,"use_sliding_window":false)"},
                 {"mistral", R"("sliding_window":9,"max_window_layers":2)"},
                 {"gemma2", R"("hidden_act":"silu")"},
                 {"gemma3_text", R"("num_kv_shared_layers":2)"},
                 {"qwen3_moe", R"("scoring_func":"sigmoid")"},
                 {"qwen3_moe", R"("topk_method":"noaux_tc")"},
                 {"qwen3_moe", R"("e_score_correction_bias":true)"},
                 {"qwen3_moe", R"("num_shared_experts":1)"},
                 {"qwen3_moe", R"("mlp_only_layers":[3])"},
                 {"qwen3_moe", R"("mlp_only_layers":1)"},
                 {"qwen3_moe", R"("decoder_sparse_step":0)"},
                 {"qwen3_moe", R"("use_qk_norm":false)"},
                 {"qwen3_moe", R"("routed_scaling_factor":2.5)"},
                 {"qwen3_moe", R"("shared_expert_intermediate_size":36)"},
                 {"qwen3_moe", R"("use_sliding_window":true,"sliding_window":9,"max_window_layers":1)"},
                 {"gemma2", R"("sliding_window_size":8)"},
                 {"phi3", R"("rope_scaling":{"type":"longrope","short_factor":[1,1,1,1],"long_factor":[1,1,1,1]})"},
                 {"phi3", R"("original_max_position_embeddings":40,"rope_scaling":{"type":"longrope","factor":3.0,)"
                          R"("short_factor":[1,1,1,1],"long_factor":[1,1,1,1]})"},
                 {"llama", R"("rope_scaling":{"type":"yarn","factor":2.0,"mscale":1.0})"}})
        {
            CAPTURE(type);
            CAPTURE(more);
            CHECK_THROWS_AS(read_of(type, more), jackplane::format_error);
        }
        for (auto const& [type, more] : std::vector<std::pair<std::string, std::string>>{ // they say what is so
                 {"mixtral", R"("norm_topk_prob":true,"decoder_sparse_step":1,"mlp_only_layers":[])"},
                 {"mixtral", R"("scoring_func":"softmax","topk_method":"greedy")"},
                 {"mistral", R"("sliding_window":null,"use_sliding_window":false,"max_window_layers":28)"},
                 {"gemma2", R"("hidden_act":"gelu")"},
                 {"llama", R"("norm_topk_prob":false,"decoder_sparse_step":2,"max_window_layers":28)"}})
        {
            CAPTURE(type);
            CAPTURE(more);
            CHECK_NOTHROW(read_of(type, more));
        }
        CHECK_THROWS_WITH_AS(read_of("mixtral", R"("scoring_func":"sigmoid")"), doctest::Contains("'scoring_func'"),
                             jackplane::format_error);
        CHECK_THROWS_WITH_AS(read_of("mamba", R"("x":1)"), doctest::Contains("one of llama, mistral"),
                             jackplane::format_error);
    }

    TEST_CASE("a rotation of windowed layers is their own")
    {
        auto const local = [](std::string const& more) { return read_of("gemma3_text", more).rotations()[1]; };
        rotation const usual = plain_rotation(1e4, 256);
        CHECK(local(R"("rope_theta":1e6)") == usual);
        CHECK(local(R"("rope_theta":1e6,"rope_local_base_freq":500)") == plain_rotation(500, 256));
        CHECK(local(R"("rope_parameters":{"rope_theta":5e5})") == usual);
        CHECK(local(R"("rope_parameters":{"full_attention":{"rope_theta":1e6}},"rope_local_base_freq":500)") ==
              plain_rotation(500, 256));
        CHECK(local(R"("rope_theta":1e6,"rope_parameters":{"sliding_attention":{"rope_type":"default"}})") == usual);
        CHECK(local(R"("rope_parameters":{"sliding_attention":{"rope_theta":700}})") == plain_rotation(700, 256));
    }

    // Formulas of their own: transformers' modeling_rope_utils by the papers.
    TEST_CASE("scaled rotations")
    {
        double const pi = std::acos(-1.0);
        config const c = read_of("llama", R"("rope_theta":10000.0)");
        auto const plain = c.rotations()[0].frequencies;
        REQUIRE(plain.size() == 4);
        CHECK(plain[1] == doctest::Approx(0.1));
        auto const frequencies = [&](std::string const& type, std::string const& more)
        { return read_of("llama", R"("rope_scaling":{"rope_type":")" + type + "\"," + more + "}").rotations()[0]; };
        CHECK(frequencies("linear", R"("factor":4)").frequencies[2] == doctest::Approx(plain[2] / 4));

        // waves of 6.3, 63, 628 and 6283 tokens; those below 40 / 4 stay, those above 40 / 0.5 are stretched
        auto const three = frequencies("llama3", R"("factor":8,"low_freq_factor":0.5,"high_freq_factor":4,)"
                                                 R"("original_max_position_embeddings":40)")
                               .frequencies;
        double const part = (40 * plain[1] / (2 * pi) - 0.5) / 3.5;
        CHECK(three[0] == plain[0]);
        CHECK(three[1] == doctest::Approx(plain[1] * ((1 - part) / 8 + part)));
        CHECK(three[2] == doctest::Approx(plain[2] / 8));
        CHECK(three[3] == doctest::Approx(plain[3] / 8));

        rotation const yarn = frequencies("yarn", R"("factor":4,"original_max_position_embeddings":40)");
        double const slow = std::ceil(8 * std::log(40 / (2 * pi)) / (2 * std::log(10000.0)));
        CHECK(slow == 1); // the ramp goes from pair 0 to pair 1
        CHECK(yarn.frequencies[0] == plain[0]);
        CHECK(yarn.frequencies[1] == doctest::Approx(plain[1] / 4));
        CHECK(yarn.magnitude == doctest::Approx(0.1 * std::log(4.0) + 1));

        rotation const phi = block_of("phi3").rotations[0];
        REQUIRE(phi.frequencies.size() == 3);
        CHECK(phi.of(40)[1] == doctest::Approx(std::pow(10000.0, -2.0 / 6) / 1.1));
        CHECK(phi.of(41)[2] == doctest::Approx(std::pow(10000.0, -4.0 / 6) / 4));
        CHECK(phi.magnitude == doctest::Approx(std::sqrt(1 + std::log(2.0) / std::log(40.0))));
    }
}
