// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../../pack/packed.hpp"
#include "../activation/activation.hpp"
#include "fields.hpp"
#include "floats.hpp"

namespace jackplane::inline v0 // shared by all units: core/target.hpp
{
    // Vectors rounded to bfloat16, two columns in a word.
    struct bf16_view
    {
        std::uint32_t const*
            pairs;         // [vectors, blocks * 8 steps, 2]: columns 0 and 2, 1 and 3 of the step, low one first
        float const* sums; // [vectors, blocks]: of the rounded x; NaN where an x is NaN or Inf
        exact_view x;      // not rounded
    };
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace kernel
    {
        // y[row] += for the rows [first, last) of one vector, on machines that multiply pairs of bfloat16. A code c of
        // k bits becomes the bfloat16 2^k + c by setting bits around it (7 fraction bits hold any k < 8), and 2^k sum
        // x is taken away afterwards; codes of more than 4 bits are multiplied as two nibbles. Beside what rounding x
        // costs, |y - exact| <= (groups + 16) eps sum |scale| (|decode(code)| + |zero| + 2.125 * 2^bits) |x|.
        template <accumulator Acc, class V, unsigned Bits, code_layout L, codebook C, scale_number S, zero_number Z>
        [[gnu::noinline]] void multiply_pairs(packed_view<L, C, S, Z> const& a, std::uint32_t const* x,
                                              float const* sums, float* y, std::size_t first, std::size_t last) noexcept
        {
            using floats = typename V::floats;
            constexpr unsigned width = field_width(Bits), kept = width < 4 ? width : 4;
            constexpr std::size_t pieces = width / kept;
            constexpr float unit = static_cast<float>(1u << (width - Bits)), high = 1u << kept;
            constexpr float raised = pieces == 2 ? high * high + high : high; // what was added to a whole code
            auto const dot = [&](auto const& plane, std::size_t b) __attribute__((always_inline))
            {
                auto const codes = fields<V, L, Bits, width>(plane);
                floats chain[2][2]; // [piece, even and odd columns]
                for_each<4>([&](auto i) __attribute__((always_inline)) { chain[i / 2][i % 2] = floats(0.0f); });
                for_each_step<width>(
                    codes, [&](auto s, auto const& field, auto shift) __attribute__((always_inline)) {
                        for_each<2 * pieces>([&](auto i) __attribute__((always_inline)) {
                            constexpr std::size_t odd = i % 2, piece = i / 2;
                            constexpr unsigned low = shift + 4 * piece + 8 * odd;
                            chain[piece][odd] = V::dot_pairs(chain[piece][odd], V::template pair<low, kept>(field),
                                                             x + (b * block::steps + s) * 2 + odd);
                        });
                    });
                floats sum = chain[0][0] + chain[0][1];
                if constexpr (pieces == 2)
                    sum = V::fma(chain[1][0] + chain[1][1], floats(high), sum);
                return V::fma(floats(-raised), floats(sums[b]), sum);
            };
            add_blocks<Acc, V, Bits>(a, a.step / unit, a.base, sums, y, first, last, dot);
        }
    }
}
