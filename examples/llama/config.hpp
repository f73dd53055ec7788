// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/check.hpp>
#include <jackplane/store/map.hpp>
#include <nlohmann/json.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace llama
{
    using jackplane::text;

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
        bool tied = true; // tie_word_embeddings: the output matrix is the embedding

        std::size_t query_width() const noexcept { return heads * head_dim; }
        std::size_t kv_width() const noexcept { return kv_heads * head_dim; }
        std::size_t qkv_width() const noexcept { return query_width() + 2 * kv_width(); }
    };

    // One settings file, with errors that name it: "model/config.json: 'hidden_size' is -3, expected ...".
    class settings_file
    {
    public:
        settings_file(std::string name, std::string_view json)
            : _name(std::move(name)), _tree(nlohmann::json::parse(json, nullptr, false))
        {
            JACKPLANE_EXPECTS(_tree.is_object(), jackplane::format_error, _name, ": expected a JSON object");
        }

        explicit settings_file(std::filesystem::path const& file) : settings_file(file.string(), contents(file)) {}

        static std::string contents(std::filesystem::path const& file)
        {
            jackplane::mapped_file const map(file); // a pipe or a device is an error
            return {reinterpret_cast<char const*>(map.bytes().data()), map.size()};
        }

        std::string const& name() const noexcept { return _name; }
        nlohmann::json const& tree() const noexcept { return _tree; }
        bool has(char const* key) const { return _tree.contains(key) && !_tree[key].is_null(); }

        // A whole number in [1, most].
        std::size_t size(char const* key, std::uint64_t most) const
        {
            require(key);
            auto const& value = _tree[key];
            bool const fits =
                value.is_number_unsigned() && value.get<std::uint64_t>() >= 1 && value.get<std::uint64_t>() <= most;
            expect(fits, key, text("a whole number from 1 to ", most));
            return value.get<std::size_t>();
        }

        double positive(char const* key) const
        {
            require(key);
            auto const& value = _tree[key];
            expect(value.is_number() && value.get<double>() > 0.0 && std::isfinite(value.get<double>()), key,
                   "a positive number");
            return value.get<double>();
        }

        // Absent is fine; another value means a model that this engine would compute wrongly.
        void only(char const* key, nlohmann::json const& value) const
        {
            expect(!has(key) || _tree[key] == value, key, value.dump());
        }

        bool flag(char const* key, bool otherwise) const
        {
            expect(!has(key) || _tree[key].is_boolean(), key, "true or false");
            return has(key) ? _tree[key].get<bool>() : otherwise;
        }

        void expect(bool condition, char const* key, std::string const& expected) const
        {
            JACKPLANE_EXPECTS(condition, jackplane::format_error, _name, ": '", key, "' is ",
                              _tree.value(key, nlohmann::json()).dump(-1, ' ', true, replace).substr(0, 80),
                              ", expected ", expected);
        }

    private:
        void require(char const* key) const
        {
            JACKPLANE_EXPECTS(has(key), jackplane::format_error, _name, ": no '", key, "'");
        }

        static constexpr auto replace = nlohmann::json::error_handler_t::replace;
        std::string _name;
        nlohmann::json _tree;
    };

    // Reads config.json; defaults are those of Hugging Face's LlamaConfig.
    inline config read_config(settings_file const& file)
    {
        constexpr std::uint64_t largest = 1u << 20; // of any size: products of three stay below 2^64
        config c;
        file.only("model_type", "llama");
        file.only("hidden_act", "silu");
        file.only("attention_bias", false);
        file.only("mlp_bias", false);
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
        c.rope_theta = file.has("rope_theta") ? file.positive("rope_theta") : 10000.0;
        file.only("rope_scaling", nullptr);
        if (file.has("rope_parameters")) // where version 5 of the transformers keeps them
        {
            settings_file const rope(file.name() + ": rope_parameters", file.tree()["rope_parameters"].dump());
            rope.only("rope_type", "default");
            c.rope_theta = rope.has("rope_theta") ? rope.positive("rope_theta") : c.rope_theta;
        }
        c.tied = file.flag("tie_word_embeddings", false);
        return c;
    }

    inline config read_config(std::filesystem::path const& file) { return read_config(settings_file(file)); }

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
