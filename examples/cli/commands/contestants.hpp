// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../../engine/pack/packed_model.hpp"
#include "../../engine/run/decode.hpp"
#include "../../engine/write/gguf/random_model.hpp"
#include "../clock.hpp"
#include "../llama/library.hpp"
#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

// Who is measured beside whom: our widths, and the types of llama.cpp.
namespace cli
{
    inline double median(std::vector<double> values)
    {
        std::sort(values.begin(), values.end());
        std::size_t const n = values.size();
        return (values[(n - 1) / 2] + values[n / 2]) / 2;
    }

    // What a model took, token by token and for prompts. decode(tokens) gives the logits behind the last.
    struct times
    {
        engine::token last = 1;
        std::vector<double> seconds{}, prompt_seconds{};

        template <class Decode>
        double step(Decode& decode) // greedy
        {
            auto const begin = clock::now();
            auto const logits = decode(std::span<engine::token const>(&last, 1));
            double const took = seconds_since(begin);
            last = static_cast<engine::token>(std::max_element(logits.begin(), logits.end()) - logits.begin());
            return took;
        }
        template <class Decode>
        double prompt(Decode& decode, std::span<engine::token const> tokens)
        {
            decode.restart();
            auto const begin = clock::now();
            decode(tokens);
            return seconds_since(begin);
        }
    };

    // One width, one kind of x, one of keys and values.
    struct runner : times
    {
        runner(engine::packed_model const& m, unsigned width, unsigned head, std::size_t room, std::string how,
               jackplane::team const& team, unsigned of_kv = 32)
            : bits(width),
              head_bits(head),
              kv_bits(of_kv),
              activation(std::move(how)),
              weight_bytes(m.cost_at(m.mix(width, head)).packed_bytes),
              decode(m, m.mix(width, head), room, engine::activation_of(activation), team, of_kv)
        {
        }

        unsigned bits, head_bits, kv_bits;
        std::string activation;
        std::size_t weight_bytes; // of one token
        engine::decoder decode;
    };

    constexpr unsigned distance(unsigned a, unsigned b) { return a < b ? b - a : a - b; }

    // The type of llama.cpp's keys and values beside ours of so many bits; F16, its default, beside fp32, too.
    inline llama::cache_type cache_beside(unsigned kv_bits)
    {
        using enum llama::cache_type;
        return kv_bits >= 16 ? f16 : kv_bits > 5 ? q8_0 : kv_bits == 5 ? q5_0 : q4_0;
    }

    // One of llama.cpp's types, beside keys and values of one of its types.
    struct peer : times
    {
        explicit peer(std::string const& name, llama::cache_type kept = llama::cache_type::f16)
            : type(engine::block_type_of(name)), bits(static_cast<unsigned>(8 * type.bytes / type.values)), cache(kept)
        {
        }

        jackplane::gguf::type_facts type;
        unsigned bits; // of a code, scales aside
        llama::cache_type cache;

        // The nearest to a width; of two that are as near the narrower one.
        static unsigned nearest(std::vector<peer> const& all, unsigned width)
        {
            return std::min_element(all.begin(), all.end(),
                                    [&](peer const& a, peer const& b) {
                                        return std::pair(distance(a.bits, width), a.bits) <
                                               std::pair(distance(b.bits, width), b.bits);
                                    })
                ->bits;
        }
        // The head beside rows of this type, for a head of so many bits; 0: as the rows.
        jackplane::gguf::type_facts head(unsigned head_bits) const
        {
            static std::vector<peer> const all{peer("q8_0"), peer("q6_k"), peer("q5_k"),
                                               peer("q4_k"), peer("q3_k"), peer("q2_k")};
            unsigned const width = nearest(all, head_bits);
            return head_bits == 0
                       ? type
                       : std::find_if(all.begin(), all.end(), [&](peer const& each) { return each.bits == width; })
                             ->type;
        }
    };
}
