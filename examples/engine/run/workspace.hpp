// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "attention.hpp"
#include "../describe/config.hpp"
#include "math/elementwise.hpp"
#include <algorithm>
#include <cstddef>
#include <vector>

namespace engine
{
    // Which experts the router gave n tokens, and how the rows of what they read and give lie: those of the first
    // expert, of the second, ...; of each in the order of the tokens.
    template <class T>
    struct routing
    {
        std::vector<T> probabilities;         // [n, experts]
        std::vector<std::size_t> experts;     // [n, used], in their order
        std::vector<T> weights, slopes;       // [n, used]: of what they give; the gradient by that
        std::vector<std::size_t> rows;        // [n, used]
        std::vector<std::size_t> tokens;      // [n used], of each row
        std::vector<std::size_t> first, next; // [experts + 1]: the rows of each expert begin there
        std::vector<bool> taken;              // [experts]

        routing() = default;
        routing(expert_description const& e, std::size_t n)
            : probabilities(n * e.count),
              experts(n * e.used),
              weights(n * e.used),
              slopes(n * e.used),
              rows(n * e.used),
              tokens(n * e.used),
              first(e.count + 1),
              next(e.count + 1),
              taken(e.count)
        {
        }
    };

    // Numbers inside the MLPs of a layer, of n tokens; the most in any layer.
    inline std::size_t inner_numbers(config const& c, layer_kind const& kind, std::size_t n)
    {
        return n * (kind.experts ? c.block.experts.used : 1) * c.inner(kind);
    }
    inline std::size_t inner_numbers(config const& c, std::size_t n)
    {
        std::size_t most = 0;
        for (std::size_t i = 0; i < c.layers; ++i)
            most = std::max(most, inner_numbers(c, c.block.kind(i), n));
        return most;
    }

    // What one layer leaves for the way back; n = tokens = windows * length.
    template <class T>
    struct layer_state
    {
        std::vector<T> input;                               // [n, hidden], the residual stream
        std::vector<T> attention_normed, attention_inverse; // [n, hidden], [n]
        std::vector<T> qkv;                                 // [n, qkv_width], q and k normed and turned
        std::vector<T> heads, heads_inverse;                // q and k before they are normed, where they are
        std::vector<T> probabilities;                       // [windows, heads, length, length], lower triangle
        std::vector<T> scores;                              // the same, capped, where they are
        std::vector<T> attended;                            // [n, query_width]
        std::vector<T> attention_branch, branch_inverse;    // [n, hidden], [n], before the norm behind it, if any
        std::vector<T> middle;                              // [n, hidden], the stream between attention and MLP
        std::vector<T> mlp_normed, mlp_inverse;             // [n, hidden], [n]
        std::vector<T> gate_up;                             // [n, 2 inner]; of experts [n used, 2 inner]
        std::vector<T> active;                              // [n, inner], or as well
        routing<T> routes;                                  // where there are experts
        std::vector<T> routed, given;                       // [n used, hidden]: what they read and give
        std::vector<T> mlp_branch, mlp_branch_inverse;      // as attention's

        // inner: numbers inside its MLPs; experts: or none, where no layer that it serves has any.
        layer_state(config const& c, std::size_t n, std::size_t length, std::size_t inner,
                    expert_description const& experts)
            : input(n * c.hidden),
              attention_normed(n * c.hidden),
              attention_inverse(n),
              qkv(n * c.qkv_width()),
              heads(c.block.head_norms ? n * (c.query_width() + c.kv_width()) : 0),
              heads_inverse(c.block.head_norms ? n * (c.heads + c.kv_heads) : 0),
              probabilities(n * c.heads * length),
              scores(c.block.score_cap > 0 ? probabilities.size() : 0),
              attended(n * c.query_width()),
              attention_branch(c.block.post_norms ? n * c.hidden : 0),
              branch_inverse(c.block.post_norms ? n : 0),
              middle(n * c.hidden),
              mlp_normed(n * c.hidden),
              mlp_inverse(n),
              gate_up(2 * inner),
              active(inner),
              routes(experts, n),
              routed(n * experts.used * c.hidden),
              given(routed.size()),
              mlp_branch(attention_branch.size()),
              mlp_branch_inverse(branch_inverse.size())
        {
        }
    };

    // All memory of a forward (and backward) pass over at most `windows` windows of at most `length` tokens; passes
    // allocate nothing. Without gradients one layer state serves all layers.
    template <class T>
    struct workspace
    {
        static constexpr std::size_t logit_rows = 256;    // tokens whose logits exist at a time

        std::size_t capacity, length;
        std::vector<rotary_table<T>> rotary; // as many as the model has rotations
        std::vector<layer_state<T>> states;
        std::vector<T> last, last_inverse, hidden; // stream behind the layers [n, hidden], [n], normed [n, hidden]
        std::vector<T> branch;                     // [n, hidden]: what a branch adds to the stream
        std::vector<T> logits;                     // [logit_rows, vocabulary]
        std::vector<T> row;                        // [the widest there is]

        // Backward only.
        std::vector<T> d_stream, d_normed; // [n, hidden]
        std::vector<T> d_qkv, d_attended;  // [n, qkv_width], [n, query_width]
        std::vector<T> d_active;           // as active
        std::vector<T> d_scores;           // [attention_rows, length]
        std::vector<T> d_heads, d_branch;  // of q and k of a token, of a branch [n, hidden], before their norms

        workspace(config const& c, std::size_t windows, std::size_t window_length, bool gradients)
            : capacity(windows * window_length),
              length(window_length),
              last(capacity * c.hidden),
              last_inverse(capacity),
              hidden(capacity * c.hidden),
              branch(capacity * c.hidden),
              logits(std::min(logit_rows, capacity) * c.vocabulary),
              row(std::max({c.hidden, c.vocabulary, c.head_dim}))
        {
            for (rotation const& r : c.rotations())
                rotary.emplace_back(window_length, c.head_dim, r);
            if (!gradients)
                states.emplace_back(c, capacity, window_length, inner_numbers(c, capacity), c.block.experts);
            else
            {
                for (std::size_t i = 0; i < c.layers; ++i)
                    states.emplace_back(c, capacity, window_length, inner_numbers(c, c.block.kind(i), capacity),
                                        c.block.kind(i).experts ? c.block.experts : expert_description{});
                d_stream.resize(capacity * c.hidden);
                d_normed.resize(capacity * c.hidden);
                d_qkv.resize(capacity * c.qkv_width());
                d_attended.resize(capacity * c.query_width());
                d_active.resize(inner_numbers(c, capacity));
                d_scores.resize(attention_rows * window_length);
                d_heads.resize(c.block.head_norms ? c.query_width() + c.kv_width() : 0);
                d_branch.resize(c.block.post_norms ? capacity * c.hidden : 0);
            }
        }

        layer_state<T>& state(std::size_t i) noexcept { return states[std::min(i, states.size() - 1)]; }
    };
}
