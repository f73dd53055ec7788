// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/view.hpp>
#include "../describe/config.hpp"
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
        std::string fused{};            // the tensor of the checkpoint that it is a part of; empty: its own
        std::size_t first_row = 0;      // there
        std::size_t fused_rows = 0;     // of all parts

        std::string const& tensor() const noexcept { return fused.empty() ? name : fused; }
        std::size_t size() const noexcept { return rows * cols; }
    };

    inline constexpr std::size_t matrices_of_layer = 7; // q k v o gate up down

    // The weights of one layer, wherever they lie: T const for weights, T for gradients. Null: the model has none, or
    // nobody wants the gradient.
    template <class T>
    struct layer_view
    {
        T* qkv;            // [qkv_width, hidden]
        T* output;         // [hidden, query_width]
        T* gate_up;        // [2 intermediate, hidden]
        T* down;           // [hidden, intermediate]
        T* attention_norm; // [hidden]
        T* attention_post; // [hidden]
        T* mlp_norm;       // [hidden]
        T* mlp_post;       // [hidden]
        T* query_norm;     // [head_dim]
        T* key_norm;       // [head_dim]
        T* qkv_bias;       // [qkv_width]
        T* output_bias;    // [hidden]
        T* gate_up_bias;   // [2 intermediate]
        T* down_bias;      // [hidden]
        layer_kind kind;

        operator layer_view<T const>() const noexcept requires(!std::is_const_v<T>)
        {
            return {qkv,        output,   gate_up,  down,        attention_norm, attention_post, mlp_norm, mlp_post,
                    query_norm, key_norm, qkv_bias, output_bias, gate_up_bias,   down_bias,      kind};
        }
        // These matrices; everything else of the other.
        layer_view with_rest_of(layer_view const& other) const noexcept
        {
            layer_view v = other;
            v.qkv = qkv;
            v.output = output;
            v.gate_up = gate_up;
            v.down = down;
            return v;
        }
    };

    template <class T>
    struct vector_of_layer
    {
        char const* name;
        std::size_t size;
        T* layer_view<T>::*place; // null: behind the one before
    };

    // In the order in which they lie.
    template <class T>
    std::vector<vector_of_layer<T>> vectors_of_layer(config const& c)
    {
        using view = layer_view<T>;
        block_description const& b = c.block;
        std::vector<vector_of_layer<T>> all{{"input_layernorm.weight", c.hidden, &view::attention_norm}};
        if (b.post_norms)
            all.push_back({"post_attention_layernorm.weight", c.hidden, &view::attention_post});
        all.push_back({b.post_norms ? "pre_feedforward_layernorm.weight" : "post_attention_layernorm.weight", c.hidden,
                       &view::mlp_norm});
        if (b.post_norms)
            all.push_back({"post_feedforward_layernorm.weight", c.hidden, &view::mlp_post});
        if (b.head_norms)
            all.insert(all.end(), {{"self_attn.q_norm.weight", c.head_dim, &view::query_norm},
                                   {"self_attn.k_norm.weight", c.head_dim, &view::key_norm}});
        if (b.qkv_bias)
            all.insert(all.end(), {{"self_attn.q_proj.bias", c.query_width(), &view::qkv_bias},
                                   {"self_attn.k_proj.bias", c.kv_width(), nullptr},
                                   {"self_attn.v_proj.bias", c.kv_width(), nullptr}});
        if (b.output_bias)
            all.push_back({"self_attn.o_proj.bias", c.hidden, &view::output_bias});
        if (b.mlp_bias)
            all.insert(all.end(), {{"mlp.gate_proj.bias", c.intermediate, &view::gate_up_bias},
                                   {"mlp.up_proj.bias", c.intermediate, nullptr},
                                   {"mlp.down_proj.bias", c.hidden, &view::down_bias}});
        return all;
    }

    // Where every parameter lies:
    //     q k v o gate up down of layer 0, of 1, ..., an untied lm_head | embedding, last norm, vectors of layer 0, ...
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
            auto part_of = [&](std::string tensor, std::size_t rows, std::size_t first)
            {
                if (!c.block.fused)
                    return;
                _parameters.back().fused = std::move(tensor);
                _parameters.back().first_row = first;
                _parameters.back().fused_rows = rows;
            };
            for (std::size_t i = 0; i < c.layers; ++i)
            {
                std::string const qkv = layer(i) + "self_attn.qkv_proj.weight",
                                  both = layer(i) + "mlp.gate_up_proj.weight";
                add(layer(i) + "self_attn.q_proj.weight", c.query_width(), c.hidden);
                part_of(qkv, c.qkv_width(), 0);
                add(layer(i) + "self_attn.k_proj.weight", c.kv_width(), c.hidden);
                part_of(qkv, c.qkv_width(), c.query_width());
                add(layer(i) + "self_attn.v_proj.weight", c.kv_width(), c.hidden);
                part_of(qkv, c.qkv_width(), c.query_width() + c.kv_width());
                add(layer(i) + "self_attn.o_proj.weight", c.hidden, c.query_width());
                add(layer(i) + "mlp.gate_proj.weight", c.intermediate, c.hidden);
                part_of(both, 2 * c.intermediate, 0);
                add(layer(i) + "mlp.up_proj.weight", c.intermediate, c.hidden);
                part_of(both, 2 * c.intermediate, c.intermediate);
                add(layer(i) + "mlp.down_proj.weight", c.hidden, c.intermediate);
            }
            if (!c.tied)
                add("lm_head.weight", c.vocabulary, c.hidden);
            _tuned = _size;
            _tuned_parameters = _parameters.size();
            add("model.embed_tokens.weight", c.vocabulary, c.hidden);
            add("model.norm.weight", 1, c.hidden, true);
            for (std::size_t i = 0; i < c.layers; ++i)
                for (vector_of_layer<float> const& v : vectors_of_layer<float>(c))
                    add(layer(i) + v.name, 1, v.size, true);
        }

        std::size_t size() const noexcept { return _size; }
        std::size_t tuned_size() const noexcept { return _tuned; }
        std::vector<parameter> const& parameters() const noexcept { return _parameters; }
        std::size_t tuned_parameters() const noexcept { return _tuned_parameters; } // the first so many

    private:
        std::vector<parameter> _parameters;
        std::size_t _size = 0, _tuned = 0, _tuned_parameters = 0;
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
        parameter_view(config const& c, T* tuned, T* rest)
            : parameter_view(c, tuned, rest, rest ? rest + c.vocabulary * c.hidden : nullptr)
        {
        }
        // norm: the rest behind the embedding, which may be null.
        parameter_view(config const& c, T* tuned, T* embedding, T* norm)
            : _config(c), _vectors(vectors_of_layer<T>(c)), _tuned(tuned), _embedding(embedding), _norm(norm)
        {
            for (vector_of_layer<T> const& each : _vectors)
                _vectors_size += each.size;
        }

        layer_view<T> layer(std::size_t i) const { return layer(i, _tuned + i * layer_size()); }

        // Layer i with its matrices somewhere else: [layer_size].
        layer_view<T> layer(std::size_t i, T* w) const
        {
            auto const& c = _config;
            layer_view<T> v = vectors(i);
            v.qkv = std::exchange(w, w + c.qkv_width() * c.hidden);
            v.output = std::exchange(w, w + c.hidden * c.query_width());
            v.gate_up = std::exchange(w, w + 2 * c.intermediate * c.hidden);
            v.down = w;
            return v;
        }

        // All of layer i but its matrices.
        layer_view<T> vectors(std::size_t i) const
        {
            auto const& c = _config;
            layer_view<T> v{};
            v.kind = c.block.kind(i);
            if (!_norm)
                return v;
            T* at = _norm + c.hidden + i * _vectors_size;
            for (vector_of_layer<T> const& each : _vectors)
            {
                if (each.place)
                    v.*each.place = at;
                at += each.size;
            }
            return v;
        }

        ends_view<T> ends() const
        {
            auto const& c = _config;
            T* output = c.tied ? _embedding : _tuned ? _tuned + c.layers * layer_size() : nullptr;
            return {_embedding, _norm, output};
        }

    private:
        std::size_t layer_size() const noexcept
        {
            auto const& c = _config;
            return (c.qkv_width() + c.query_width() + 3 * c.intermediate) * c.hidden;
        }

        config _config;
        std::vector<vector_of_layer<T>> _vectors;
        std::size_t _vectors_size = 0;
        T* _tuned;
        T *_embedding, *_norm;
    };
}
