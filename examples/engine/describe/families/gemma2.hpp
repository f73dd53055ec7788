// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../family.hpp"
#include <algorithm>
#include <cmath>
#include <utility>

namespace engine::families
{
    // What Gemma 2 and 3 share: 1 + w, four norms, GELU by tanh, a scaled embedding, a scale of scores of its own.
    inline void describe_gemma(settings_file const& file, config& c)
    {
        for (char const* const key : {"hidden_activation", "hidden_act"}) // older files mean the same by "gelu" there
            file.expect(!file.has(key) || file.tree()[key] == "gelu_pytorch_tanh" ||
                            (std::string_view(key) == "hidden_act" && file.tree()[key] == "gelu"),
                        key, "\"gelu_pytorch_tanh\"");
        block_description& b = c.block;
        b.shifted_norms = b.post_norms = true;
        b.gate = gate_function::gelu;
        double const scalar = number_or_none(file, "query_pre_attn_scalar", 256);
        file.expect(scalar > 0, "query_pre_attn_scalar", "a positive number");
        b.score_scale = 1 / std::sqrt(scalar);
        b.embedding_scale = std::sqrt(static_cast<double>(c.hidden));
    }

    // llama.cpp divides scores by the root of a head's size; in the largest model of each generation, which it knows by
    // its layers, by that of hidden / heads.
    inline constexpr std::size_t gemma2_largest = 46, gemma3_largest = 62;
    inline void describe_gemma(gguf_fields const& fields, nlohmann::ordered_json& c, std::size_t layers_of_largest)
    {
        bool const largest = fields.size("block_count") == layers_of_largest;
        std::size_t const heads = std::max<std::size_t>(fields.size("attention.head_count"), 1);
        c["query_pre_attn_scalar"] = largest ? fields.size("embedding_length") / heads : fields.head_dim();
        for (char const* const name : {"attn_logit_softcapping", "final_logit_softcapping"})
            if (fields.has(name))
                c[name] = fields.real(name);
        add_rotation(fields, c);
        if (fields.has("attention.sliding_window")) // else the family's own, as for caps
            add_window(fields, c);
    }

    inline void tell_gemma(gguf_description& to, std::size_t layers_of_largest)
    {
        config const& c = to.sizes;
        std::size_t const scalar = c.layers == layers_of_largest ? c.hidden / c.heads : c.head_dim;
        to.query_factor = c.block.score_scale * std::sqrt(static_cast<double>(scalar));
        std::size_t window = c.context; // which is none
        for (layer_kind const& kind : c.block.layers)
            window = kind.window != 0 ? kind.window : window;
        to.set("attention.sliding_window", window);
    }

    // Gemma 2: capped scores and logits; every other layer sees a window, the first one does.
    inline constexpr std::string_view gemma2_keys[] = {"hidden_act",
                                                       "hidden_activation",
                                                       "query_pre_attn_scalar",
                                                       "attn_logit_softcapping",
                                                       "final_logit_softcapping",
                                                       "sliding_window",
                                                       "sliding_window_size",
                                                       "layer_types"};
    inline family const gemma2{
        "gemma2",
        "Gemma2ForCausalLM",
        gemma2_keys,
        defaults(8192, true, 256),
        [](settings_file const& file, config& c)
        {
            describe_gemma(file, c);
            c.block.score_cap = number_or_none(file, "attn_logit_softcapping", 50);
            c.block.logit_cap = number_or_none(file, "final_logit_softcapping", 30);
            std::size_t const window = read_window(file, 4096);
            file.expect(!file.has("sliding_window_size") || file.tree()["sliding_window_size"] == window,
                        "sliding_window_size", "the same as sliding_window");
            set_windows(file, c, window, [](std::size_t i) { return i % 2 == 0; });
        },
        {"gemma2", false, false,
         [](gguf_fields const& fields, nlohmann::ordered_json& c) { describe_gemma(fields, c, gemma2_largest); },
         [](gguf_description& to)
         {
             tell_gemma(to, gemma2_largest);
             tell_rotation(to);
             for (auto const& [name, cap] : {std::pair{"attn_logit_softcapping", to.sizes.block.score_cap},
                                             {"final_logit_softcapping", to.sizes.block.logit_cap}})
             {
                 to.expect(cap != 0, name, "a positive number");
                 to.set(name, cap);
             }
             to.expect(period_of_windows(to) == 2, "layer_types", "every other layer a window, the first one, too");
         }}};
}
