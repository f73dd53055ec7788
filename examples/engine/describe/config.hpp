// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/check.hpp>
#include <jackplane/store/foreign.hpp>
#include <jackplane/store/map.hpp>
#include "block.hpp"
#include "settings_file.hpp"
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace engine
{
    using token = std::uint32_t;

    // The sizes of a model and what its blocks compute; Hugging Face's names beside ours.
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
        block_description block{};
        std::string source{}; // config.json as it was read; empty: a Llama made here

        std::size_t query_width() const noexcept { return heads * head_dim; }
        std::size_t kv_width() const noexcept { return kv_heads * head_dim; }
        std::size_t qkv_width() const noexcept { return query_width() + 2 * kv_width(); }
        // MLPs of a layer and their inner width; weights of an MLP, of all matrices of the layer.
        std::size_t mlps(layer_kind const& kind) const noexcept { return kind.experts ? block.experts.count : 1; }
        std::size_t inner(layer_kind const& kind) const noexcept
        {
            return kind.experts ? block.experts.inner : intermediate;
        }
        std::size_t mlp_size(layer_kind const& kind) const noexcept { return 3 * inner(kind) * hidden; }
        std::size_t layer_size(layer_kind const& kind) const noexcept
        {
            return (qkv_width() + query_width()) * hidden + mlps(kind) * mlp_size(kind);
        }
        std::vector<rotation> rotations() const
        {
            return block.rotations.empty() ? std::vector{plain_rotation(rope_theta, head_dim)} : block.rotations;
        }
    };

    // The first key by which two models compute different functions of their weights, with both values; else empty.
    inline std::string difference(config const& a, config const& b)
    {
        std::string found;
        auto const same = []<class T>(T x, T y)
        {
            if constexpr (std::same_as<T, double>)
                return same_number(x, y);
            else
                return x == y;
        };
        auto const compare = [&](char const* key, auto config::*member)
        {
            if (found.empty() && !same(a.*member, b.*member))
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
        return found.empty() && a.block != b.block ? "what a block computes" : found;
    }

    // The tokens of one window: as many as asked for; 0: the model's context, at most 2048 (attention in batches keeps
    // all scores of a window). Throws shape_error beyond what attention sees, where the model is another function.
    inline std::size_t window_of(config const& c, std::size_t asked, std::string const& model)
    {
        JACKPLANE_EXPECTS(asked <= c.seen, jackplane::shape_error, model, ": attention sees ", c.seen,
                          " tokens (config.json), windows of ", asked,
                          " (--context, --seqlen) are not implemented here");
        return asked == 0 ? std::min<std::size_t>(c.context, 2048) : asked;
    }

    // The settings of a language model inside a larger one (of images, sound), under `text_config`; else the file
    // itself.
    settings_file language_part(settings_file const& file);

    // Reads config.json: sizes, then what the family says of a block (families.hpp). Defaults are those of Hugging
    // Face's classes. Throws format_error for a model of no family here, and for keys that change the function unread.
    config read_config(settings_file const& file);

    // config.json in a folder; an error that says what is there instead of one.
    inline settings_file config_file(std::filesystem::path const& file)
    {
        if (auto const folder = file.parent_path(); std::filesystem::is_regular_file(folder))
        {
            jackplane::mapped_file const file_instead(folder);
            std::string const found = jackplane::detail::foreign(file_instead.bytes());
            jackplane::fail<jackplane::format_error>(text(jackplane::detail::one_line(folder.string()),
                                                          ": expected a folder with config.json, found ",
                                                          found.empty() ? "a file" : found));
        }
        return settings_file(file);
    }

    inline config read_config(std::filesystem::path const& file) { return read_config(config_file(file)); }

    // config.json as it was read; of a model that was made here: a Llama's. element: "float32", say.
    std::string write_config(config const& c, char const* element);
}
