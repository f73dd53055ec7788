// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "qwen3.hpp"

namespace engine::families
{
    inline constexpr std::string_view qwen3_moe_keys[] = {
        "sliding_window",      "layer_types",       "attention_bias",        "use_qk_norm",
        "num_experts",         "num_local_experts", "moe_intermediate_size", "norm_topk_prob",
        "decoder_sparse_step", "mlp_only_layers",   "max_window_layers"};

    // Every decoder_sparse_step-th layer has experts, those of mlp_only_layers do not.
    inline void read_expert_layers(settings_file const& file, config& c)
    {
        std::size_t const step = file.has("decoder_sparse_step") ? file.size("decoder_sparse_step", 1u << 20) : 1;
        for (std::size_t i = step - 1; i < c.layers; i += step)
            c.block.layers[i].experts = true;
        auto const dense = file.has("mlp_only_layers") ? file.tree()["mlp_only_layers"] : nlohmann::json::array();
        for (auto const& i : dense)
        {
            file.expect(dense.is_array() && i.is_number_unsigned() && i < c.layers, "mlp_only_layers",
                        text("numbers of the ", c.layers, " layers"));
            c.block.layers[i.get<std::size_t>()].experts = false;
        }
    }

    // Qwen3 with experts: a softmax over all of them. A window is one of all layers.
    inline family const qwen3_moe{
        "qwen3_moe",
        "Qwen3MoeForCausalLM",
        qwen3_moe_keys,
        defaults(32768),
        [](settings_file const& file, config& c)
        {
            c.block.head_norms = true;
            expect_head_norms(file);
            read_attention_bias(file, c);
            std::size_t const window = file.flag("use_sliding_window", false) ? read_window(file, 4096) : 0;
            file.expect(window == 0 || file.tree().value("max_window_layers", nlohmann::json(0)) == 0,
                        "max_window_layers", "0: versions of the model's class differ in what a window is then");
            set_windows(file, c, window);
            std::size_t const inner =
                file.has("moe_intermediate_size") ? file.size("moe_intermediate_size", 1u << 20) : 768;
            read_experts(file, c, {128, 8, inner, file.flag("norm_topk_prob", false)});
            read_expert_layers(file, c);
        },
        {"qwen3moe", true, false,
         [](gguf_fields const& fields, nlohmann::ordered_json& c)
         {
             add_rotation(fields, c);
             add_experts(fields, c, "num_experts");
             c["moe_intermediate_size"] = fields.size("expert_feed_forward_length");
             c["norm_topk_prob"] = true;
             c["mlp_only_layers"] = nlohmann::ordered_json::array();
             for (std::size_t i = 0; i < fields.size("block_count"); ++i)
                 if (!fields.has_tensor(text("blk.", i, ".ffn_gate_exps.weight")))
                     c["mlp_only_layers"].push_back(i);
         },
         [](gguf_description& to)
         {
             tell_qwen3(to);
             tell_experts(to);
             to.set("expert_feed_forward_length", to.sizes.block.experts.inner);
         }}};
}
