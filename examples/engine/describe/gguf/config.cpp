// SPDX-License-Identifier: BSD-3-Clause
#include "config.hpp"
#include "../families.hpp"

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
            d.expect(d.size("block_count") <= 4096, "block_count", "at most 4096 layers");
            d.size_or("vocab_size", 0); // the embedding's rows count
            c["num_attention_heads"] = d.size("attention.head_count");
            c["num_key_value_heads"] = d.size_or("attention.head_count_kv", d.size("attention.head_count"));
            c["head_dim"] = d.head_dim();
            d.expect(d.size_or("attention.value_length", d.head_dim()) == d.head_dim(), "attention.value_length",
                     text(d.head_dim(), ", as attention.key_length is"));
            c["max_position_embeddings"] = d.size("context_length");
            c["rms_norm_eps"] = d.real("attention.layer_norm_rms_epsilon");
            c["tie_word_embeddings"] = !d.has_tensor("output.weight");
        }
    }

    family const& family_of(file const& f)
    {
        gguf_fields const d(f);
        bool const experts = d.size_or("expert_count", 0) != 0;
        std::string known;
        for (family const* const each : all_families)
        {
            gguf_form const& form = each->gguf;
            if (form.describe == nullptr)
                continue;
            if (form.name == d.architecture && form.experts == experts)
                return *each;
            known += text(known.empty() ? "" : ", ", form.name, form.experts ? " with experts" : "");
        }
        expect(f, false, "general.architecture", "one of " + known);
        return families::llama;
    }

    gguf_settings settings_of(file const& f)
    {
        gguf_fields const d(f);
        family const& of = family_of(f);
        json c = {{"model_type", of.type}};
        d.size_or("expert_count", 0); // which family_of() has read
        add_sizes(d, c);
        of.gguf.describe(d, c);
        return {c.dump(2) + "\n", d.unread()};
    }
}
