// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../family.hpp"

namespace engine::families
{
    // Mixtral: experts in every layer, a softmax over the chosen ones.
    inline constexpr std::string_view mixtral_keys[] = {"sliding_window", "layer_types", "num_local_experts",
                                                        "num_experts"};
    inline family const mixtral{
        "mixtral", "MixtralForCausalLM", mixtral_keys, defaults(131072, false, 0, 1e6, 1e-5),
        [](settings_file const& file, config& c)
        {
            set_windows(file, c, read_window(file, 0));
            read_experts(file, c, {8, 2, c.intermediate, true, "block_sparse_moe.", "w1", "w3", "w2"});
            for (layer_kind& kind : c.block.layers)
                kind.experts = true;
        }};
}
