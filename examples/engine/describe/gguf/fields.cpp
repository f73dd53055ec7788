// SPDX-License-Identifier: BSD-3-Clause
#include "fields.hpp"
#include <cmath>
#include <string>

namespace engine
{
    using json = nlohmann::ordered_json;

    namespace
    {
        // turn: with its factor.
        void add_yarn(gguf_fields const& d, json& turn, std::size_t usual)
        {
            turn["original_max_position_embeddings"] = usual;
            for (char const* const name : {"beta_fast", "beta_slow"})
                if (d.has(text("rope.scaling.yarn_", name)))
                    turn[name] = d.real(text("rope.scaling.yarn_", name));
            if (d.has("rope.scaling.attn_factor")) // of YaRN's own factor
                turn["attention_factor"] =
                    d.real("rope.scaling.attn_factor") * (0.1 * std::log(turn["factor"].get<double>()) + 1);
        }
    }

    void add_rotation(gguf_fields const& d, json& c, bool partial)
    {
        c["rope_theta"] = d.real_or("rope.freq_base", 10000.0);
        std::size_t const whole = d.head_dim(), turned = d.size_or("rope.dimension_count", whole);
        if (partial && turned != whole)
            c["partial_rotary_factor"] = static_cast<double>(turned) / static_cast<double>(whole);
        else
            d.expect(turned == whole, "rope.dimension_count", text(whole, ", the size of a head"));
        double const factor = d.real_or("rope.scaling.factor", 0);
        std::string const type = d.has("rope.scaling.type")   ? d.string("rope.scaling.type")
                                 : factor != 0 && factor != 1 ? "linear"
                                                              : "none";
        bool const long_factors = d.has_tensor("rope_factors_long.weight");
        if (d.has("rope.scale_linear")) // an older name
            d.expect(d.real("rope.scale_linear") == 1, "rope.scale_linear", "1: rope.scaling.factor is what is read");
        d.has("rope.scaling.finetuned"); // says nothing
        std::size_t const context = d.size("context_length");
        std::size_t const usual = d.size_or("rope.scaling.original_context_length", context);
        json turn = {{"rope_type", type}};
        if (d.has_tensor("rope_freqs.weight")) // Llama 3.1's frequencies, each divided by a factor
        {
            d.expect(type == "none" || (type == "linear" && factor <= 1), "rope.scaling.type",
                     "none beside 'rope_freqs.weight'");
            auto const factors = d.vector("rope_freqs.weight");
            turn = {{"rope_type", "longrope"},
                    {"short_factor", factors},
                    {"long_factor", factors},
                    {"original_max_position_embeddings", context},
                    {"attention_factor", d.real_or("rope.scaling.attn_factor", 1.0)}};
        }
        else if (type == "linear" || type == "yarn")
        {
            d.expect(!long_factors, "rope.scaling.type", "longrope beside 'rope_factors_long.weight'");
            turn["factor"] = factor == 0 ? 1 : factor;
            if (type == "yarn")
                add_yarn(d, turn, usual);
        }
        else if (type == "longrope" || long_factors || d.has_tensor("rope_factors_short.weight"))
        {
            turn = {{"rope_type", "longrope"},
                    {"short_factor", d.vector("rope_factors_short.weight")},
                    {"long_factor", d.vector("rope_factors_long.weight")},
                    {"original_max_position_embeddings", usual}};
            if (d.has("rope.scaling.attn_factor"))
                turn["attention_factor"] = d.real("rope.scaling.attn_factor");
        }
        else
        {
            d.expect(type == "none", "rope.scaling.type", "none, linear, yarn or longrope");
            return;
        }
        c["rope_scaling"] = turn;
    }

    void add_experts(gguf_fields const& d, json& c, char const* count)
    {
        c[count] = d.size("expert_count");
        c["num_experts_per_tok"] = d.size("expert_used_count");
        d.expect(d.size_or("expert_shared_count", 0) == 0, "expert_shared_count", "0");
        if (d.has("expert_weights_norm"))
            d.expect(d.file.metadata().get<bool>(d.key("expert_weights_norm")), "expert_weights_norm", "true");
        d.expect(d.size_or("expert_gating_func", 1) <= 1, "expert_gating_func", "1 (softmax)");
        double const scale = d.real_or("expert_weights_scale", 0);
        d.expect(scale == 0 || scale == 1, "expert_weights_scale", "1");
    }

    void add_window(gguf_fields const& d, json& c)
    {
        c["sliding_window"] = nullptr;
        if (d.size_or("attention.sliding_window", 0) != 0)
            c["sliding_window"] = d.size("attention.sliding_window");
    }
}
