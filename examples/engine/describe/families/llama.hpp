// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../family.hpp"

namespace engine::families
{
    // Llama 2 and 3: what every other family departs from.
    inline constexpr std::string_view llama_keys[] = {"attention_bias", "mlp_bias"};
    inline family const llama{"llama",
                              "LlamaForCausalLM",
                              llama_keys,
                              defaults(2048),
                              [](settings_file const& file, config& c)
                              {
                                  read_attention_bias(file, c);
                                  c.block.mlp_bias = file.flag("mlp_bias", false);
                              },
                              {"llama", false, true,
                               [](gguf_fields const& fields, nlohmann::ordered_json& c)
                               {
                                   add_rotation(fields, c);
                                   add_window(fields, c);
                                   if (!c["sliding_window"].is_null())
                                   {
                                       c["model_type"] = "mistral";
                                       return;
                                   }
                                   c["mlp_bias"] = fields.has_tensor("blk.0.ffn_down.bias");
                                   c["attention_bias"] = fields.has_tensor("blk.0.attn_output.bias");
                                   if (fields.has_tensor("blk.0.attn_q.bias") && !c["attention_bias"])
                                       c["model_type"] = "qwen2"; // biases of q, k, v alone
                               },
                               [](gguf_description& to) {
                                   tell_rotation(to, {true, true});
                               }}};
}
