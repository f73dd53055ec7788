// SPDX-License-Identifier: BSD-3-Clause
#include "layout.hpp"
#include <cstddef>

namespace engine
{
    namespace
    {
        struct two_names
        {
            std::string_view ours, theirs;
        };
        constexpr two_names whole_names[] = {
            {"model.embed_tokens", "token_embd"}, {"model.norm", "output_norm"}, {"lm_head", "output"}};
        constexpr two_names layer_names[] = {
            {"input_layernorm", "attn_norm"},
            {"self_attn.q_proj", "attn_q"},
            {"self_attn.k_proj", "attn_k"},
            {"self_attn.v_proj", "attn_v"},
            {"self_attn.qkv_proj", "attn_qkv"},
            {"self_attn.o_proj", "attn_output"},
            {"self_attn.q_norm", "attn_q_norm"},
            {"self_attn.k_norm", "attn_k_norm"},
            {"pre_feedforward_layernorm", "ffn_norm"},
            {"post_feedforward_layernorm", "post_ffw_norm"},
            {"mlp.gate_proj", "ffn_gate"},
            {"mlp.up_proj", "ffn_up"},
            {"mlp.gate_up_proj", "ffn_up"},
            {"mlp.down_proj", "ffn_down"},
        };

        template <std::size_t N>
        std::string_view other_name(two_names const (&all)[N], std::string_view ours)
        {
            for (two_names const& each : all)
                if (each.ours == ours)
                    return each.theirs;
            return {};
        }
    }

    std::string gguf_name(config const& c, std::string const& tensor)
    {
        auto const dot = tensor.rfind('.');
        std::string_view const stem = std::string_view(tensor).substr(0, dot);
        constexpr std::string_view layers = "model.layers.";
        if (!stem.starts_with(layers))
        {
            auto const found = other_name(whole_names, stem);
            return found.empty() ? std::string() : text(found, tensor.substr(dot));
        }
        auto const number_end = stem.find('.', layers.size());
        std::string_view const number = stem.substr(layers.size(), number_end - layers.size()),
                               inside = stem.substr(number_end + 1);
        expert_description const& e = c.block.experts;
        std::string_view found = other_name(layer_names, inside);
        if (inside == "post_attention_layernorm")
            found = c.block.post_norms ? "post_attention_norm" : "ffn_norm";
        else if (inside == text(e.place, "gate"))
            found = "ffn_gate_inp";
        else if (inside.starts_with(text(e.place, "experts.")))
            for (two_names const& each :
                 {two_names{e.gate, "ffn_gate_exps"}, {e.up, "ffn_up_exps"}, {e.down, "ffn_down_exps"}})
                if (inside.substr(inside.rfind('.') + 1) == each.ours)
                    found = each.theirs;
        return found.empty() ? std::string() : text("blk.", number, ".", found, tensor.substr(dot));
    }
}
