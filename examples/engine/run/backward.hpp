// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "math/blas.hpp"
#include "../describe/config.hpp"
#include "math/elementwise.hpp"
#include "forward.hpp"
#include "../read/weights.hpp"
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>

namespace engine
{
    // The sum over tokens t of of_logits(t, x), x [vocabulary] what the model says of the token behind t, which becomes
    // the gradient of that; by it work.d_normed for the layers, and what is added to d_output [vocabulary, hidden]
    // unless null. Nothing is said behind the last token of a window.
    template <class T, class OfLogits>
    double loss_backward(config const& c, ends_view<T const> const& ends, std::size_t tokens, std::size_t length,
                         workspace<T>& work, T* d_output, OfLogits&& of_logits)
    {
        double total = 0.0;
        T const cap = static_cast<T>(c.block.logit_cap);
        for (std::size_t first = 0; first < tokens; first += workspace<T>::logit_rows)
        {
            std::size_t const rows = std::min(workspace<T>::logit_rows, tokens - first);
            T const* const hidden = work.hidden.data() + first * c.hidden;
            logits_of(c, hidden, ends.output, work.logits.data(), rows);
            for (std::size_t i = 0; i < rows; ++i)
            {
                T* const x = work.logits.data() + i * c.vocabulary;
                if ((first + i + 1) % length == 0)
                {
                    std::fill_n(x, c.vocabulary, T{0});
                    continue;
                }
                std::copy_n(x, cap > 0 ? c.vocabulary : 0, work.row.data());
                total += of_logits(first + i, x);
                for (std::size_t j = 0; cap > 0 && j < c.vocabulary; ++j)
                    x[j] *= soften_slope(work.row[j], cap);
            }
            linear_input_gradient(work.logits.data(), ends.output, work.d_normed.data() + first * c.hidden, rows,
                                  c.hidden, c.vocabulary);
            if (d_output)
                linear_weight_gradient(work.logits.data(), hidden, d_output, rows, c.hidden, c.vocabulary);
        }
        return total;
    }

    // -log p(token) of a softmax over the logits x, which become `weight` times its gradient.
    template <class T>
    double token_loss_and_slope(T* x, std::size_t vocabulary, token wanted, T weight)
    {
        T const most = maximum(x, vocabulary), target = x[wanted];
        T const sum = exponentiate(x, vocabulary, most);
        scale(x, vocabulary, weight / sum);
        x[wanted] -= weight;
        return std::log(static_cast<double>(sum)) + static_cast<double>(most - target);
    }

    // negative_log_likelihood() and, as above, `weight` times its gradient.
    template <class T>
    double negative_log_likelihood_backward(config const& c, ends_view<T const> const& ends,
                                            std::span<token const> tokens, std::size_t length, T weight,
                                            workspace<T>& work, T* d_output)
    {
        auto const of_logits = [&](std::size_t t, T* x)
        { return token_loss_and_slope(x, c.vocabulary, tokens[t + 1], weight); };
        return loss_backward(c, ends, tokens.size(), length, work, d_output, of_logits);
    }

    // Sum of the Kullback-Leibler divergences of what the model says from what `taught` [tokens, vocabulary] does, both
    // as logits, and, as above, `weight` times its gradient. taught is used up.
    template <class T>
    double divergence_backward(config const& c, ends_view<T const> const& ends, std::span<T> taught, std::size_t length,
                               T weight, workspace<T>& work, T* d_output)
    {
        std::size_t const n = c.vocabulary;
        auto const of_logits = [&](std::size_t t, T* x)
        {
            T* const y = taught.data() + t * n;
            T const most_x = maximum(x, n), most_y = maximum(y, n);
            double apart = 0; // sum of exp(y) (y - x)
            for (std::size_t j = 0; j < n; ++j)
            {
                T const off = y[j] - x[j];
                y[j] = exponential(y[j] - most_y);
                apart += static_cast<double>(y[j] * off);
            }
            T const sum_y = std::accumulate(y, y + n, T{0}), sum_x = exponentiate(x, n, most_x);
            for (std::size_t j = 0; j < n; ++j)
                x[j] = weight * (x[j] / sum_x - y[j] / sum_y);
            return apart / static_cast<double>(sum_y) +
                   (std::log(static_cast<double>(sum_x)) + static_cast<double>(most_x)) -
                   (std::log(static_cast<double>(sum_y)) + static_cast<double>(most_y));
        };
        return loss_backward(c, ends, taught.size() / n, length, work, d_output, of_logits);
    }

    // work.d_attended -> work.d_qkv. For y = p v, p = softmax(x):  dv = p^T dy,  dp = dy v^T,  dx = p (dp - sum(p dp)).
    template <class T>
    void attention_backward(config const& c, layer_kind const& kind, layer_state<T> const& s, workspace<T>& work,
                            std::size_t windows, std::size_t length)
    {
        std::size_t const width = c.qkv_width(), group = c.heads / c.kv_heads;
        T const factor = score_scale<T>(c), cap = static_cast<T>(c.block.score_cap);
        std::fill_n(work.d_qkv.data(), windows * length * width, T{0});
        for (std::size_t b = 0; b < windows; ++b)
        {
            for (std::size_t h = 0; h < c.heads; ++h)
            {
                std::size_t const window = b * length * width;
                std::size_t const at_q = window + h * c.head_dim, at_k = window + (c.heads + h / group) * c.head_dim;
                std::size_t const at_v = at_k + c.kv_width();
                operand<T> const k{s.qkv.data() + at_k, width}, v{s.qkv.data() + at_v, width};
                T const* const p = s.probabilities.data() + (b * c.heads + h) * length * length;
                for (std::size_t first = 0; first < length; first += attention_rows)
                {
                    std::size_t const end = std::min(first + attention_rows, length), rows = end - first;
                    operand<T> const dy{work.d_attended.data() + (b * length + first) * c.query_width() +
                                            h * c.head_dim,
                                        c.query_width()};
                    operand<T> const q{s.qkv.data() + at_q + first * width, width};
                    operand<T> const block{p + first * length, length};
                    gemm(end, c.head_dim, rows, T{1}, transpose(block), dy, T{1}, work.d_qkv.data() + at_v, width);
                    gemm(rows, end, c.head_dim, T{1}, dy, transpose(v), T{0}, work.d_scores.data(), length);
                    for (std::size_t i = 0; i < rows; ++i)
                    {
                        std::size_t const begin = first_seen(kind, first + i), seen = first + i + 1 - begin;
                        T* const d = work.d_scores.data() + i * length + begin;
                        T const* const x = block.data + i * length + begin;
                        T const mean = dot(x, d, seen);
                        for (std::size_t j = 0; j < seen; ++j)
                            d[j] = x[j] * (d[j] - mean);
                        T const* const capped = s.scores.data() + (cap > 0 ? x - s.probabilities.data() : 0);
                        for (std::size_t j = 0; cap > 0 && j < seen; ++j)
                            d[j] *= soften_slope(capped[j], cap);
                        std::fill(d - begin, d, T{0});
                        std::fill(d + seen, d - begin + end, T{0});
                    }
                    operand<T> const d_scores{work.d_scores.data(), length};
                    gemm(rows, c.head_dim, end, factor, d_scores, k, T{0}, work.d_qkv.data() + at_q + first * width,
                         width);
                    gemm(end, c.head_dim, rows, factor, transpose(d_scores), q, T{1}, work.d_qkv.data() + at_k, width);
                }
            }
        }
    }

    // The way back through finish_heads() of token t, in work.d_qkv.
    template <class T>
    void heads_backward(config const& c, layer_view<T const> const& w, layer_state<T> const& s, std::size_t t,
                        std::size_t length, workspace<T>& work, layer_view<T> const& g)
    {
        T* const d = work.d_qkv.data() + t * c.qkv_width();
        work.rotary[w.kind.rotation].rotate(d, c.heads + c.kv_heads, t % length, T{-1});
        if (w.query_norm)
        {
            std::size_t const q = c.query_width(), turning = q + c.kv_width();
            T const shift = norm_shift<T>(c);
            T const* const before = s.heads.data() + t * turning;
            T const* const inverse = s.heads_inverse.data() + t * (c.heads + c.kv_heads);
            std::copy_n(d, turning, work.d_heads.data());
            std::fill_n(d, turning, T{0});
            rms_norm_backward(before, w.query_norm, shift, inverse, work.d_heads.data(), d, g.query_norm,
                              work.row.data(), c.heads, c.head_dim);
            rms_norm_backward(before + q, w.key_norm, shift, inverse + c.heads, work.d_heads.data() + q, d + q,
                              g.key_norm, work.row.data(), c.kv_heads, c.head_dim);
        }
        bias_backward(d, g.qkv_bias, 1, c.qkv_width());
    }

    // The way back through one layer, behind forward_layer() with the same arguments: work.d_stream is the gradient by
    // its output and becomes that by its input, if `to_input`; g (its null norms are left out) is added to.
    template <class T>
    void backward_layer(config const& c, layer_view<T const> const& w, layer_state<T>& s, std::size_t n,
                        std::size_t length, workspace<T>& work, layer_view<T> const& g, dropout const& drop = {},
                        std::size_t i = 0, bool to_input = true)
    {
        T* const d_stream = work.d_stream.data();
        T* const d_normed = work.d_normed.data();
        auto d_branch = [&](std::size_t site) -> T const*
        {
            if (drop.rate <= 0.0f)
                return d_stream;
            drop.apply<T>(nullptr, d_stream, work.branch.data(), n * c.hidden, static_cast<std::uint32_t>(site));
            return work.branch.data();
        };
        T const shift = norm_shift<T>(c);
        // The same before the norm behind the branch, where there is one.
        auto d_before_norm = [&](T const* d, T const* norm, std::vector<T> const& branch, std::vector<T> const& inverse,
                                 T* d_norm) -> T const*
        {
            if (!norm)
                return d;
            std::fill_n(work.d_branch.data(), n * c.hidden, T{0});
            rms_norm_backward(branch.data(), norm, shift, inverse.data(), d, work.d_branch.data(), d_norm,
                              work.row.data(), n, c.hidden);
            return work.d_branch.data();
        };
        T const* const d_down =
            d_before_norm(d_branch(2 * i + 2), w.mlp_post, s.mlp_branch, s.mlp_branch_inverse, g.mlp_post);
        mlp_backward(c, w, s, d_down, work.d_active, d_normed, g, n);
        rms_norm_backward(s.middle.data(), w.mlp_norm, shift, s.mlp_inverse.data(), d_normed, d_stream, g.mlp_norm,
                          work.row.data(), n, c.hidden);

        T const* const d_output = d_before_norm(d_branch(2 * i + 1), w.attention_post, s.attention_branch,
                                                s.branch_inverse, g.attention_post);
        bias_backward(d_output, g.output_bias, n, c.hidden);
        linear_weight_gradient(d_output, s.attended.data(), g.output, n, c.query_width(), c.hidden);
        linear_input_gradient(d_output, w.output, work.d_attended.data(), n, c.query_width(), c.hidden);
        attention_backward(c, w.kind, s, work, n / length, length);
        for (std::size_t t = 0; t < n; ++t)
            heads_backward(c, w, s, t, length, work, g);
        linear_weight_gradient(work.d_qkv.data(), s.attention_normed.data(), g.qkv, n, c.hidden, c.qkv_width());
        if (!to_input)
            return;
        linear_input_gradient(work.d_qkv.data(), w.qkv, d_normed, n, c.hidden, c.qkv_width());
        rms_norm_backward(s.input.data(), w.attention_norm, shift, s.attention_inverse.data(), d_normed, d_stream,
                          g.attention_norm, work.row.data(), n, c.hidden);
    }

    // The way back behind forward() with the same arguments: work.d_normed = the gradient by work.hidden on entry;
    // gradients(i) and d_ends (their null pointers are left out) are added to.
    template <class T, class Layers, class Gradients>
    void backward(config const& c, Layers&& layers, ends_view<T const> const& ends, std::span<token const> tokens,
                  std::size_t length, workspace<T>& work, Gradients&& gradients, ends_view<T> const& d_ends,
                  dropout const& drop = {})
    {
        std::size_t const n = tokens.size(), size = n * c.hidden;
        T* const d_stream = work.d_stream.data();
        std::fill_n(d_stream, size, T{0});
        rms_norm_backward(work.last.data(), ends.norm, norm_shift<T>(c), work.last_inverse.data(), work.d_normed.data(),
                          d_stream, d_ends.norm, work.row.data(), n, c.hidden);
        for (std::size_t i = c.layers; i-- > 0;)
            backward_layer<T>(c, layers(i), work.state(i), n, length, work, gradients(i), drop, i);
        if (d_ends.embedding)
        {
            T const* d_first = d_stream;
            if (drop.rate > 0.0f)
            {
                drop.apply<T>(nullptr, d_stream, work.branch.data(), size, 0);
                d_first = work.branch.data();
            }
            T const factor = static_cast<T>(c.block.embedding_scale);
            for (std::size_t t = 0; t < n; ++t)
            {
                T* const row = d_ends.embedding + tokens[t] * c.hidden;
                for (std::size_t j = 0; j < c.hidden; ++j)
                    row[j] += factor * d_first[t * c.hidden + j];
            }
        }
    }
}
