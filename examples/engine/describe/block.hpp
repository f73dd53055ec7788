// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string_view>
#include <vector>

// What a decoder block computes, as data. The table of tensors, the batch forward and its way back, decoding,
// calibration and balancing all read this; no other place tells one family of models from another.
namespace engine
{
    // Whether two files mean the same number: some hold it in fp32, some what it is computed from.
    inline bool same_number(double a, double b) { return std::abs(a - b) <= 1e-6 * std::abs(a); }

    // RoPE of the heads of queries and keys: pair i, (x[i], x[i + n]) with n = frequencies.size(), turns by position *
    // frequencies[i]. What follows the first 2 n numbers of a head stays.
    // Which of two sets of frequencies is used is decided once a run, by the longest text that it may hold (a window, a
    // decoder's room), as in llama.cpp: all keys of a cache are rotated alike.
    struct rotation
    {
        std::vector<double> frequencies{}; // radians a token
        std::vector<double> beyond{};      // of texts of more than `usual` tokens (longrope); empty: the same
        std::size_t usual = 0;
        double magnitude = 1; // of cos and sin

        std::vector<double> const& of(std::size_t tokens) const noexcept
        {
            return !beyond.empty() && tokens > usual ? beyond : frequencies;
        }
        bool operator==(rotation const& other) const
        {
            auto const same = [](auto const& a, auto const& b)
            { return std::equal(a.begin(), a.end(), b.begin(), b.end(), same_number); };
            return same(frequencies, other.frequencies) && same(beyond, other.beyond) && usual == other.usual &&
                   same_number(magnitude, other.magnitude);
        }
    };

    // base^(-2 i / turned), as Llama's.
    inline rotation plain_rotation(double base, std::size_t turned)
    {
        rotation r;
        for (std::size_t i = 0; i < turned / 2; ++i)
            r.frequencies.push_back(std::pow(base, -2.0 * static_cast<double>(i) / static_cast<double>(turned)));
        return r;
    }

    enum class gate_function
    {
        silu,
        gelu // its approximation by tanh
    };

    // A mixture of experts, of which a router picks a few for each token:
    //     p = softmax(router m),  x += sum over the `used` experts e of largest p of  p[e] / s  times the output of e
    // s is the sum of their p where `normalized` (which is a softmax over the chosen alone), else 1. Of experts with
    // the same p the first is taken.
    struct expert_description
    {
        std::size_t count = 0, used = 0, inner = 0; // of a layer; for a token; rows of gate and up
        bool normalized = true;
        // How checkpoints name their tensors: "<place>gate.weight", "<place>experts.0.<up>.weight".
        std::string_view place = "mlp.", gate = "gate_proj", up = "up_proj", down = "down_proj";
        bool operator==(expert_description const&) const = default;
    };

    // In what the layers of one model may differ.
    struct layer_kind
    {
        std::size_t window = 0;   // tokens that a query sees, its own included; 0: all up to its own
        std::size_t rotation = 0; // which of the model's
        bool experts = false;     // its MLP is a mixture; else one MLP, of config.json's intermediate_size
        bool operator==(layer_kind const&) const = default;
    };

    //     n = norm(x),  x += post(o attend(turn(norm(q n)), turn(norm(k n)), v n))
    //     m = norm(x),  x += post(down (gate(g m) * (u m)))
    struct block_description
    {
        bool shifted_norms = false; // every norm multiplies by 1 + w, not w
        bool post_norms = false;    // of what a branch adds to x; else nothing
        bool head_norms = false;    // of each head of q and k; else nothing
        bool qkv_bias = false, output_bias = false, mlp_bias = false;
        bool fused = false; // q, k, v are one tensor of the checkpoint, gate and up another
        gate_function gate = gate_function::silu;
        double score_scale = 0; // of q k^T; 0: 1 / sqrt(head_dim)
        double score_cap = 0;   // scores s become cap tanh(s / cap); 0: they stay
        double logit_cap = 0;   // the same of logits
        double embedding_scale = 1;
        expert_description experts{};
        std::vector<rotation> rotations{}; // empty: Llama's
        std::vector<layer_kind> layers{};  // empty: all alike

        layer_kind kind(std::size_t layer) const noexcept { return layers.empty() ? layer_kind{} : layers[layer]; }
        bool operator==(block_description const&) const = default;
    };
}
