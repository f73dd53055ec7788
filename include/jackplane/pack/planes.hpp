// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <bit>
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

        // codes [16, 32] -> bytes(plane) bytes
        [[gnu::always_inline]] static constexpr void pack(std::size_t plane, code const* codes, std::byte* out) noexcept
        {
            unsigned const width = widths[plane], below = bits - prefix_bits(plane + 1);
            std::uint32_t const mask = every_byte * ((1u << width) - 1);
            std::fill_n(out, bytes(plane), std::byte{0});
            for (std::size_t step = 0; step < block::steps; ++step)
            {
                field const f = field_of(width, step);
                for (std::size_t row = 0; row < block::rows; ++row)
                {
                    std::byte* const to = out + f.vector * block::lanes + 4 * row;
                    std::uint32_t const q = load(codes + row * block::cols + 4 * step);
                    store(load(to) | (q >> below & mask) << f.shift, to);
                }
            }
        }
        // the first n planes of one block -> codes [16, 32] of prefix_bits(n) bits
        [[gnu::always_inline]] static constexpr void unpack(std::size_t n, std::byte const* const* from,
                                                            code* codes) noexcept
        {
            std::array<std::uint32_t, block::codes / 4> words{}; // [steps, 16 rows]
            for (std::size_t plane = 0; plane < n; ++plane)
            {
                unsigned const width = widths[plane];
                std::uint32_t const mask = every_byte * ((1u << width) - 1);
                for (std::size_t step = 0; step < block::steps; ++step)
                {
                    field const f = field_of(width, step);
                    std::byte const* const bytes = from[plane] + f.vector * block::lanes;
                    for (std::size_t row = 0; row < block::rows; ++row)
                    {
                        std::uint32_t& q = words[step * block::rows + row];
                        q = q << width | (load(bytes + 4 * row) >> f.shift & mask);
                    }
                }
            }
            for (std::size_t row = 0; row < block::rows; ++row)
                for (std::size_t step = 0; step < block::steps; ++step)
                    store(words[step * block::rows + row], codes + row * block::cols + 4 * step);
        }

    private:
        // The four columns of a row and step as one word: no field crosses its byte, so it works as four bytes do.
        static constexpr std::uint32_t every_byte = 0x01010101;
        template <class Byte>
        [[gnu::always_inline]] static constexpr std::uint32_t load(Byte const* from) noexcept
        {
            std::array<Byte, 4> bytes{};
            std::copy_n(from, 4, bytes.begin());
            return std::bit_cast<std::uint32_t>(bytes);
        }
        template <class Byte>
        [[gnu::always_inline]] static constexpr void store(std::uint32_t word, Byte* to) noexcept
        {
            std::copy_n(std::bit_cast<std::array<Byte, 4>>(word).begin(), 4, to);
        }
    };
    using bit_planes = planes<1, 1, 1, 1, 1, 1, 1, 1>; // serves every width from 8 to 1
    static_assert(code_layout<bit_planes> && code_layout<planes<4, 2, 2>> && code_layout<planes<8>>);
    static_assert(bit_planes::aligned() && planes<2, 2, 4>::aligned() && !planes<1, 2>::aligned());
}
