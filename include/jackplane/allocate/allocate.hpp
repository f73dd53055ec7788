// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <tuple>
#include <vector>
#include "../core/check.hpp"

// Bits per layer under a budget.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // One way to store a layer: at some width, say.
    struct allocation_choice
    {
        std::uint64_t size; // bits or bytes, as the budget counts
        double loss;        // what it adds to the loss of the model; may be negative
    };

    struct allocation // what each layer gets, and what that makes of the whole model
    {
        std::vector<std::size_t> choices; // one of each layer's
        std::uint64_t size = 0;
        double loss = 0;
    };

    // One choice for each layer, so that the sizes add up to at most the budget and the losses to as little as can be;
    // of equal losses the smaller. Exact: every sum that no other beats in both size and loss is followed, which are at
    // most budget / (greatest common divisor of the sizes) at a time. That losses add up is an assumption (HIGGS'
    // linearity theorem, arXiv 2411.17525, section 3, for small errors), so measure what comes out.
    // Throws value_error when a layer has no choice, a loss is no number, or the smallest sizes exceed the budget.
    inline allocation allocate(std::span<std::vector<allocation_choice> const> layers, std::uint64_t budget,
                               std::string_view name = "allocate")
    {
        struct state
        {
            std::uint64_t size;
            double loss;
            std::size_t before, choice; // the state of the layers before, and what this layer adds
        };
        std::uint64_t left = budget;
        for (std::size_t i = 0; i < layers.size(); ++i)
        {
            JACKPLANE_EXPECTS(!layers[i].empty(), value_error, name, ": layer ", i, " has no choice");
            std::uint64_t smallest = std::numeric_limits<std::uint64_t>::max();
            for (allocation_choice const& c : layers[i])
            {
                JACKPLANE_EXPECTS(std::isfinite(c.loss), value_error, name, ": layer ", i, " has a loss of ", c.loss);
                smallest = std::min(smallest, c.size);
            }
            JACKPLANE_EXPECTS(smallest <= left, value_error, name, ": a budget of ", budget,
                              ", but the smallest choices of the first ", i + 1, " layers need more");
            left -= smallest;
        }

        std::vector<std::vector<state>> reached{{{0, 0.0, 0, 0}}}; // after each number of layers, by size
        for (auto const& choices : layers)
        {
            std::vector<state> next;
            for (std::size_t at = 0; at < reached.back().size(); ++at)
                for (std::size_t c = 0; c < choices.size(); ++c)
                    if (state const& from = reached.back()[at]; choices[c].size <= budget - from.size)
                        next.push_back({from.size + choices[c].size, from.loss + choices[c].loss, at, c});
            std::sort(next.begin(), next.end(),
                      [](state const& a, state const& b) {
                          return std::tie(a.size, a.loss, a.before, a.choice) <
                                 std::tie(b.size, b.loss, b.before, b.choice);
                      });
            std::vector<state> kept;
            for (state const& s : next)
                if (kept.empty() || s.loss < kept.back().loss)
                    kept.push_back(s);
            reached.push_back(std::move(kept));
        }
        allocation best{std::vector<std::size_t>(layers.size()), reached.back().back().size,
                        reached.back().back().loss};
        std::size_t at = reached.back().size() - 1; // the largest left has the least loss
        for (std::size_t i = layers.size(); i-- > 0;)
        {
            best.choices[i] = reached[i + 1][at].choice;
            at = reached[i + 1][at].before;
        }
        return best;
    }

    // MatQuant's rule of thumb for Mix'n'Match (arXiv 2502.06786): few bits at both ends, many in the middle. Which of
    // `levels` choices, fewest bits first, each layer gets.
    inline std::vector<std::size_t> pyramid(std::size_t layers, std::size_t levels)
    {
        std::vector<std::size_t> out(layers);
        std::size_t const half = (layers + 1) / 2;
        for (std::size_t i = 0; i < layers; ++i)
            out[i] = std::min(i, layers - 1 - i) * levels / half;
        return out;
    }
}
