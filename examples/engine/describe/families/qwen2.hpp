// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../family.hpp"

namespace engine::families
{
    inline constexpr std::string_view qwen_keys[] = {"sliding_window", "max_window_layers", "layer_types"};

    // A window only where config.json asks for it, and then in the layers from max_window_layers on.
    inline void read_qwen_windows(settings_file const& file, config& c)
    {
        std::size_t const first = file.tree().value("max_window_layers", nlohmann::json()) == 0 ? 0
                                  : file.has("max_window_layers") ? file.size("max_window_layers", 1u << 20)
                                                                  : 28;
        std::size_t const window = file.flag("use_sliding_window", false) ? read_window(file, 4096) : 0;
        set_windows(file, c, window, [=](std::size_t i) { return i >= first; });
    }

    inline void tell_qwen(gguf_description& to)
    {
        tell_rotation(to);
        expect_no_window(to);
    }

    // Qwen2, Qwen2.5: biases of q, k and v.
    inline family const qwen2{"qwen2",
                              "Qwen2ForCausalLM",
                              qwen_keys,
                              defaults(32768),
                              [](settings_file const& file, config& c)
                              {
                                  c.block.qkv_bias = true;
                                  read_qwen_windows(file, c);
                              },
                              {"qwen2", false, false,
                               [](gguf_fields const& fields, nlohmann::ordered_json& c) { add_rotation(fields, c); },
                               tell_qwen}};
}
