// SPDX-License-Identifier: BSD-3-Clause
#include "description.hpp"
#include "../families.hpp"
#include <algorithm>
#include <cmath>
#include <limits>

namespace engine
{
    gguf_description::gguf_description(config const& c)
        : sizes(c), said(language_part(settings_file("config.json", c.source.empty() ? "{}" : c.source)))
    {
        gguf_form const& form = family_of(said).gguf;
        architecture = form.name;
        pairs_side_by_side = form.pairs_side_by_side;
        set("context_length", c.context);
        set("embedding_length", c.hidden);
        set("block_count", c.layers);
        set("feed_forward_length", c.intermediate);
        set("attention.head_count", c.heads);
        set("attention.head_count_kv", c.kv_heads);
        set("attention.key_length", c.head_dim);
        set("attention.value_length", c.head_dim);
        set("attention.layer_norm_rms_epsilon", c.rms_norm_eps);
        set("vocab_size", c.vocabulary);
        form.tell(*this);
    }

    void gguf_description::set(std::string_view name, std::size_t number)
    {
        JACKPLANE_EXPECTS(number <= std::numeric_limits<std::uint32_t>::max(), jackplane::format_error, "key '",
                          architecture, ".", name, "': ", number, " is no number of 32 bits");
        keys.set(text(architecture, ".", name), static_cast<std::uint32_t>(number));
    }
    void gguf_description::set(std::string_view name, double number)
    {
        keys.set(text(architecture, ".", name), static_cast<float>(number));
    }
    void gguf_description::set(std::string_view name, std::string value)
    {
        keys.set(text(architecture, ".", name), std::move(value));
    }

    namespace
    {
        std::vector<float> factors_of(settings_file const& turn, char const* key)
        {
            auto const list = turn.tree()[key].get<std::vector<double>>();
            std::vector<float> out(list.size());
            std::transform(list.begin(), list.end(), out.begin(), [](double x) { return static_cast<float>(x); });
            return out;
        }

        void tell_yarn(gguf_description& to, settings_file const& turn, double magnitude)
        {
            double const factor = turn.positive("factor"), usual = 0.1 * std::log(factor) + 1;
            to.expect(turn.flag("truncate", true), "truncate", "true");
            to.set("rope.scaling.original_context_length",
                   turn.has("original_max_position_embeddings")
                       ? turn.size("original_max_position_embeddings", std::numeric_limits<std::uint32_t>::max())
                       : to.sizes.context);
            for (char const* const name : {"beta_fast", "beta_slow"})
                if (turn.has(name))
                    to.set(text("rope.scaling.yarn_", name), turn.positive(name));
            if (magnitude != usual)
                to.set("rope.scaling.attn_factor", magnitude / usual); // of YaRN's own factor
        }
    }

    void tell_rotation(gguf_description& to, factor_tensors known)
    {
        tell_rotation(to, rotation_settings(to.said), known);
    }

    void tell_rotation(gguf_description& to, rotation_settings const& turn, factor_tensors known)
    {
        rotation const r = to.sizes.rotations()[0];
        settings_file const& keys = turn.keys();
        std::size_t const turned = 2 * r.frequencies.size();
        to.set("rope.dimension_count", turned);
        to.set("rope.freq_base", to.sizes.rope_theta);
        std::string const type = keys.tree().value("rope_type", "default");
        if (type == "linear" || type == "yarn")
        {
            to.set("rope.scaling.type", type);
            to.set("rope.scaling.factor", keys.positive("factor"));
            if (type == "yarn")
                tell_yarn(to, keys, r.magnitude);
        }
        else if (type == "longrope" && known.fixed && r.beyond.empty() && r.magnitude == 1)
            to.factors["rope_freqs.weight"] = factors_of(keys, "short_factor"); // of texts of any length
        else if (type == "longrope")
        {
            to.expect(known.by_length, "rope_scaling", text("no longrope in a model of this family"));
            to.set("rope.scaling.type", type);
            to.set("rope.scaling.original_context_length",
                   static_cast<std::size_t>(keys.positive("original_max_position_embeddings")));
            to.set("rope.scaling.attn_factor", r.magnitude);
            to.factors["rope_factors_long.weight"] = factors_of(keys, "long_factor");
            to.factors["rope_factors_short.weight"] = factors_of(keys, "short_factor");
        }
        else if (type != "default") // frequencies that are each divided by a factor
        {
            to.expect(known.fixed, "rope_scaling", text("no ", type, " in a model of this family"));
            auto const plain = plain_rotation(to.sizes.rope_theta, turned).frequencies;
            auto& factors = to.factors["rope_freqs.weight"];
            for (std::size_t i = 0; i < plain.size(); ++i)
                factors.push_back(static_cast<float>(plain[i] / r.frequencies[i]));
        }
    }

    void tell_window(gguf_description& to)
    {
        if (std::size_t const window = to.sizes.block.kind(0).window; window != 0)
            to.set("attention.sliding_window", window);
    }

    void tell_experts(gguf_description& to)
    {
        expert_description const& e = to.sizes.block.experts;
        to.set("expert_count", e.count);
        to.set("expert_used_count", e.used);
        to.expect(e.normalized, "norm_topk_prob", "true");
        for (std::size_t i = 0; i < to.sizes.layers; ++i)
            JACKPLANE_EXPECTS(to.sizes.block.kind(i).experts, jackplane::format_error, "layer ", i,
                              " has no experts; in a GGUF file all layers of a ", to.architecture, " with experts do");
    }

    void expect_no_window(gguf_description const& to)
    {
        for (layer_kind const& kind : to.sizes.block.layers)
            to.expect(kind.window == 0, "sliding_window", "none in a model of this family");
    }

    std::size_t period_of_windows(gguf_description const& to)
    {
        config const& c = to.sizes;
        for (std::size_t period = 1; period <= c.layers + 1; ++period)
        {
            bool fits = true;
            for (std::size_t i = 0; i < c.layers; ++i)
                fits = fits && (c.block.kind(i).window != 0) == ((i + 1) % period != 0);
            if (fits)
                return period;
        }
        to.expect(false, "layer_types", "full_attention at every n-th layer");
        return 0;
    }
}
