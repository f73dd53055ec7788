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
    inline family const qwen3{
        "qwen3",
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
        {"qwen3", false, false, [](gguf_fields const& fields, nlohmann::ordered_json& c) { add_rotation(fields, c); }}};
}
