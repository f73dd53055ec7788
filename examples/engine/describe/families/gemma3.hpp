// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "gemma2.hpp"

namespace engine::families
{
    // Gemma 3, text: norms of heads, no caps; five layers with a window and a rotation of their own, then one without.
    inline constexpr std::string_view gemma3_keys[] = {
        "hidden_act",          "hidden_activation",       "query_pre_attn_scalar", "attn_logit_softcapping",
        "sliding_window",      "final_logit_softcapping", "layer_types",           "sliding_window_pattern",
        "rope_local_base_freq"};
    inline config gemma3_defaults()
    {
        config c = defaults(131072, true, 256, 1e6);
        c.vocabulary = 262208; // models inside larger ones do not say these three
        c.heads = 8;
        c.kv_heads = 4;
        return c;
    }
    inline double gemma3_local_base(settings_file const& file) // of layers with a window
    {
        return rotation_settings::of_type(file, "sliding_attention")
            .base(file.has("rope_local_base_freq") ? file.positive("rope_local_base_freq") : 1e4);
    }
    inline family const gemma3{
        "gemma3_text",
        "Gemma3ForCausalLM",
        gemma3_keys,
        gemma3_defaults(),
        [](settings_file const& file, config& c)
        {
            describe_gemma(file, c);
            c.block.head_norms = true;
            c.block.score_cap = number_or_none(file, "attn_logit_softcapping", 0);
            c.block.logit_cap = number_or_none(file, "final_logit_softcapping", 0);
            std::size_t const pattern =
                file.has("sliding_window_pattern") ? file.size("sliding_window_pattern", 1u << 20) : 6;
            set_windows(file, c, read_window(file, 4096), [=](std::size_t i) { return (i + 1) % pattern != 0; });
            rotation_settings const full(file, "full_attention");
            c.rope_theta = full.base(c.rope_theta);
            auto const local = rotation_settings::of_type(file, "sliding_attention");
            c.block.rotations = {full.of(c, c.rope_theta), local.of(c, gemma3_local_base(file))};
            for (layer_kind& kind : c.block.layers)
                kind.rotation = kind.window != 0 ? 1 : 0;
        },
        {"gemma3", false, false,
         [](gguf_fields const& fields, nlohmann::ordered_json& c)
         {
             describe_gemma(fields, c, gemma3_largest);
             c["sliding_window_pattern"] = fields.size_or("attention.sliding_window_pattern", 6);
             c["rope_local_base_freq"] = fields.real_or("rope.freq_base_swa", 1e4);
         },
         [](gguf_description& to)
         {
             tell_gemma(to, gemma3_largest);
             tell_rotation(to, rotation_settings(to.said, "full_attention"));
             to.expect(to.sizes.block.score_cap == 0, "attn_logit_softcapping", "null in a model of this family");
             if (to.sizes.block.logit_cap != 0)
                 to.set("final_logit_softcapping", to.sizes.block.logit_cap);
             double const base = gemma3_local_base(to.said);
             to.expect(to.sizes.block.rotations[1] == plain_rotation(base, to.sizes.head_dim), "rope_parameters",
                       "the default rotation in layers with a window");
             to.set("rope.freq_base_swa", base);
             to.set("attention.sliding_window_pattern", period_of_windows(to));
         }}};
}
