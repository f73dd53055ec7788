// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "decode.hpp"
#include <jackplane/quantize/rounding.hpp>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace engine
{
    struct sampling
    {
        float temperature = 0.8f; // 0: always the likeliest token
        std::size_t top_k = 40;
        std::uint64_t seed = 1;
    };

    // Draw number `nth` of a text; the same for the same seed, logits and nth.
    inline token sample(std::span<float const> logits, sampling const& s, std::size_t nth)
    {
        std::vector<token> order(logits.size());
        for (std::size_t i = 0; i < order.size(); ++i)
            order[i] = static_cast<token>(i);
        std::size_t const k = s.temperature > 0 ? std::clamp<std::size_t>(s.top_k, 1, order.size()) : 1;
        auto const likelier = [&](token a, token b)
        { return logits[a] > logits[b] || (logits[a] == logits[b] && a < b); };
        std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(k), order.end(), likelier);
        if (k == 1)
            return order[0];
        std::vector<double> weight(k);
        double total = 0;
        for (std::size_t i = 0; i < k; ++i)
            total += weight[i] = std::exp(static_cast<double>(logits[order[i]] - logits[order[0]]) / s.temperature);
        double at = static_cast<double>(jackplane::stochastic{s.seed}.draw({nth, 0})) * total;
        for (std::size_t i = 0; i + 1 < k; ++i)
            if ((at -= weight[i]) < 0)
                return order[i];
        return order[k - 1];
    }

    // Feeds `prompt`, then hands `count` sampled tokens to `tell` one by one. A prompt must hold a token. Returns how
    // many were told: fewer when the decoder's room is full.
    inline std::size_t generate(decoder& decode, std::span<token const> prompt, std::size_t count, sampling const& s,
                                std::function<void(token)> const& tell)
    {
        JACKPLANE_EXPECTS(!prompt.empty(), jackplane::shape_error, "a prompt of no tokens");
        std::span<float const> logits = decode(prompt);
        for (std::size_t i = 0; i < count; ++i)
        {
            bool const finite =
                std::all_of(logits.begin(), logits.end(), [](float x) { return jackplane::is_finite(x); });
            JACKPLANE_EXPECTS(finite, jackplane::value_error, "generated token ", i, ": logits are not finite");
            token const t = sample(logits, s, i);
            tell(t);
            if (i + 1 == count || !decode.has_room())
                return i + 1;
            logits = decode(t);
        }
        return count;
    }
}
