// SPDX-License-Identifier: BSD-3-Clause
#include "config.hpp"
#include "../families.hpp"
#include <iterator>

namespace engine
{
    namespace
    {
        using json = nlohmann::ordered_json;
        using jackplane::gguf::file;

        void add_sizes(gguf_fields const& d, json& c)
        {
            auto const* const embedding = d.file.find("token_embd.weight");
            JACKPLANE_EXPECTS(embedding != nullptr && embedding->shape.size() == 2, jackplane::format_error,
                              d.file.name(), ": no matrix 'token_embd.weight'");
            c["vocab_size"] = embedding->shape[0];
            c["hidden_size"] = d.size("embedding_length");
            c["intermediate_size"] = d.size("feed_forward_length");
            c["num_hidden_layers"] = d.size("block_count");
            c["num_attention_heads"] = d.size("attention.head_count");
            c["num_key_value_heads"] = d.size_or("attention.head_count_kv", d.size("attention.head_count"));
            c["head_dim"] = d.head_dim();
            d.expect(d.size_or("attention.value_length", d.head_dim()) == d.head_dim(), "attention.value_length",
                     text(d.head_dim(), ", as attention.key_length is"));
            c["max_position_embeddings"] = d.size("context_length");
            c["rms_norm_eps"] = d.real("attention.layer_norm_rms_epsilon");
            c["tie_word_embeddings"] = !d.has_tensor("output.weight");
        }

        constexpr std::string_view known_keys[] = {"attention.head_count",
                                                   "attention.head_count_kv",
                                                   "attention.key_length",
                                                   "attention.value_length",
                                                   "attention.layer_norm_rms_epsilon",
                                                   "attention.sliding_window",
                                                   "attention.sliding_window_pattern",
                                                   "attn_logit_softcapping",
                                                   "block_count",
                                                   "context_length",
                                                   "embedding_length",
                                                   "expert_count",
                                                   "expert_feed_forward_length",
                                                   "expert_gating_func",
                                                   "expert_shared_count",
                                                   "expert_used_count",
                                                   "expert_weights_scale",
                                                   "feed_forward_length",
                                                   "final_logit_softcapping",
                                                   "rope.dimension_count",
                                                   "rope.freq_base",
                                                   "rope.freq_base_swa",
                                                   "rope.scaling.attn_factor",
                                                   "rope.scaling.factor",
                                                   "rope.scaling.finetuned",
                                                   "rope.scaling.original_context_length",
                                                   "rope.scaling.type",
                                                   "rope.scaling.yarn_beta_fast",
                                                   "rope.scaling.yarn_beta_slow",
                                                   "vocab_size"};
    }

    family const& family_of(file const& f)
    {
        gguf_fields const d(f);
        bool const experts = d.size_or("expert_count", 0) != 0;
        std::string known;
        for (family const* const each : all_families)
        {
            gguf_form const& form = each->gguf;
            if (form.name == d.architecture && form.experts == experts)
                return *each;
            if (!form.name.empty())
                known += text(known.empty() ? "" : ", ", form.name, form.experts ? " with experts" : "");
        }
        expect(f, false, "general.architecture", "one of " + known);
        return families::llama;
    }

    std::string config_json_of(file const& f)
    {
        gguf_fields const d(f);
        family const& of = family_of(f);
        json c = {{"model_type", of.type}};
        add_sizes(d, c);
        of.gguf.describe(d, c);
        return c.dump(2) + "\n";
    }

    std::vector<std::string> unknown_keys(file const& f)
    {
        std::string const prefix = f.metadata().get<std::string>("general.architecture") + ".";
        std::vector<std::string> out;
        for (auto const& [key, value] : f.metadata())
            if (key.starts_with(prefix) && std::find(std::begin(known_keys), std::end(known_keys),
                                                     key.substr(prefix.size())) == std::end(known_keys))
                out.push_back(key);
        return out;
    }
}
