// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/check.hpp>
#include "attention.hpp"
#include "math/blas.hpp"
#include "../describe/config.hpp"
#include "math/elementwise.hpp"
#include "experts.hpp"
#include "../read/weights.hpp"
#include "workspace.hpp"
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace engine
{
    // What norms add to their weights.
    template <class T>
    T norm_shift(config const& c) noexcept
    {
        return c.block.shifted_norms ? T{1} : T{0};
    }

    // Causal attention of each head; query head h reads key and value head h / (heads / kv_heads).
    template <class T>
    void attention(config const& c, layer_kind const& kind, layer_state<T>& s, std::size_t windows, std::size_t length)
    {
        std::size_t const width = c.qkv_width(), group = c.heads / c.kv_heads;
        for (std::size_t b = 0; b < windows; ++b)
        {
            for (std::size_t h = 0; h < c.heads; ++h)
            {
                T const* const q = s.qkv.data() + b * length * width + h * c.head_dim;
                operand<T> const k{s.qkv.data() + b * length * width + (c.heads + h / group) * c.head_dim, width},
                    v{k.data + c.kv_width(), width};
                T* const y = s.attended.data() + b * length * c.query_width() + h * c.head_dim;
                for (std::size_t first = 0; first < length; first += attention_rows)
                {
                    std::size_t const at = ((b * c.heads + h) * length + first) * length; // of its probabilities
                    attend(c, kind, first, std::min(first + attention_rows, length), {q + first * width, width}, k, v,
                           s.probabilities.data() + at, length, s.scores.empty() ? nullptr : s.scores.data() + at,
                           y + first * c.query_width(), c.query_width());
                }
            }
        }
    }

    // A norm of the stream [tokens, hidden].
    template <class T>
    void norm(config const& c, T const* x, T const* w, T* y, T* inverse, std::size_t tokens)
    {
        rms_norm(x, w, norm_shift<T>(c), y, inverse, tokens, c.hidden, c.rms_norm_eps);
    }

    // q and k of one token, behind their products and in front of attention: biases, norms, rotation. Where there are
    // norms, `before` (may be null) keeps what they read, `inverse` 1 / rms of each head.
    template <class T>
    void finish_heads(config const& c, layer_view<T const> const& w, T* qkv, T* before, T* inverse,
                      rotary_table<T> const& turn, std::size_t position)
    {
        add_bias(w.qkv_bias, qkv, 1, c.qkv_width());
        if (w.query_norm)
        {
            if (before)
                std::copy_n(qkv, c.query_width() + c.kv_width(), before);
            T* const keys = qkv + c.query_width();
            T const shift = norm_shift<T>(c);
            rms_norm(qkv, w.query_norm, shift, qkv, inverse, c.heads, c.head_dim, c.rms_norm_eps);
            rms_norm(keys, w.key_norm, shift, keys, inverse + c.heads, c.kv_heads, c.head_dim, c.rms_norm_eps);
        }
        turn.rotate(qkv, c.heads + c.kv_heads, position); // values do not
    }

    // A branch [tokens, hidden] behind its norm, where the model has one (w); `before` keeps what it was.
    template <class T>
    void norm_branch(config const& c, T const* w, std::vector<T>& branch, std::vector<T>& before,
                     std::vector<T>& inverse, std::size_t tokens)
    {
        if (!w)
            return;
        std::copy_n(branch.data(), tokens * c.hidden, before.data());
        norm(c, before.data(), w, branch.data(), inverse.data(), tokens);
    }

    template <class T>
    void cap_logits(config const& c, T* logits, std::size_t rows) noexcept
    {
        if (c.block.logit_cap > 0)
            soften(logits, rows * c.vocabulary, static_cast<T>(c.block.logit_cap));
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
    // stays in s: attention_normed, attended, mlp_normed (routed to experts), active. i: its number, for dropout.
    template <class T>
    void forward_layer(config const& c, layer_view<T const> const& w, layer_state<T>& s, std::size_t n,
                       std::size_t length, workspace<T>& work, T* next, dropout const& drop = {}, std::size_t i = 0)
    {
        norm(c, s.input.data(), w.attention_norm, s.attention_normed.data(), s.attention_inverse.data(), n);
        linear(s.attention_normed.data(), w.qkv, s.qkv.data(), n, c.hidden, c.qkv_width());
        for (std::size_t t = 0; t < n; ++t)
        {
            bool const keeps = !s.heads.empty();
            finish_heads(c, w, s.qkv.data() + t * c.qkv_width(),
                         keeps ? s.heads.data() + t * (c.query_width() + c.kv_width()) : nullptr,
                         keeps ? s.heads_inverse.data() + t * (c.heads + c.kv_heads) : nullptr,
                         work.rotary[w.kind.rotation], t % length);
        }
        attention(c, w.kind, s, n / length, length);
        linear(s.attended.data(), w.output, work.branch.data(), n, c.query_width(), c.hidden);
        add_bias(w.output_bias, work.branch.data(), n, c.hidden);
        norm_branch(c, w.attention_post, work.branch, s.attention_branch, s.branch_inverse, n);
        add_branch(s.input.data(), work.branch.data(), s.middle.data(), n * c.hidden, drop, 2 * i + 1);

        norm(c, s.middle.data(), w.mlp_norm, s.mlp_normed.data(), s.mlp_inverse.data(), n);
        mlp(c, w, s, n, work.branch.data());
        norm_branch(c, w.mlp_post, work.branch, s.mlp_branch, s.mlp_branch_inverse, n);
        add_branch(s.middle.data(), work.branch.data(), next, n * c.hidden, drop, 2 * i + 2);
    }

    // The rows of the embedding that tokens name -> out [tokens, hidden]; row(token, to [hidden]) gives one.
    template <class T, class Row>
    void embed_by(config const& c, Row&& row, std::span<token const> tokens, T* out)
    {
        for (std::size_t t = 0; t < tokens.size(); ++t)
        {
            JACKPLANE_EXPECTS(tokens[t] < c.vocabulary, jackplane::value_error, "token ", t, " is ", tokens[t],
                              ", the vocabulary has ", c.vocabulary);
            row(tokens[t], out + t * c.hidden);
        }
        if (c.block.embedding_scale != 1)
            scale(out, tokens.size() * c.hidden, static_cast<T>(c.block.embedding_scale));
    }
    template <class T>
    void embed(config const& c, T const* embedding, std::span<token const> tokens, T* out) // [vocabulary, hidden]
    {
        embed_by(
            c, [&](token t, T* to) { std::copy_n(embedding + t * c.hidden, c.hidden, to); }, tokens, out);
    }

    // What the model says of the tokens behind those whose last hidden states these are [rows, hidden] -> [rows,
    // vocabulary].
    template <class T>
    void logits_of(config const& c, T const* hidden, T const* output, T* logits, std::size_t rows)
    {
        linear(hidden, output, logits, rows, c.hidden, c.vocabulary);
        cap_logits(c, logits, rows);
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
        norm(c, work.last.data(), ends.norm, work.hidden.data(), work.last_inverse.data(), n);
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
            logits_of(c, work.hidden.data() + first * c.hidden, ends.output, work.logits.data(), rows);
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
