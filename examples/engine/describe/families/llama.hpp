// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../family.hpp"

namespace engine::families
{
    // Llama 2 and 3: what every other family departs from.
    inline constexpr std::string_view llama_keys[] = {"attention_bias", "mlp_bias"};
    inline family const llama{"llama", "LlamaForCausalLM", llama_keys, defaults(2048),
                              [](settings_file const& file, config& c)
                              {
                                  read_attention_bias(file, c);
                                  c.block.mlp_bias = file.flag("mlp_bias", false);
                              }};
}
