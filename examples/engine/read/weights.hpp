// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/view.hpp>
#include "config.hpp"
#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace engine
{
    // One tensor of the checkpoint and its place in the one array of all parameters.
    struct parameter
    {
        std::string name;               // Hugging Face's
        std::size_t rows, cols, offset; // elements
        bool norm;                      // a vector: one row here, one dimension in the file

        std::size_t size() const noexcept { return rows * cols; }
    };

    inline constexpr std::size_t matrices_of_layer = 7; // q k v o gate up down

    // Where every parameter lies:
    //     q k v o gate up down of layer 0, of 1, ..., an untied lm_head | embedding, last norm, norms of layer 0, ...
    //     '-------------------- the tuned weights ---------------------'
    // q, k, v stand on each other as one matrix [qkv_width, hidden], gate and up as one [2 intermediate, hidden].
    class parameter_table
    {
    public:
        explicit parameter_table(config const& c)
        {
            auto add = [this](std::string name, std::size_t rows, std::size_t cols, bool norm = false)
            {
                _parameters.push_back({std::move(name), rows, cols, _size, norm});
                _size += rows * cols;
            };
            auto layer = [](std::size_t i) { return text("model.layers.", i, "."); };
            for (std::size_t i = 0; i < c.layers; ++i)
            {
                add(layer(i) + "self_attn.q_proj.weight", c.query_width(), c.hidden);
                add(layer(i) + "self_attn.k_proj.weight", c.kv_width(), c.hidden);
                add(layer(i) + "self_attn.v_proj.weight", c.kv_width(), c.hidden);
                add(layer(i) + "self_attn.o_proj.weight", c.hidden, c.query_width());
                add(layer(i) + "mlp.gate_proj.weight", c.intermediate, c.hidden);
                add(layer(i) + "mlp.up_proj.weight", c.intermediate, c.hidden);
                add(layer(i) + "mlp.down_proj.weight", c.hidden, c.intermediate);
            }
            if (!c.tied)
                add("lm_head.weight", c.vocabulary, c.hidden);
            _tuned = _size;
            _tuned_parameters = _parameters.size();
            add("model.embed_tokens.weight", c.vocabulary, c.hidden);
            add("model.norm.weight", 1, c.hidden, true);
            for (std::size_t i = 0; i < c.layers; ++i)
            {
                add(layer(i) + "input_layernorm.weight", 1, c.hidden, true);
                add(layer(i) + "post_attention_layernorm.weight", 1, c.hidden, true);
            }
        }

        std::size_t size() const noexcept { return _size; }
        std::size_t tuned_size() const noexcept { return _tuned; }
        std::vector<parameter> const& parameters() const noexcept { return _parameters; }
        std::size_t tuned_parameters() const noexcept { return _tuned_parameters; } // the first so many

    private:
        std::vector<parameter> _parameters;
        std::size_t _size = 0, _tuned = 0, _tuned_parameters = 0;
    };

    // The weights of one layer, wherever they lie: T const for weights, T for gradients.
    template <class T>
    struct layer_view
    {
        T* qkv;            // [qkv_width, hidden]
        T* output;         // [hidden, query_width]
        T* gate_up;        // [2 intermediate, hidden]
        T* down;           // [hidden, intermediate]
        T* attention_norm; // [hidden]
        T* mlp_norm;       // [hidden]

        operator layer_view<T const>() const noexcept requires(!std::is_const_v<T>)
        {
            return {qkv, output, gate_up, down, attention_norm, mlp_norm};
        }
        layer_view with_norms_of(layer_view const& other) const noexcept
        {
            layer_view v = *this;
            v.attention_norm = other.attention_norm;
            v.mlp_norm = other.mlp_norm;
            return v;
        }
    };

    // Matrix i of a layer whose matrices `parts` lie one after the other from `first` on.
    template <class T>
    jackplane::matrix_view<T> matrix_of(T* first, std::span<parameter const> parts, std::size_t i)
    {
        return {first + (parts[i].offset - parts[0].offset), parts[i].rows, parts[i].cols};
    }
    inline std::size_t size_of(std::span<parameter const> parts) // of all, in one array
    {
        return parts.back().offset + parts.back().size() - parts[0].offset;
    }

    // What stands before and behind the layers.
    template <class T>
    struct ends_view
    {
        T* embedding; // [vocabulary, hidden]
        T* norm;      // [hidden]
        T* output;    // [vocabulary, hidden]; the embedding again when tied
    };

    // All parameters through two pointers: the tuned weights, and the rest (null in a gradient of tuned weights only).
    template <class T>
    class parameter_view
    {
    public:
        parameter_view(config const& c, T* tuned, T* rest) : _config(c), _tuned(tuned), _rest(rest) {}

        layer_view<T> layer(std::size_t i) const { return layer(i, _tuned + i * layer_size()); }

        // Layer i with its matrices somewhere else: [layer_size].
        layer_view<T> layer(std::size_t i, T* w) const
        {
            auto const& c = _config;
            layer_view<T> v{};
            v.qkv = std::exchange(w, w + c.qkv_width() * c.hidden);
            v.output = std::exchange(w, w + c.hidden * c.query_width());
            v.gate_up = std::exchange(w, w + 2 * c.intermediate * c.hidden);
            v.down = w;
            if (_rest)
            {
                v.attention_norm = _rest + (c.vocabulary + 1 + 2 * i) * c.hidden;
                v.mlp_norm = v.attention_norm + c.hidden;
            }
            return v;
        }

        ends_view<T> ends() const
        {
            auto const& c = _config;
            T* output = c.tied ? _rest : _tuned + c.layers * layer_size();
            return {_rest, _rest ? _rest + c.vocabulary * c.hidden : nullptr, output};
        }

    private:
        std::size_t layer_size() const noexcept
        {
            auto const& c = _config;
            return (c.qkv_width() + c.query_width() + 3 * c.intermediate) * c.hidden;
        }

        config _config;
        T* _tuned;
        T* _rest;
    };
}
