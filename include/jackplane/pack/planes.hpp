// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <bit>
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
            vectors steps;
            for (std::size_t row = 0; row < block::rows; ++row)
                for (std::size_t step = 0; step < block::steps; ++step)
                    steps[step][row] = load(codes + row * apart + 4 * step);
            pack_plane<0>(n, steps, to);
        }
        // the first n planes of one block -> codes [16, 32] of prefix_bits(n) bits
        [[gnu::always_inline]] static constexpr void unpack(std::size_t n, std::byte const* const* from,
                                                            code* codes) noexcept
        {
            vectors steps{};
            unpack_plane<0>(n, from, steps);
            for (std::size_t row = 0; row < block::rows; ++row)
                for (std::size_t step = 0; step < block::steps; ++step)
                    store(steps[step][row], codes + row * block::cols + 4 * step);
        }

    private:
        // The four columns of a row and step as one word: no field crosses its byte, so it works as four bytes do. The
        // loops over the 16 words of a step are those that compilers make vectors of: all shifts are constants, and
        // what is packed is in an array of its own before it is stored (3 times as fast with g++ 12).
        using vector = std::array<std::uint32_t, block::rows>;
        using vectors = std::array<vector, block::steps>;
        static constexpr std::uint32_t every_byte = 0x01010101;

        template <std::size_t Plane>
        static constexpr std::uint32_t mask = every_byte * ((1u << widths[Plane]) - 1);

        // What one step gives to a vector of a plane.
        template <std::size_t Plane, std::size_t Vector, std::size_t Step>
        [[gnu::always_inline]] static constexpr std::uint32_t field_in(std::uint32_t q) noexcept
        {
            constexpr unsigned below = bits - prefix_bits(Plane + 1);
            constexpr field f = field_of(widths[Plane], Step);
            if constexpr (f.vector != Vector)
                return 0;
            else if constexpr (f.shift > below)
                return q << (f.shift - below) & mask<Plane> << f.shift;
            else
                return q >> (below - f.shift) & mask<Plane> << f.shift;
        }
        template <std::size_t Plane, std::size_t Vector, std::size_t... Step>
        [[gnu::always_inline]] static constexpr void pack_vector(vectors const& steps, std::byte* to,
                                                                 std::index_sequence<Step...> all) noexcept
        {
            if constexpr (Vector < widths[Plane])
            {
                vector fields;
                for (std::size_t row = 0; row < block::rows; ++row)
                    fields[row] = (field_in<Plane, Vector, Step>(steps[Step][row]) | ...);
                std::copy_n(std::bit_cast<std::array<std::byte, block::lanes>>(fields).begin(), block::lanes, to);
                pack_vector<Plane, Vector + 1>(steps, to + block::lanes, all);
            }
        }
        template <std::size_t Plane>
        [[gnu::always_inline]] static constexpr void pack_plane(std::size_t n, vectors const& steps,
                                                                std::byte* const* to) noexcept
        {
            if constexpr (Plane < count)
                if (Plane < n)
                {
                    pack_vector<Plane, 0>(steps, to[Plane], std::make_index_sequence<block::steps>{});
                    pack_plane<Plane + 1>(n, steps, to);
                }
        }

        template <std::size_t Plane, std::size_t Step>
        [[gnu::always_inline]] static constexpr void unpack_step(std::byte const* from, vectors& steps) noexcept
        {
            if constexpr (Step < block::steps)
            {
                constexpr field f = field_of(widths[Plane], Step);
                for (std::size_t row = 0; row < block::rows; ++row)
                    steps[Step][row] = (Plane == 0 ? 0 : steps[Step][row] << widths[Plane]) |
                                       (load(from + f.vector * block::lanes + 4 * row) >> f.shift & mask<Plane>);
                unpack_step<Plane, Step + 1>(from, steps);
            }
        }
        template <std::size_t Plane>
        [[gnu::always_inline]] static constexpr void unpack_plane(std::size_t n, std::byte const* const* from,
                                                                  vectors& steps) noexcept
        {
            if constexpr (Plane < count)
                if (Plane < n)
                {
                    unpack_step<Plane, 0>(from[Plane], steps);
                    unpack_plane<Plane + 1>(n, from, steps);
                }
        }

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
