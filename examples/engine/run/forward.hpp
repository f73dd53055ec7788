// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/check.hpp>
#include "blas.hpp"
#include "../read/config.hpp"
#include "elementwise.hpp"
#include "../read/weights.hpp"
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace engine
{
    // What one layer leaves for the way back; n = tokens = windows * length.
    template <class T>
    struct layer_state
    {
        std::vector<T> input;                               // [n, hidden], the residual stream
        std::vector<T> attention_normed, attention_inverse; // [n, hidden], [n]
        std::vector<T> qkv;                                 // [n, qkv_width], rotated
        std::vector<T> probabilities;                       // [windows, heads, length, length], lower triangle
        std::vector<T> attended;                            // [n, query_width]
        std::vector<T> middle;                              // [n, hidden], the stream between attention and MLP
        std::vector<T> mlp_normed, mlp_inverse;             // [n, hidden], [n]
        std::vector<T> gate_up;                             // [n, 2 intermediate]
        std::vector<T> active;                              // [n, intermediate]

        layer_state(config const& c, std::size_t n, std::size_t length)
            : input(n * c.hidden),
              attention_normed(n * c.hidden),
              attention_inverse(n),
              qkv(n * c.qkv_width()),
              probabilities(n * c.heads * length),
              attended(n * c.query_width()),
              middle(n * c.hidden),
              mlp_normed(n * c.hidden),
              mlp_inverse(n),
              gate_up(n * 2 * c.intermediate),
              active(n * c.intermediate)
        {
        }
    };

    // All memory of a forward (and backward) pass over at most `windows` windows of at most `length` tokens; passes
    // allocate nothing. Without gradients one layer state serves all layers.
    template <class T>
    struct workspace
    {
        static constexpr std::size_t attention_rows = 64; // queries at a time: skips most of the masked half
        static constexpr std::size_t logit_rows = 256;    // tokens whose logits exist at a time

        std::size_t capacity, length;
        rotary_table<T> rotary;
        std::vector<layer_state<T>> states;
        std::vector<T> last, last_inverse, hidden; // stream behind the layers [n, hidden], [n], normed [n, hidden]
        std::vector<T> branch;                     // [n, hidden]: what a branch adds to the stream
        std::vector<T> logits;                     // [logit_rows, vocabulary]

        // Backward only.
        std::vector<T> d_stream, d_normed; // [n, hidden]
        std::vector<T> d_qkv, d_attended;  // [n, qkv_width], [n, query_width]
        std::vector<T> d_active;           // [n, intermediate]
        std::vector<T> d_scores, row;      // [attention_rows, length], [hidden]

        workspace(config const& c, std::size_t windows, std::size_t window_length, bool gradients)
            : capacity(windows * window_length),
              length(window_length),
              rotary(window_length, c.head_dim, c.rope_theta),
              states(gradients ? c.layers : 1, layer_state<T>(c, capacity, window_length)),
              last(capacity * c.hidden),
              last_inverse(capacity),
              hidden(capacity * c.hidden),
              branch(capacity * c.hidden),
              logits(std::min(logit_rows, capacity) * c.vocabulary)
        {
            if (gradients)
            {
                d_stream.resize(capacity * c.hidden);
                d_normed.resize(capacity * c.hidden);
                d_qkv.resize(capacity * c.qkv_width());
                d_attended.resize(capacity * c.query_width());
                d_active.resize(capacity * c.intermediate);
                d_scores.resize(attention_rows * window_length);
                row.resize(c.hidden);
            }
        }

        layer_state<T>& state(std::size_t i) noexcept { return states[std::min(i, states.size() - 1)]; }
    };

    // Causal attention of each head; query head h reads key and value head h / (heads / kv_heads).
    template <class T>
    void attention(config const& c, layer_state<T>& s, std::size_t windows, std::size_t length)
    {
        std::size_t const width = c.qkv_width(), group = c.heads / c.kv_heads;
        T const factor = T{1} / std::sqrt(static_cast<T>(c.head_dim));
        for (std::size_t b = 0; b < windows; ++b)
        {
            for (std::size_t h = 0; h < c.heads; ++h)
            {
                T const* const q = s.qkv.data() + b * length * width + h * c.head_dim;
                T const* const k = s.qkv.data() + b * length * width + (c.heads + h / group) * c.head_dim;
                T const* const v = k + c.kv_width();
                T* const p = s.probabilities.data() + (b * c.heads + h) * length * length;
                T* const y = s.attended.data() + b * length * c.query_width() + h * c.head_dim;
                for (std::size_t first = 0; first < length; first += workspace<T>::attention_rows)
                {
                    std::size_t const end = std::min(first + workspace<T>::attention_rows, length), rows = end - first;
                    T* const block = p + first * length;
                    gemm(rows, end, c.head_dim, factor, operand<T>{q + first * width, width},
                         transpose(operand<T>{k, width}), T{0}, block, length);
                    for (std::size_t i = 0; i < rows; ++i)
                    {
                        T* const x = block + i * length;
                        std::size_t const seen = first + i + 1;
                        scale(x, seen, T{1} / exponentiate(x, seen, maximum(x, seen)));
                        std::fill(x + seen, x + end, T{0});
                    }
                    gemm(rows, c.head_dim, end, T{1}, operand<T>{block, length}, operand<T>{v, width}, T{0},
                         y + first * c.query_width(), c.query_width());
                }
            }
        }
    }

    // stream = base + branch, with dropout on the branch.
    template <class T>
    void add_branch(T const* base, T const* branch, T* stream, std::size_t n, dropout const& drop, std::size_t site)
    {
        if (drop.rate > 0.0f)
        {
            drop.apply(base, branch, stream, n, static_cast<std::uint32_t>(site));
            return;
        }
        for (std::size_t j = 0; j < n; ++j)
            stream[j] = base[j] + branch[j];
    }

    // One layer on windows of `length` tokens, n in all: from s.input to next [n, hidden]. What its linear layers read
    // stays in s: attention_normed, attended, mlp_normed, active. i: its number, for dropout.
    template <class T>
    void forward_layer(config const& c, layer_view<T const> const& w, layer_state<T>& s, std::size_t n,
                       std::size_t length, workspace<T>& work, T* next, dropout const& drop = {}, std::size_t i = 0)
    {
        rms_norm(s.input.data(), w.attention_norm, s.attention_normed.data(), s.attention_inverse.data(), n, c.hidden,
                 c.rms_norm_eps);
        linear(s.attention_normed.data(), w.qkv, s.qkv.data(), n, c.hidden, c.qkv_width());
        for (std::size_t t = 0; t < n; ++t) // queries and keys turn, values do not
            work.rotary.rotate(s.qkv.data() + t * c.qkv_width(), c.heads + c.kv_heads, t % length);
        attention(c, s, n / length, length);
        linear(s.attended.data(), w.output, work.branch.data(), n, c.query_width(), c.hidden);
        add_branch(s.input.data(), work.branch.data(), s.middle.data(), n * c.hidden, drop, 2 * i + 1);

        rms_norm(s.middle.data(), w.mlp_norm, s.mlp_normed.data(), s.mlp_inverse.data(), n, c.hidden, c.rms_norm_eps);
        linear(s.mlp_normed.data(), w.gate_up, s.gate_up.data(), n, c.hidden, 2 * c.intermediate);
        swiglu(s.gate_up.data(), s.active.data(), n, c.intermediate);
        linear(s.active.data(), w.down, work.branch.data(), n, c.intermediate, c.hidden);
        add_branch(s.middle.data(), work.branch.data(), next, n * c.hidden, drop, 2 * i + 2);
    }

    // The rows of the embedding [vocabulary, hidden] that tokens name -> out [tokens, hidden].
    template <class T>
    void embed(config const& c, T const* embedding, std::span<token const> tokens, T* out)
    {
        for (std::size_t t = 0; t < tokens.size(); ++t)
        {
            JACKPLANE_EXPECTS(tokens[t] < c.vocabulary, jackplane::value_error, "token ", t, " is ", tokens[t],
                              ", the vocabulary has ", c.vocabulary);
            std::copy_n(embedding + tokens[t] * c.hidden, c.hidden, out + t * c.hidden);
        }
    }

    // The batch forward: `tokens` holds whole windows of `length` tokens; layers(i) gives the weights of layer i as a
    // layer_view<T const>, asked for once and in order (so that a caller can decode them then).
    // Leaves the normed output of the layers in work.hidden [tokens, hidden]; logits are `hidden` times ends.output^T.
    template <class T, class Layers>
    void forward(config const& c, Layers&& layers, ends_view<T const> const& ends, std::span<token const> tokens,
                 std::size_t length, workspace<T>& work, dropout const& drop = {})
    {
        std::size_t const n = tokens.size(), windows = n / length, size = n * c.hidden;
        JACKPLANE_EXPECTS(n == windows * length && n <= work.capacity && length <= work.length, jackplane::shape_error,
                          n, " tokens in windows of ", length, ", the workspace has room for ", work.capacity,
                          " in windows of at most ", work.length);
        T* const first = work.state(0).input.data();
        embed(c, ends.embedding, tokens, first);
        if (drop.rate > 0.0f)
            drop.apply<T>(nullptr, first, first, size, 0);
        for (std::size_t i = 0; i < c.layers; ++i)
        {
            layer_view<T const> const w = layers(i);
            T* const next = i + 1 < c.layers ? work.state(i + 1).input.data() : work.last.data();
            forward_layer(c, w, work.state(i), n, length, work, next, drop, i);
        }
        rms_norm(work.last.data(), ends.norm, work.hidden.data(), work.last_inverse.data(), n, c.hidden,
                 c.rms_norm_eps);
    }

    // Sum of -log p(next token) in nats over every token but the first of each window; expects work.hidden.
    template <class T>
    double negative_log_likelihood(config const& c, ends_view<T const> const& ends, std::span<token const> tokens,
                                   std::size_t length, workspace<T>& work)
    {
        double total = 0.0;
        for (std::size_t first = 0; first < tokens.size(); first += workspace<T>::logit_rows)
        {
            std::size_t const rows = std::min(workspace<T>::logit_rows, tokens.size() - first);
            linear(work.hidden.data() + first * c.hidden, ends.output, work.logits.data(), rows, c.hidden,
                   c.vocabulary);
            for (std::size_t i = 0; i < rows; ++i)
            {
                std::size_t const t = first + i;
                if ((t + 1) % length != 0)
                {
                    T* const x = work.logits.data() + i * c.vocabulary;
                    T const most = maximum(x, c.vocabulary), target = x[tokens[t + 1]];
                    total += std::log(static_cast<double>(exponentiate(x, c.vocabulary, most))) +
                             static_cast<double>(most - target);
                }
            }
        }
        return total;
    }
}
