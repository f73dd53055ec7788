// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include "../../core/concepts.hpp"

// How a line of codes lies in 32-bit words. A code is one or more pieces:
//     pieces(bits, i, body): body(word, shift, width, up) for each piece of code i: its bits [up, up + width) are the
//     bits [shift, shift + width) of that word.
namespace jackplane::inline v0::inline JACKPLANE_TARGET::words
{
    // One stream, lowest bit first; a code may straddle two words. GPTQ, AutoRound, compressed-tensors.
    struct stream_order
    {
        static constexpr void pieces(unsigned bits, std::size_t i, auto&& body)
        {
            std::size_t const word = i * bits / 32;
            unsigned const shift = static_cast<unsigned>(i * bits % 32), here = shift + bits < 32 ? bits : 32 - shift;
            body(word, shift, here, 0u);
            if (here < bits)
                body(word + 1, 0u, bits - here, here);
        }
    };

    // Blocks of 32 codes, each as planes of 8, 4, 2 and 1 bits that make up its width, the widest and lowest first:
    // 7 bits are 4 + 2 + 1. GPTQModel's gptq_p.
    struct plane_order
    {
        static constexpr void pieces(unsigned bits, std::size_t i, auto&& body)
        {
            unsigned const in_block = static_cast<unsigned>(i % 32);
            for (unsigned width = 8, up = 0; width > 0; width /= 2)
                if (bits & width)
                {
                    body(i / 32 * bits + up + in_block * width / 32, in_block * width % 32, width, up);
                    up += width;
                }
        }
    };

    // Codes of 4 bits, eight in a word: first those of even place, then the others. AWQ ("gemm").
    struct interleaved_order
    {
        static constexpr void pieces(unsigned bits, std::size_t i, auto&& body)
        {
            constexpr std::array<unsigned, 8> nibble{0, 4, 1, 5, 2, 6, 3, 7};
            body(i / 8, 4 * nibble[i % 8], bits, 0u);
        }
    };

    // words[k * stride] is word k of the line.
    template <class Order>
    constexpr code read_code(std::uint32_t const* words, std::size_t stride, unsigned bits, std::size_t i)
    {
        unsigned q = 0;
        Order::pieces(bits, i,
                      [&](std::size_t word, unsigned shift, unsigned width, unsigned up)
                      { q |= (words[word * stride] >> shift & ((1u << width) - 1)) << up; });
        return static_cast<code>(q);
    }
    template <class Order> // into words that are 0 there
    constexpr void write_code(std::uint32_t* words, std::size_t stride, unsigned bits, std::size_t i, code q)
    {
        Order::pieces(bits, i,
                      [&](std::size_t word, unsigned shift, unsigned width, unsigned up)
                      { words[word * stride] |= (unsigned{q} >> up & ((1u << width) - 1)) << shift; });
    }

    namespace detail
    {
        template <class Order, unsigned Bits, std::size_t Words, std::size_t Count>
        constexpr std::array<std::uint32_t, Words> counted() // of the codes i % 2^Bits
        {
            std::array<std::uint32_t, Words> words{};
            for (std::size_t i = 0; i < Count; ++i)
                write_code<Order>(words.data(), 1, Bits, i, static_cast<code>(i % (1u << Bits)));
            return words;
        }
        static_assert(counted<stream_order, 4, 1, 8>()[0] == 0x76543210);
        static_assert(counted<interleaved_order, 4, 1, 8>()[0] == 0x75316420);
        static_assert(counted<stream_order, 3, 3, 32>() ==
                      std::array<std::uint32_t, 3>{0x88fac688, 0xc688fac6, 0xfac688fa});
        static_assert(counted<plane_order, 4, 4, 32>() == counted<stream_order, 4, 4, 32>());
    }
}
