// SPDX-License-Identifier: BSD-3-Clause
#include "config.hpp"
#include "config_keys.hpp"
#include "families.hpp"
#include <nlohmann/json.hpp>
#include <algorithm>
#include <iterator>

namespace engine
{
    family const& family_of(settings_file const& file)
    {
        auto const type = file.tree().value("model_type", nlohmann::json("llama"));
        std::string known;
        for (family const* const f : all_families)
        {
            if (type == f->type || (type.is_null() && f == &families::llama))
                return *f;
            known += text(known.empty() ? "" : ", ", f->type);
        }
        file.expect(false, "model_type", "one of " + known);
        return families::llama;
    }

    settings_file language_part(settings_file const& file)
    {
        if (!file.has("text_config"))
            return file;
        auto const type = file.tree().value("model_type", nlohmann::json());
        std::string known;
        for (std::string_view const each : larger_models)
            known += text(known.empty() ? "" : ", ", each);
        file.expect(std::find(std::begin(larger_models), std::end(larger_models), type) != std::end(larger_models),
                    "model_type", text("one of ", known, " around 'text_config'"));
        settings_file part = file.inner("text_config");
        for (char const* const key : {"tie_word_embeddings", "quantization_config", "compression_config"})
            if (file.has(key) && !part.has(key)) // which hold for all of the model
                part.put(key, file.tree()[key]);
        return part;
    }

    config read_config(settings_file const& whole)
    {
        constexpr std::uint64_t largest = 1u << 20; // of any size: products of three stay below 2^64
        for (char const* const part : {"llm_config", "language_config"})
            JACKPLANE_EXPECTS(!whole.has(part), jackplane::format_error, whole.name(), ": '", part,
                              "' holds the sizes: a language model inside a larger one (of images, sound), not "
                              "implemented here; take a folder of the language model alone");
        settings_file const file = language_part(whole);
        family const& of = family_of(file);
        config c = of.defaults;
        auto const size_or = [&](char const* key, std::uint64_t most, std::size_t otherwise)
        { return file.has(key) || otherwise == 0 ? file.size(key, most) : otherwise; };
        c.vocabulary = size_or("vocab_size", largest, c.vocabulary);
        c.hidden = file.size("hidden_size", largest);
        c.intermediate = file.size("intermediate_size", largest);
        c.layers = file.size("num_hidden_layers", 4096);
        c.heads = size_or("num_attention_heads", 4096, c.heads);
        c.kv_heads = size_or("num_key_value_heads", 4096, c.kv_heads != 0 ? c.kv_heads : c.heads);
        file.expect(c.heads % c.kv_heads == 0, "num_key_value_heads", text("a divisor of the ", c.heads, " heads"));
        if (file.has("head_dim"))
            c.head_dim = file.size("head_dim", 4096);
        file.expect(c.head_dim != 0 || c.hidden % c.heads == 0, "hidden_size",
                    text("a multiple of the ", c.heads, " heads"));
        c.head_dim = c.head_dim == 0 ? c.hidden / c.heads : c.head_dim;
        JACKPLANE_EXPECTS(c.head_dim % 2 == 0, jackplane::format_error, file.name(), ": 'head_dim' is ", c.head_dim,
                          ", expected an even number (rotary pairs)");
        if (file.has("max_position_embeddings"))
            c.context = file.size("max_position_embeddings", largest);
        if (file.has("rms_norm_eps"))
            c.rms_norm_eps = file.positive("rms_norm_eps");
        c.tied = file.flag("tie_word_embeddings", c.tied);
        of.describe(file, c);
        if (c.block.rotations.empty())
            read_rotation(file, c);
        check_keys(
            file, {c.head_dim, c.hidden, c.context, c.rms_norm_eps, c.rope_theta, file.tree(), of.class_name, of.keys});
        c.seen = tokens_seen(file, of.keys);
        c.source = whole.tree().dump(2) + "\n";
        return c;
    }

    std::string write_config(config const& c, char const* element)
    {
        if (!c.source.empty())
            return c.source;
        nlohmann::ordered_json const tree = {{"architectures", {"LlamaForCausalLM"}},
                                             {"model_type", "llama"},
                                             {"vocab_size", c.vocabulary},
                                             {"hidden_size", c.hidden},
                                             {"intermediate_size", c.intermediate},
                                             {"num_hidden_layers", c.layers},
                                             {"num_attention_heads", c.heads},
                                             {"num_key_value_heads", c.kv_heads},
                                             {"head_dim", c.head_dim},
                                             {"max_position_embeddings", c.context},
                                             {"rope_theta", c.rope_theta},
                                             {"rms_norm_eps", c.rms_norm_eps},
                                             {"tie_word_embeddings", c.tied},
                                             {"hidden_act", "silu"},
                                             {"attention_bias", false},
                                             {"mlp_bias", false},
                                             {"bos_token_id", nullptr},
                                             {"eos_token_id", nullptr},
                                             {"torch_dtype", element}};
        return tree.dump(2) + "\n";
    }
}
