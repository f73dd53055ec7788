// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "config.hpp"
#include "gguf/description.hpp"
#include "gguf/fields.hpp"
#include "rotation.hpp"
#include "settings_file.hpp"
#include <algorithm>
#include <span>
#include <string_view>

namespace engine
{
    // A family of models: what its config.json says of a block. One small file each, a line in families.hpp.
    struct family
    {
        std::string_view type;                  // model_type
        std::string_view class_name;            // in `architectures`
        std::span<std::string_view const> keys; // that describe() reads, beyond those of every family
        // What Hugging Face's class has where config.json says nothing: sizes, tied or not.
        config defaults;
        void (*describe)(settings_file const& file, config& c); // c has its sizes already
        gguf_form gguf{};
    };

    // The family that a config.json names; without model_type: a Llama. Throws format_error.
    family const& family_of(settings_file const& file);

    inline config defaults(std::size_t context, bool tied = false, std::size_t head_dim = 0, double base = 1e4,
                           double eps = 1e-6)
    {
        config c;
        c.context = context;
        c.tied = tied;
        c.head_dim = head_dim; // 0: hidden / heads
        c.rope_theta = base;
        c.rms_norm_eps = eps;
        return c;
    }

    // Biases of q, k, v and o, which few models have.
    inline void read_attention_bias(settings_file const& file, config& c)
    {
        c.block.qkv_bias = c.block.output_bias = file.flag("attention_bias", false);
    }

    // All layers turn alike. partial: a part of each head may.
    inline void read_rotation(settings_file const& file, config& c, bool partial = false)
    {
        rotation_settings const turn(file);
        c.rope_theta = turn.base(c.rope_theta);
        rotation const found = turn.of(c, c.rope_theta, partial);
        if (found != plain_rotation(c.rope_theta, c.head_dim))
            c.block.rotations = {found};
    }

    // Tokens of a window, `otherwise` where config.json names none. 0: there is no window.
    inline std::size_t read_window(settings_file const& file, std::size_t otherwise)
    {
        std::size_t const window = !file.tree().contains("sliding_window") ? otherwise
                                   : file.has("sliding_window") ? file.size("sliding_window", std::uint64_t{1} << 40)
                                                                : 0;
        file.expect(window == 0 || file.flag("use_sliding_window", true), "use_sliding_window",
                    text("true: models of this class see a window of ", window, " tokens all the same"));
        return window;
    }

    // All layers have it. `layer_types` cannot say otherwise: Hugging Face's classes do not ask it.
    inline void set_windows(settings_file const& file, config& c, std::size_t window)
    {
        char const* const type = window != 0 ? "sliding_attention" : "full_attention";
        for (auto const& each : file.tree().value("layer_types", nlohmann::json::array()))
            file.expect(each == type, "layer_types", text(type, " everywhere"));
        c.block.layers.assign(window != 0 ? c.layers : 0, {window, 0});
    }

    // Layers of the type sliding_attention have it; where `layer_types` says nothing, those that slides(i) names.
    template <class Slides>
    void set_windows(settings_file const& file, config& c, std::size_t window, Slides&& slides)
    {
        c.block.layers.resize(c.layers);
        auto const& types = file.tree().value("layer_types", nlohmann::json());
        file.expect(types.is_null() || (types.is_array() && types.size() == c.layers), "layer_types",
                    text("a type for each of the ", c.layers, " layers"));
        for (std::size_t i = 0; i < c.layers; ++i)
        {
            bool const named_so = !types.is_null() && types[i] == "sliding_attention";
            file.expect(types.is_null() || named_so || types[i] == "full_attention", "layer_types",
                        "full_attention and sliding_attention alone");
            bool const windowed = types.is_null() ? slides(i) : named_so;
            c.block.layers[i].window = windowed ? window : 0;
        }
    }

    // How many experts and how many of them for a token, `otherwise` where config.json says nothing. Which layers have
    // them is up to the family.
    inline void read_experts(settings_file const& file, config& c, expert_description const& otherwise)
    {
        std::size_t const most = std::min<std::size_t>(4096, (1u << 16) / c.layers); // a table of some 100,000 tensors
        expert_description& e = c.block.experts = otherwise;
        for (char const* const key : {"num_experts", "num_local_experts"}) // newer files have either
            e.count = file.has(key) ? file.size(key, most) : e.count;
        file.expect(e.count <= most, "num_hidden_layers", text("fewer beside ", e.count, " experts each"));
        if (file.has("num_experts") && file.has("num_local_experts"))
            file.expect(file.tree()["num_experts"] == e.count, "num_experts",
                        text(e.count, ", as 'num_local_experts' is"));
        if (file.has("num_experts_per_tok"))
            e.used = file.size("num_experts_per_tok", e.count);
        file.expect(e.used <= e.count, "num_experts_per_tok", text("at most the ", e.count, " experts"));
        c.block.layers.resize(c.layers);
    }

    // 0 where the key is null; otherwise: where it is not there.
    inline double number_or_none(settings_file const& file, char const* key, double otherwise)
    {
        return !file.tree().contains(key) ? otherwise : file.has(key) ? file.positive(key) : 0;
    }
}
