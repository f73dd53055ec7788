// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/check.hpp>
#include <jackplane/store/foreign.hpp>
#include <jackplane/store/map.hpp>
#include <nlohmann/json.hpp>
#include "config_keys.hpp"
#include "settings_file.hpp"
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace engine
{
    using token = std::uint32_t;

    // The sizes of a Llama; Hugging Face's names beside ours.
    struct config
    {
        std::size_t vocabulary = 0;   // vocab_size
        std::size_t hidden = 0;       // hidden_size
        std::size_t intermediate = 0; // intermediate_size
        std::size_t layers = 0;       // num_hidden_layers
        std::size_t heads = 0;        // num_attention_heads
        std::size_t kv_heads = 0;     // num_key_value_heads
        std::size_t head_dim = 0;     // head_dim: may differ from hidden / heads
        std::size_t context = 0;      // max_position_embeddings
        double rope_theta = 10000.0;  // base of the rotary frequencies
        double rms_norm_eps = 1e-5;
        bool tied = true;                        // tie_word_embeddings: the output matrix is the embedding
        std::size_t seen = std::size_t{1} << 53; // tokens that attention sees (sliding_window); `context` or more

        std::size_t query_width() const noexcept { return heads * head_dim; }
        std::size_t kv_width() const noexcept { return kv_heads * head_dim; }
        std::size_t qkv_width() const noexcept { return query_width() + 2 * kv_width(); }
    };

    // The first key by which two models compute different functions of their weights, with both values; else empty.
    inline std::string difference(config const& a, config const& b)
    {
        std::string found;
        auto const compare = [&](char const* key, auto config::*member)
        {
            if (found.empty() && a.*member != b.*member)
                found = text(key, ": ", a.*member, " and ", b.*member);
        };
        compare("vocab_size", &config::vocabulary);
        compare("hidden_size", &config::hidden);
        compare("intermediate_size", &config::intermediate);
        compare("num_hidden_layers", &config::layers);
        compare("num_attention_heads", &config::heads);
        compare("num_key_value_heads", &config::kv_heads);
        compare("head_dim", &config::head_dim);
        compare("rope_theta", &config::rope_theta);
        compare("rms_norm_eps", &config::rms_norm_eps);
        compare("tie_word_embeddings", &config::tied);
        return found;
    }

    // The tokens of one window: as many as asked for; 0: the model's context. Throws shape_error beyond what attention
    // sees, where the model is another function.
    inline std::size_t window_of(config const& c, std::size_t asked, std::string const& model)
    {
        JACKPLANE_EXPECTS(asked <= c.seen, jackplane::shape_error, model, ": attention sees ", c.seen,
                          " tokens (config.json), windows of ", asked, " are not implemented here");
        return asked == 0 ? c.context : asked;
    }

    // The base of the rotation. It travels at the top and inside `rope_scaling` and `rope_parameters` (where version 5
    // of the transformers keeps it), there perhaps once for each type of layer; all that are named must agree. A scaled
    // rotation goes by `type` or `rope_type`: only that which scales nothing is understood.
    class rope_base
    {
    public:
        explicit rope_base(settings_file const& file)
        {
            take_base(file);
            for (char const* const name : {"rope_scaling", "rope_parameters"})
                if (file.has(name))
                    take(file.inner(name));
        }
        double value() const noexcept { return _base.value_or(10000.0); }

    private:
        void take_base(settings_file const& file)
        {
            if (!file.has("rope_theta"))
                return;
            double const own = file.positive("rope_theta");
            file.expect(own == _base.value_or(own), "rope_theta", text("the ", value(), " found elsewhere"));
            _base = own;
        }
        void take(settings_file const& file)
        {
            take_base(file);
            for (char const* const name : {"rope_type", "type"})
                if (file.has(name))
                {
                    auto const& type = file.tree()[name];
                    bool const scaled_by_one = type == "linear" && file.tree().value("factor", nlohmann::json()) == 1;
                    file.expect(type == "default" || scaled_by_one, name,
                                "\"default\"; a scaled rotation is not implemented here");
                }
            for (auto const& [key, value] : file.tree().items())
            {
                bool const ignored = value.is_null() || key == "rope_type" || key == "type" || key == "rope_theta" ||
                                     key == "original_max_position_embeddings"; // matters to a scaled one
                bool const one = key == "factor" || key == "partial_rotary_factor" || key == "attention_factor";
                if (value.is_object())
                    take(file.inner(key)); // of a type of layer
                else
                    file.expect(ignored || (one && value == 1), key,
                                one ? "1; a scaled rotation is not implemented here" : "no such key");
            }
        }

        std::optional<double> _base;
    };

    // Reads config.json; defaults are those of Hugging Face's LlamaConfig. Throws format_error for another model.
    inline config read_config(settings_file const& file)
    {
        constexpr std::uint64_t largest = 1u << 20; // of any size: products of three stay below 2^64
        config c;
        for (char const* const part : {"text_config", "llm_config", "language_config"})
            JACKPLANE_EXPECTS(!file.has(part), jackplane::format_error, file.name(), ": '", part,
                              "' holds the sizes: a language model inside a larger one (of images, sound), not "
                              "implemented here; take a folder of the language model alone");
        file.expect(!file.has("model_type") || file.tree()["model_type"] == "llama", "model_type", "\"llama\"");
        c.vocabulary = file.size("vocab_size", largest);
        c.hidden = file.size("hidden_size", largest);
        c.intermediate = file.size("intermediate_size", largest);
        c.layers = file.size("num_hidden_layers", 4096);
        c.heads = file.size("num_attention_heads", 4096);
        c.kv_heads = file.has("num_key_value_heads") ? file.size("num_key_value_heads", 4096) : c.heads;
        file.expect(c.heads % c.kv_heads == 0, "num_key_value_heads", text("a divisor of the ", c.heads, " heads"));
        if (file.has("head_dim"))
            c.head_dim = file.size("head_dim", 4096);
        else
            file.expect(c.hidden % c.heads == 0, "hidden_size", text("a multiple of the ", c.heads, " heads"));
        c.head_dim = c.head_dim == 0 ? c.hidden / c.heads : c.head_dim;
        JACKPLANE_EXPECTS(c.head_dim % 2 == 0, jackplane::format_error, file.name(), ": 'head_dim' is ", c.head_dim,
                          ", expected an even number (rotary pairs)");
        c.context = file.has("max_position_embeddings") ? file.size("max_position_embeddings", largest) : 2048;
        c.rms_norm_eps = file.has("rms_norm_eps") ? file.positive("rms_norm_eps") : 1e-6;
        c.rope_theta = rope_base(file).value();
        c.tied = file.flag("tie_word_embeddings", false);
        check_keys(file, {c.head_dim, c.hidden, c.context, c.rms_norm_eps, c.rope_theta, file.tree()});
        c.seen = tokens_seen(file);
        return c;
    }

    // The same of config.json in a folder.
    inline config read_config(std::filesystem::path const& file)
    {
        if (auto const folder = file.parent_path(); std::filesystem::is_regular_file(folder))
        {
            jackplane::mapped_file const file_instead(folder);
            std::string const found = jackplane::detail::foreign(file_instead.bytes());
            jackplane::fail<jackplane::format_error>(text(jackplane::detail::one_line(folder.string()),
                                                          ": expected a folder with config.json, found ",
                                                          found.empty() ? "a file" : found));
        }
        return read_config(settings_file(file));
    }

    inline std::string write_config(config const& c, char const* element)
    {
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
