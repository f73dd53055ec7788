// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../family.hpp"

namespace engine::families
{
    // Phi-3, Phi-4: fused tensors, a rotation of a part of each head, LongRoPE; a window over all layers.
    inline constexpr std::string_view phi3_keys[] = {"sliding_window", "layer_types", "partial_rotary_factor"};
    inline family const phi3{"phi3",
                             "Phi3ForCausalLM",
                             phi3_keys,
                             defaults(4096, false, 0, 1e4, 1e-5),
                             [](settings_file const& file, config& c)
                             {
                                 c.block.fused = true;
                                 read_rotation(file, c, true);
                                 set_windows(file, c, read_window(file, 0));
                             },
                             {"phi3", false, false,
                              [](gguf_fields const& fields, nlohmann::ordered_json& c)
                              {
                                  add_rotation(fields, c, true);
                                  add_window(fields, c);
                              },
                              [](gguf_description& to)
                              {
                                  tell_rotation(to, {false, true});
                                  tell_window(to);
                              }}};
}
