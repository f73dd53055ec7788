// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/view.hpp>
#include "../describe/config.hpp"
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace engine
{
    // The weights of one layer, wherever they lie: T const for weights, T for gradients. Null: the model has none, or
    // nobody wants the gradient.
    template <class T>
    struct layer_view
    {
        T* qkv;            // [qkv_width, hidden]
        T* output;         // [hidden, query_width]
        T* gate_up;        // [2 inner, hidden], of its MLP, or of the first expert
        T* down;           // [hidden, inner], behind it; then those of the next expert
        T* attention_norm; // [hidden]
        T* attention_post; // [hidden]
        T* mlp_norm;       // [hidden]
        T* mlp_post;       // [hidden]
        T* query_norm;     // [head_dim]
        T* key_norm;       // [head_dim]
        T* qkv_bias;       // [qkv_width]
        T* output_bias;    // [hidden]
        T* gate_up_bias;   // [2 inner]
        T* down_bias;      // [hidden]
        T* router;         // [experts, hidden]
        layer_kind kind;

        operator layer_view<T const>() const noexcept requires(!std::is_const_v<T>)
        {
            return {qkv,        output,   gate_up,  down,        attention_norm, attention_post, mlp_norm, mlp_post,
                    query_norm, key_norm, qkv_bias, output_bias, gate_up_bias,   down_bias,      router,   kind};
        }
        // The same layer with its matrices somewhere else: [layer_size].
        layer_view with_matrices(config const& c, T* w) const noexcept
        {
            layer_view v = *this;
            v.qkv = w;
            v.output = v.qkv + c.qkv_width() * c.hidden;
            v.gate_up = v.output + c.hidden * c.query_width();
            v.down = v.gate_up + 2 * c.inner(kind) * c.hidden;
            return v;
        }
        // The same layer with expert e for its MLP.
        layer_view with_expert(config const& c, std::size_t e) const noexcept
        {
            layer_view v = *this;
            v.gate_up += e * c.mlp_size(kind);
            v.down += e * c.mlp_size(kind);
            return v;
        }
    };

    // What a layer has beside its matrices.
    template <class T>
    struct vector_of_layer
    {
        std::string name;
        std::size_t size;
        T* layer_view<T>::*place; // null: behind the one before
        std::size_t rows = 0;     // of a matrix that stays as it is; 0: a vector
    };

    // In the order in which they lie.
    template <class T>
    std::vector<vector_of_layer<T>> vectors_of_layer(config const& c, bool experts)
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
        if (experts)
            all.push_back(
                {text(b.experts.place, "gate.weight"), b.experts.count * c.hidden, &view::router, b.experts.count});
        return all;
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
    // They lie as parameter_table says.
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
            : _config(c), _tuned(tuned), _embedding(embedding), _norm(norm)
        {
            std::size_t matrices = 0, vectors = c.hidden;
            std::array<std::size_t, 2> sizes{}; // of the vectors
            for (bool const experts : {false, true})
                for (vector_of_layer<T> const& each : _vectors[experts] = vectors_of_layer<T>(c, experts))
                    sizes[experts] += each.size;
            for (std::size_t i = 0; i <= c.layers; ++i)
            {
                _at.push_back({matrices, vectors});
                if (i == c.layers)
                    break;
                matrices += c.layer_size(c.block.kind(i));
                vectors += sizes[c.block.kind(i).experts];
            }
        }

        layer_view<T> layer(std::size_t i) const { return layer(i, _tuned + _at[i].matrices); }

        // Layer i with its matrices somewhere else: [layer_size].
        layer_view<T> layer(std::size_t i, T* w) const { return vectors(i).with_matrices(_config, w); }

        // All of layer i but its matrices.
        layer_view<T> vectors(std::size_t i) const
        {
            layer_view<T> v{};
            v.kind = _config.block.kind(i);
            if (!_norm)
                return v;
            T* at = _norm + _at[i].vectors;
            for (vector_of_layer<T> const& each : _vectors[v.kind.experts])
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
            T* output = c.tied ? _embedding : _tuned ? _tuned + _at.back().matrices : nullptr;
            return {_embedding, _norm, output};
        }

    private:
        struct place
        {
            std::size_t matrices, vectors; // from _tuned, from _norm
        };
        config _config;
        std::array<std::vector<vector_of_layer<T>>, 2> _vectors; // of a layer without and with experts
        std::vector<place> _at;                                  // of each layer, and behind the last
        T* _tuned;
        T *_embedding, *_norm;
    };
}
