// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "qwen2.hpp"

namespace engine::families
{
    // Qwen3, dense: norms of the heads of q and k.
    inline constexpr std::string_view qwen3_keys[] = {"sliding_window", "max_window_layers", "layer_types",
                                                      "attention_bias"};
    inline family const qwen3{"qwen3", "Qwen3ForCausalLM", qwen3_keys, defaults(32768, false, 128),
                              [](settings_file const& file, config& c)
                              {
                                  c.block.head_norms = true;
                                  read_attention_bias(file, c);
                                  read_qwen_windows(file, c);
                              }};
}
