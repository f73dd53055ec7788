// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../family.hpp"

namespace engine::families
{
    // Mixtral: experts in every layer, a softmax over the chosen ones.
    inline constexpr std::string_view mixtral_keys[] = {"sliding_window", "layer_types", "num_local_experts",
                                                        "num_experts"};
    inline family const mixtral{
        "mixtral",
        "MixtralForCausalLM",
        mixtral_keys,
        defaults(131072, false, 0, 1e6, 1e-5),
        [](settings_file const& file, config& c)
        {
            set_windows(file, c, read_window(file, 0));
            file.expect(file.flag("norm_topk_prob", true), "norm_topk_prob",
                        "true: the weights of the chosen experts add up to 1");
            file.expect(!file.has("decoder_sparse_step") || file.tree()["decoder_sparse_step"] == 1,
                        "decoder_sparse_step", "1: every layer has experts");
            file.expect(!file.has("mlp_only_layers") || file.tree()["mlp_only_layers"].empty(), "mlp_only_layers",
                        "none: every layer has experts");
            read_experts(file, c, {8, 2, c.intermediate, true, "block_sparse_moe.", "w1", "w3", "w2"});
            for (layer_kind& kind : c.block.layers)
                kind.experts = true;
        },
        {"llama", true, true,
         [](gguf_fields const& fields, nlohmann::ordered_json& c)
         {
             add_rotation(fields, c);
             add_window(fields, c);
             add_experts(fields, c, "num_local_experts");
         },
         [](gguf_description& to)
         {
             tell_rotation(to, {true, true});
             tell_window(to);
             tell_experts(to);
         }}};
}
