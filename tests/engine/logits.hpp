// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// Logits of the two ways of a model: in batches on dense weights, token by token on packed ones.
#include <engine/read/source.hpp>
#include <engine/run/decode.hpp>
#include <engine/run/forward.hpp>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace engine
{
    // Logits behind every token of one window [tokens, vocabulary], in T.
    template <class T>
    std::vector<T> batch_logits(model const& m, std::span<token const> tokens)
    {
        config const& c = m.sizes;
        std::vector<T> const w(m.w.begin(), m.w.end());
        parameter_view<T const> const view(c, w.data(), w.data() + m.table.tuned_size());
        workspace<T> work(c, 1, tokens.size(), false);
        forward(
            c, [&](std::size_t i) { return view.layer(i); }, view.ends(), tokens, tokens.size(), work);
        std::vector<T> logits(tokens.size() * c.vocabulary);
        logits_of(c, work.hidden.data(), view.ends().output, logits.data(), tokens.size());
        return logits;
    }

    // The same, token by token on packed weights; bits: one for each matrix (packed_model::mix).
    inline std::vector<float> all_logits(packed_model const& m, std::vector<unsigned> const& bits,
                                         std::span<token const> tokens, activation const& how, unsigned threads)
    {
        decoder decode(m, bits, tokens.size(), how, jackplane::team(threads));
        std::vector<float> all;
        for (token const t : tokens)
        {
            auto const logits = decode(t);
            all.insert(all.end(), logits.begin(), logits.end());
        }
        return all;
    }

    // The same, so many tokens at once.
    inline std::vector<float> batched_logits(packed_model const& m, std::vector<unsigned> const& bits,
                                             std::span<token const> tokens, std::size_t at_once, activation const& how,
                                             unsigned threads = 1)
    {
        decoder decode(m, bits, tokens.size(), how, jackplane::team(threads));
        std::vector<float> all;
        for (std::size_t at = 0; at < tokens.size(); at += at_once)
        {
            auto const logits = decode.each(tokens.subspan(at, std::min(at_once, tokens.size() - at)));
            all.insert(all.end(), logits.begin(), logits.end());
        }
        return all;
    }

    inline double worst(std::span<float const> found, std::span<double const> exact)
    {
        double most = 0;
        for (std::size_t i = 0; i < exact.size(); ++i)
            most = std::max(most, std::abs(static_cast<double>(found[i]) - exact[i]));
        return most;
    }
}
