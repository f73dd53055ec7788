// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <cstdint>
#include "../../core/number.hpp"
#include "../arch/arch.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace kernel
    {
        // The words that every kernel is written in, once for all machines. vectors<Arch> has (avx512.hpp is the
        // model, a nearer tag inherits and replaces; loads are unaligned, all functions static and forced inline):
        //
        //   rows, registers         dword lanes of a vector = rows of one step; how many vectors the machine holds
        //   bytes, ints, floats     4 * rows bytes; rows int32; rows floats with size, load, store, + - *
        //
        // bytes, for merging planes
        //   load_bytes(byte const*), store(bytes, byte*)
        //   keep<M>(a)                                 a & M in every byte
        //   exchange<N>(a, b)                          the lower N bits of every 2 N of a change places with the upper
        //                                              N of b: N = 1, 2, 4
        //   left<N>(a), right<N>(a)                    shifts of 16- or 32-bit lanes: masks drop what crosses a byte
        //
        // integer products, where Arch::multiplies_bytes
        //   in_place                                   codes below 2^in_place may be multiplied: 4 or 8
        //   dot(ints sum, bytes u8, bytes s8)          + 4 products in every lane
        //   narrow, widen(ints sum, ints pairs)        narrow: dot's sums are int16 pairs, with room for a block's step
        //                                              products of codes below 16; widen adds them to int32 lanes
        //   flips_bytes, flip<M>(a)                    dot takes signed codes of 8 bits: with the top bit flipped they
        //                                              are 128 less, and 128 times the sum of x is added; a ^ M
        //   dot_both(a, b, of_a, of_b, x)              where one load of x for both halves of a panel is faster:
        //                                              a = dot(a, of_a, x), b = dot(b, of_b, x); narrow, 8 rows
        //   widen_times<N>(ints sum, ints pairs)       there: widen, N times the pairs; N = 1, 16
        //   zero(), broadcast_bytes(int8 const*)       the 4 bytes in every lane
        //   dot_lane<I>(ints sum, bytes, int8 const*)  where it is faster: dot by the I-th 4 of 16 bytes, I < 4
        //   shifts_bytes                               right<N> shifts every byte by itself: zeros come in above
        //   plus_shifted<N>(sum, a)                    sum + a / 2^N, shifting arithmetically
        //   plus_left<N>(sum, a)                       sum + a * 2^N
        //   to_float(ints)
        //   where it multiplies matrices of bytes, of 4 rows:
        //   pair_steps(bytes& a, bytes& b)             the dwords a0 b0 a1 b1, and a2 b2 a3 b3
        //   dot_matrices(ints sum, bytes u8, bytes s8) 2 x 8 codes by 2 x 8 of x: dot 2 i + j of row i and vector j
        //   part_vectors(ints& a, ints& b)             such dots of rows 0, 1 and 2, 3: those of vector 0, of vector 1
        //   make_bytes(uint8 const*), look_up_bytes(entries, bytes index)        one of 16 bytes, index < 16
        //   looks_at_top_of_index                      or an index with a top bit of 0: its low four bits count
        //   plus_bytes(a, b)                           every byte modulo 256
        //
        // floats
        //   load(float, half, bfloat16, uint8 const*), fma(a, b, c) = a b + c
        //   column<At, Width>(bytes) -> floats         the bits [At, At + Width) of every lane, as a number
        //   looks_up, looks_up_fast                    it can; faster than column()
        //   make_table(float const*), look_up<At>(table, bytes)        16 floats by the 4 bits from At
        //   right_by(bytes, uint32 const*)             every dword shifted by its own number of bits (looks_up)
        //   in_turn(bytes a, bytes b)                  dwords in fours: of a, of b, of a ... (looks_up, rows > 4)
        //
        // pairs of bfloat16, where multiplies_pairs<V>
        //   pair<At, Kept>(bytes)                      bits [At, At + Kept) of every 16-bit word as 2^Kept + value
        //   dot_pairs(floats sum, pairs, uint32 const*)                        + 2 products in every lane
        //
        // preparing x
        //   magnitude(floats) -> ints                  the bits without the sign: they compare as |x|, NaN above Inf
        //   max(ints, ints), largest(ints), total(ints)                          of all lanes: int32
        //   round(floats) -> ints                      to nearest, ties to even
        //   minus(ints, ints), low_byte(ints)          low_byte: sign extended
        //   store_bytes(ints, int8*)                   rows bytes, from lanes that hold int8
        template <class Arch>
        struct vectors;

        // The upper N bits of every 2 N of a byte: 0xaa, 0xcc, 0xf0.
        template <unsigned N>
        inline constexpr std::uint8_t upper_of_pairs = N == 1 ? 0xaa : N == 2 ? 0xcc : 0xf0;

        template <class V>
        inline constexpr bool multiplies_pairs = requires { V::dot_pairs; };
        template <class V>
        inline constexpr bool flips = requires { requires V::flips_bytes; };
        template <class V>
        inline constexpr bool multiplies_matrices = requires { V::dot_matrices; };
    }
}
