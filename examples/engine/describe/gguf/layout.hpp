// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../config.hpp"
#include <cstddef>
#include <string>
#include <string_view>

// How the tensors of a GGUF file differ from those of a Hugging Face checkpoint, for whoever reads or writes one:
// llama.cpp has names of its own, stores all experts of a layer in one tensor, the rows of q and k of some families in
// another order, and 1 + w of norms that multiply by that.
namespace engine
{
    // The name there of a tensor, as "blk.0.ffn_up.weight"; all experts of a layer have one. Empty: there is none.
    std::string gguf_name(config const& c, std::string const& tensor);
    // The expert that a tensor belongs to here: of "model.layers.0.mlp.experts.3.up_proj.weight" 3.
    inline std::size_t expert_of(std::string const& tensor)
    {
        constexpr std::string_view before = ".experts.";
        return std::stoul(tensor.substr(tensor.find(before) + before.size()));
    }

    // How many heads a parameter has whose rotary pairs stand side by side there, in families that do so; 0: none.
    inline std::size_t rotary_heads(config const& c, std::string_view parameter)
    {
        auto const is = [&](std::string_view which) { return parameter.find(which) != parameter.npos; };
        return is(".q_proj.") ? c.heads : is(".k_proj.") ? c.kv_heads : 0;
    }
    // The row there of row i of a head of `turned` rows: pair i is rows i and i + half here, 2 i and 2 i + 1 there.
    constexpr std::size_t row_side_by_side(std::size_t i, std::size_t turned) noexcept
    {
        return 2 * (i % (turned / 2)) + i / (turned / 2);
    }

    // What is added there to the weights of a norm; other vectors stay.
    inline float norm_shift_there(config const& c, std::string_view parameter)
    {
        return c.block.shifted_norms && parameter.ends_with("norm.weight") ? 1.0f : 0.0f;
    }
}
