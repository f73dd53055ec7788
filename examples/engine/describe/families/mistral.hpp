// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../family.hpp"

namespace engine::families
{
    // Mistral 7B, Nemo, Small: a window over all layers (null from v0.2 on).
    inline constexpr std::string_view mistral_keys[] = {"sliding_window", "layer_types"};
    inline family const mistral{"mistral",
                                "MistralForCausalLM",
                                mistral_keys,
                                defaults(131072),
                                [](settings_file const& file, config& c)
                                { set_windows(file, c, read_window(file, 4096)); },
                                {"llama", false, true, nullptr,
                                 [](gguf_description& to)
                                 {
                                     tell_rotation(to, {true, true});
                                     tell_window(to);
                                 }}};
}
