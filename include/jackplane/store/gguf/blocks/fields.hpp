// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include "../../../core/concepts.hpp"
#include "../../../core/number.hpp"

// Where a block keeps its codes and constants.
namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf
{
    // A number of two or four bytes inside a block: what a big-endian file has the other way round.
    struct word
    {
        std::size_t at, size;
    };

    // Fields of Bits bits from byte At on. Stride * 8 / Bits values share Stride bytes: the first Stride values take
    // the lowest bits, the next Stride the bits above. They are the bits of the code from bit Up on.
    //     fields<4, 16, 2>     byte i holds values i and i + 16: Q4_0
    //     fields<1, 32, 16, 4> bit k of byte i is bit 4 of value 32 k + i: Q5_K
    template <unsigned Bits, std::size_t Stride, std::size_t At, unsigned Up = 0>
    struct fields
    {
        static constexpr unsigned bits = Bits;

        // Adds its bits, eight values at a time: no field crosses its byte, so a word works as eight bytes do.
        template <std::size_t Values>
        static void get(std::byte const* block, code* q) noexcept
        {
            constexpr std::uint64_t every_byte = 0x0101010101010101;
            if constexpr (Stride == 1)
                for (std::size_t i = 0; i < Values; i += 8)
                    add(spread(load<Bits>(block + At + i * Bits / 8)), q + i);
            else
                for (std::size_t first = 0; first < Values; first += shared)
                    for (std::size_t part = 0; part < 8 / Bits; ++part)
                        for (std::size_t i = 0; i < Stride; i += 8)
                            add(load<8>(block + At + first * Bits / 8 + i) >> Bits * part & mask * every_byte,
                                q + first + part * Stride + i);
        }
        template <std::size_t Values>
        static void put(code const* q, std::byte* block) noexcept // the bytes were 0
        {
            each<Values>([&](std::size_t byte, std::size_t nth, unsigned shift)
                         { block[At + byte] |= static_cast<std::byte>((q[nth] >> Up & mask) << shift); });
        }
        template <std::size_t Values>
        static void clear(std::byte* block) noexcept
        {
            std::fill_n(block + At, Values * Bits / 8, std::byte{});
        }

    private:
        static constexpr unsigned mask = (1u << Bits) - 1;
        static constexpr std::size_t shared = Stride * 8 / Bits; // values in Stride bytes
        static_assert(Stride == 1 || Stride % 8 == 0);

        template <std::size_t Bytes>
        static std::uint64_t load(void const* from) noexcept
        {
            std::uint64_t x = 0;
            std::memcpy(&x, from, Bytes);
            return x;
        }
        static void add(std::uint64_t eight, code* q) noexcept
        {
            eight = load<8>(q) | eight << Up;
            std::memcpy(q, &eight, sizeof eight);
        }
        // Eight fields side by side, to a byte each: first the upper four move to the upper half of the word.
        static std::uint64_t spread(std::uint64_t x) noexcept
        {
            constexpr unsigned apart = 8 - Bits;
            constexpr std::uint64_t four = (1u << 4 * Bits) - 1, two = (1u << 2 * Bits) - 1;
            x = (x | x << 4 * apart) & four * 0x100000001;
            x = (x | x << 2 * apart) & two * 0x1000100010001;
            return (x | x << apart) & mask * 0x101010101010101;
        }

        template <std::size_t Values>
        static void each(auto&& f) noexcept
        {
            static_assert(Values % shared == 0);
            for (std::size_t first = 0; first < Values; first += shared)
                for (unsigned part = 0; part < 8 / Bits; ++part)
                    for (std::size_t i = 0; i < Stride; ++i)
                        f(first / shared * Stride + i, first + part * Stride + i, Bits * part);
        }
    };

    // Codes of a block in one or more fields.
    template <std::size_t Values, class... Fields>
    struct codes_in
    {
        static constexpr unsigned bits = (Fields::bits + ...);

        // The codes of a block, and a block's codes set.
        static void codes(std::byte const* block, code* q) noexcept
        {
            std::fill_n(q, Values, code{0});
            (Fields::template get<Values>(block, q), ...);
        }
        static void put_codes(code const* q, std::byte* block) noexcept
        {
            (Fields::template clear<Values>(block), ...);
            (Fields::template put<Values>(q, block), ...);
        }
    };
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf::detail
{
    inline half load_half(std::byte const* from) noexcept // blocks are aligned to nothing
    {
        half h;
        std::memcpy(&h, from, sizeof h);
        return h;
    }
    inline void store_half(half h, std::byte* to) noexcept { std::memcpy(to, &h, sizeof h); }

    inline unsigned byte_at(std::byte const* block, std::size_t i) noexcept
    {
        return std::to_integer<unsigned>(block[i]);
    }
    // The low and the high four bits of a byte.
    inline std::byte nibbles(unsigned low, unsigned high) noexcept
    {
        return static_cast<std::byte>((low & 15u) | (high & 15u) << 4);
    }
}
