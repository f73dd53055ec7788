// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "qwen2.hpp"

namespace engine::families
{
    // Qwen3, dense: norms of the heads of q and k.
    inline constexpr std::string_view qwen3_keys[] = {"sliding_window", "max_window_layers", "layer_types",
                                                      "attention_bias", "use_qk_norm"};
    inline void expect_head_norms(settings_file const& file)
    {
        file.expect(file.flag("use_qk_norm", true), "use_qk_norm", "true: heads of q and k have norms");
    }
    inline void tell_qwen3(gguf_description& to)
    {
        tell_qwen(to);
        to.expect(!to.sizes.block.qkv_bias, "attention_bias", "false in a model of this family");
    }
    inline family const qwen3{"qwen3",
                              "Qwen3ForCausalLM",
                              qwen3_keys,
                              defaults(32768, false, 128),
                              [](settings_file const& file, config& c)
                              {
                                  c.block.head_norms = true;
                                  expect_head_norms(file);
                                  read_attention_bias(file, c);
                                  read_qwen_windows(file, c);
                              },
                              {"qwen3", false, false,
                               [](gguf_fields const& fields, nlohmann::ordered_json& c) { add_rotation(fields, c); },
                               tell_qwen3}};
}
