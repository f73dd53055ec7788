// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../family.hpp"

namespace engine::families
{
    // Mistral 7B, Nemo, Small: a window over all layers (null from v0.2 on).
    inline constexpr std::string_view mistral_keys[] = {"sliding_window"};
    inline family const mistral{"mistral", "MistralForCausalLM", mistral_keys, defaults(131072),
                                [](settings_file const& file, config& c)
                                { read_windows(file, c, 4096, [](std::size_t) { return true; }); }};
}
