// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <type_traits>
#include <utility>
#include "../core/concepts.hpp"

namespace jackplane::inline v0 // shared by all units: core/target.hpp
{
    // A block is 16 rows x 32 columns. Inside it, step s = 0..7 covers columns 4s..4s+3, and lane l = 0..63 of a step
    // is row l / 4, column 4s + l % 4: one 64-byte vector per step is the operand of a 4-way integer dot product.
    struct block
    {
        static constexpr std::size_t rows = 16, cols = 32, codes = rows * cols;
        static constexpr std::size_t lanes = 64, steps = codes / lanes;
    };

    // Planes of one matrix are read side by side. Plane p starts p times this many bytes after the start of a page:
    // equal starts modulo 4096 would share the sets of a first-level cache (bench/results/layout.txt: `separate`
    // against `staggered`).
    inline constexpr std::size_t plane_stagger = 9 * block::lanes;

    // Where the field of step s lies in a plane of `width` bits: in which 64-byte vector, and from which bit of its
    // bytes. Chosen so that two planes merge into one of twice the width with shifts and one bit-select (c = s/4,
    // i = s%4).
    struct field
    {
        std::size_t vector;
        unsigned shift;
    };
    [[gnu::always_inline]] constexpr field field_of(unsigned width, std::size_t step) noexcept
    {
        std::size_t const c = step / 4, i = step % 4;
        switch (width)
        {
        case 1: return {0, static_cast<unsigned>(7 - 2 * i - c)};
        case 2: return {c, static_cast<unsigned>(2 * (3 - i))};
        case 4: return {2 * c + i % 2, i < 2 ? 4u : 0u};
        default: return {step, 0};
        }
    }

    namespace detail
    {
        // [steps, rows]: the four columns of a row and step as one word. No field crosses its byte, so it works as four
        // bytes do.
        using block_words = std::uint32_t[block::steps][block::rows];

        template <class Byte>
        [[gnu::always_inline]] constexpr std::uint32_t load_word(Byte const* from) noexcept
        {
            std::array<Byte, 4> bytes{};
            std::copy_n(from, 4, bytes.begin());
            return std::bit_cast<std::uint32_t>(bytes);
        }
        template <class Byte>
        [[gnu::always_inline]] constexpr void store_word(std::uint32_t word, Byte* to) noexcept
        {
            std::copy_n(std::bit_cast<std::array<Byte, 4>>(word).begin(), 4, to);
        }

        template <unsigned Width>
        inline constexpr std::uint32_t field_mask = 0x01010101 * ((1u << Width) - 1);

        // The K-th of the steps that share the bytes of a vector.
        [[gnu::always_inline]] constexpr std::size_t step_in(unsigned width, std::size_t vector, std::size_t k) noexcept
        {
            std::size_t step = 0;
            while (field_of(width, step).vector != vector || k-- != 0)
                ++step;
            return step;
        }
        // The field of a step's codes that starts at bit Below, where it lies in a plane.
        template <unsigned Width, unsigned Below, std::size_t Step>
        [[gnu::always_inline]] constexpr std::uint32_t placed(block_words const& words, std::size_t row) noexcept
        {
            constexpr unsigned shift = field_of(Width, Step).shift;
            if constexpr (shift > Below)
                return words[Step][row] << (shift - Below) & field_mask<Width> << shift;
            else
                return words[Step][row] >> (Below - shift) & field_mask<Width> << shift;
        }
        template <unsigned Width, unsigned Below, std::size_t Vector, std::size_t... K>
        [[gnu::always_inline]] constexpr void pack_vector(block_words const& words, std::byte* to,
                                                          std::index_sequence<K...>) noexcept
        {
            std::array<std::uint32_t, block::rows> fields; // not `to` itself: g++ 12 would not make vectors
            for (std::size_t row = 0; row < block::rows; ++row)
                fields[row] = (placed<Width, Below, step_in(Width, Vector, K)>(words, row) | ...);
            if (std::is_constant_evaluated())
                for (std::size_t row = 0; row < block::rows; ++row)
                    store_word(fields[row], to + 4 * row);
            else // no std::bit_cast of 64 bytes: the linker may take it from a unit for a newer machine
                std::memcpy(to, fields.data(), block::lanes);
        }
        // The Width bits from bit Below up of all codes. Compilers make vectors of loops over 16 words with constant
        // shifts.
        template <unsigned Width, unsigned Below, std::size_t Vector = 0>
        [[gnu::always_inline]] constexpr void pack_plane(block_words const& words, std::byte* to) noexcept
        {
            pack_vector<Width, Below, Vector>(words, to, std::make_index_sequence<8 / Width>{});
            if constexpr (Vector + 1 < Width)
                pack_plane<Width, Below, Vector + 1>(words, to + block::lanes);
        }
        // Moves all codes up by Width bits, and the next plane in below them.
        template <unsigned Width, std::size_t Step = 0>
        [[gnu::always_inline]] constexpr void unpack_plane(std::byte const* from, block_words& words) noexcept
        {
            constexpr field f = field_of(Width, Step);
            for (std::size_t row = 0; row < block::rows; ++row)
                words[Step][row] = words[Step][row] << Width |
                                   (load_word(from + f.vector * block::lanes + 4 * row) >> f.shift & field_mask<Width>);
            if constexpr (Step + 1 < block::steps)
                unpack_plane<Width, Step + 1>(from, words);
        }
    }

    // A code cut into fields of W... bits, most significant first, each field in a plane of its own; the first planes
    // are a whole, smaller code. planes<1, 1, 1, 1, 1, 1, 1, 1> serves every width from 1 to 8; planes<4, 2, 2> serves
    // 4, 6, 8.
    template <unsigned... W>
        requires(sizeof...(W) > 0 && ((W == 1 || W == 2 || W == 4 || W == 8) && ...) && (W + ... + 0u) <= 8)
    struct planes
    {
        static constexpr std::size_t count = sizeof...(W);
        static constexpr unsigned bits = (W + ... + 0u);
        static constexpr std::array<unsigned, count> widths{W...};

        // of one plane of one block
        [[gnu::always_inline]] static constexpr std::size_t bytes(std::size_t plane) noexcept
        {
            return block::lanes * widths[plane];
        }

        // bits in the first n planes
        [[gnu::always_inline]] static constexpr unsigned prefix_bits(std::size_t n) noexcept
        {
            unsigned sum = 0;
            for (std::size_t i = 0; i < n; ++i)
                sum += widths[i];
            return sum;
        }
        // planes that hold the leading k bits; 0 when a plane would have to be split
        [[gnu::always_inline]] static constexpr std::size_t planes_of(unsigned k) noexcept
        {
            for (std::size_t n = 1; n <= count; ++n)
                if (prefix_bits(n) == k)
                    return n;
            return 0;
        }
        // the plane whose fields start `start` bits from the top; count when none does
        [[gnu::always_inline]] static constexpr std::size_t plane_at(unsigned start) noexcept
        {
            for (std::size_t p = 0; p < count; ++p)
                if (prefix_bits(p) == start)
                    return p;
            return count;
        }
        // Each field starts, from the top, at a multiple of its width: planes merge pairwise.
        [[gnu::always_inline]] static constexpr bool aligned() noexcept
        {
            for (std::size_t i = 0; i < count; ++i)
                if (prefix_bits(i) % widths[i] != 0)
                    return false;
            return true;
        }

        // codes [16, 32], whose rows begin `apart` codes apart -> the first n planes, bytes(plane) bytes of each
        [[gnu::always_inline]] static constexpr void pack(std::size_t n, code const* codes, std::size_t apart,
                                                          std::byte* const* to) noexcept
        {
            detail::block_words words;
            for (std::size_t row = 0; row < block::rows; ++row)
                for (std::size_t step = 0; step < block::steps; ++step)
                    words[step][row] = detail::load_word(codes + row * apart + 4 * step);
            pack_planes(n, words, to, std::make_index_sequence<count>{});
        }
        // the first n planes of one block -> codes [16, 32] of prefix_bits(n) bits
        [[gnu::always_inline]] static constexpr void unpack(std::size_t n, std::byte const* const* from,
                                                            code* codes) noexcept
        {
            detail::block_words words{};
            unpack_planes(n, from, words, std::make_index_sequence<count>{});
            for (std::size_t row = 0; row < block::rows; ++row)
                for (std::size_t step = 0; step < block::steps; ++step)
                    detail::store_word(words[step][row], codes + row * block::cols + 4 * step);
        }

    private:
        template <std::size_t... P>
        [[gnu::always_inline]] static constexpr void pack_planes(std::size_t n, detail::block_words const& words,
                                                                 std::byte* const* to,
                                                                 std::index_sequence<P...>) noexcept
        {
            ((P < n ? detail::pack_plane<widths[P], bits - prefix_bits(P + 1)>(words, to[P]) : void()), ...);
        }
        template <std::size_t... P>
        [[gnu::always_inline]] static constexpr void unpack_planes(std::size_t n, std::byte const* const* from,
                                                                   detail::block_words& words,
                                                                   std::index_sequence<P...>) noexcept
        {
            ((P < n ? detail::unpack_plane<widths[P]>(from[P], words) : void()), ...);
        }
    };
    using bit_planes = planes<1, 1, 1, 1, 1, 1, 1, 1>; // serves every width from 8 to 1
    static_assert(code_layout<bit_planes> && code_layout<planes<4, 2, 2>> && code_layout<planes<8>>);
    static_assert(bit_planes::aligned() && planes<2, 2, 4>::aligned() && !planes<1, 2>::aligned());
}
