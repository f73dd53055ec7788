// SPDX-License-Identifier: BSD-3-Clause
#include "fields.hpp"
#include <cmath>

namespace engine
{
    using json = nlohmann::ordered_json;

    void add_rotation(gguf_fields const& d, json& c, bool partial)
    {
        c["rope_theta"] = d.has("rope.freq_base") ? d.real("rope.freq_base") : 10000.0;
        std::size_t const whole = d.head_dim(), turned = d.size_or("rope.dimension_count", whole);
        if (partial && turned != whole)
            c["partial_rotary_factor"] = static_cast<double>(turned) / static_cast<double>(whole);
        else
            d.expect(turned == whole, "rope.dimension_count", text(whole, ", the size of a head"));
        std::string const type = d.has("rope.scaling.type") ? d.string("rope.scaling.type") : std::string("none");
        std::size_t const context = d.size("context_length");
        std::size_t const usual = d.size_or("rope.scaling.original_context_length", context);
        json turn = {{"rope_type", type}};
        if (d.has_tensor("rope_freqs.weight")) // Llama 3.1's frequencies, each divided by a factor
        {
            d.expect(type == "none" || type == "linear", "rope.scaling.type", "none beside 'rope_freqs.weight'");
            auto const factors = d.vector("rope_freqs.weight");
            turn = {{"rope_type", "longrope"},
                    {"short_factor", factors},
                    {"long_factor", factors},
                    {"original_max_position_embeddings", context},
                    {"attention_factor", 1.0}};
        }
        else if (type == "linear" || type == "yarn")
            turn["factor"] = d.real("rope.scaling.factor");
        else if (type == "longrope" || d.has_tensor("rope_factors_long.weight"))
            turn = {{"rope_type", "longrope"},
                    {"short_factor", d.vector("rope_factors_short.weight")},
                    {"long_factor", d.vector("rope_factors_long.weight")},
                    {"original_max_position_embeddings", usual}};
        else
        {
            d.expect(type == "none", "rope.scaling.type", "none, linear, yarn or longrope");
            return;
        }
        bool const scaled = d.has("rope.scaling.attn_factor");
        if (turn["rope_type"] == "yarn")
        {
            turn["original_max_position_embeddings"] = usual;
            for (char const* const name : {"beta_fast", "beta_slow"})
                if (d.has(text("rope.scaling.yarn_", name)))
                    turn[name] = d.real(text("rope.scaling.yarn_", name));
            if (scaled) // of YaRN's own factor
                turn["attention_factor"] =
                    d.real("rope.scaling.attn_factor") * (0.1 * std::log(d.real("rope.scaling.factor")) + 1);
        }
        else if (turn["rope_type"] == "longrope" && scaled)
            turn["attention_factor"] = d.real("rope.scaling.attn_factor");
        c["rope_scaling"] = turn;
    }

    void add_biases(gguf_fields const& d, json& c)
    {
        bool const inner = d.has_tensor("blk.0.attn_q.bias"), outer = d.has_tensor("blk.0.attn_output.bias");
        JACKPLANE_EXPECTS(inner == outer, jackplane::format_error, d.file.name(), ": tensor 'blk.0.attn_",
                          inner ? "q" : "output", ".bias' without one of 'blk.0.attn_", inner ? "output" : "q", "'");
        c["attention_bias"] = inner;
        c["mlp_bias"] = d.has_tensor("blk.0.ffn_down.bias");
    }

    void add_experts(gguf_fields const& d, json& c, char const* count)
    {
        c[count] = d.size("expert_count");
        c["num_experts_per_tok"] = d.size("expert_used_count");
        d.expect(d.size_or("expert_shared_count", 0) == 0, "expert_shared_count", "0");
        d.expect(d.size_or("expert_gating_func", 1) <= 1, "expert_gating_func", "1 (softmax)");
        double const scale = d.has("expert_weights_scale") ? d.real("expert_weights_scale") : 0;
        d.expect(scale == 0 || scale == 1, "expert_weights_scale", "1");
    }

    void add_window(gguf_fields const& d, json& c)
    {
        c["sliding_window"] = nullptr;
        if (d.size_or("attention.sliding_window", 0) != 0)
            c["sliding_window"] = d.size("attention.sliding_window");
    }
}
