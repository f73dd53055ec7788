// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "accumulate.hpp"
#include "kernel/blocks.hpp"
#include "kernel/integers.hpp"
#include "reference.hpp"

// Which text multiplies what. y [vectors, stride]: y[n, r] += (A x_n)[r] for first <= r < last.
namespace jackplane::inline v0
{
    namespace kernel
    {
        // body(integral_constant<unsigned, bits>) for the width that a matrix is read at
        template <code_layout L, codebook C, class Body>
        [[gnu::always_inline]] inline void at_width(unsigned bits, Body&& body) noexcept
        {
            for_each<L::count>([&](auto p) __attribute__((always_inline)) {
                constexpr unsigned width = L::prefix_bits(p + 1);
                if constexpr (width == L::bits || nested_codebook<C>)
                    if (bits == width)
                        body(std::integral_constant<unsigned, width>{});
            });
        }

        // The vector kernels take aligned layouts and groups of whole blocks (or one a row) of a codebook that they can
        // decode; everything else goes through decode_block.
        template <class V, class View>
        inline constexpr bool decodes = View::layout::aligned() && fits_vectors<V, View>;

        template <accumulator Acc, class Arch, class View>
        void multiply_rows(View const& a, exact_view x, float* y, std::size_t stride, std::size_t first,
                           std::size_t last, common const&) noexcept
        {
            using V = vectors<Arch>;
            using L = typename View::layout;
            using C = typename View::codebook_type;
            [[maybe_unused]] bool const whole = a.groups == 1 || a.group % block::cols == 0;
            if constexpr (decodes<V, View>)
                if (whole && x.vectors == 1)
                    return at_width<L, C>(
                        a.bits, [&](auto bits) __attribute__((always_inline)) {
                            multiply_exact<Acc, V, bits>(a, x, y, first, last);
                        });
            auto decode = decode_block<Arch, View>;
            if constexpr (decodes<V, View>)
                decode = decode_block_by_vectors<V, View>;
            for (std::size_t left = x.vectors; left > 0; left -= x.vectors)
            {
                x.vectors = left < most_vectors ? left : most_vectors;
                multiply_blocks<Acc, V>(a, x, y, stride, first, last, decode);
                x.x += x.vectors * x.blocks * block::cols;
                x.sums += x.vectors * x.blocks;
                y += x.vectors * stride;
            }
        }

        template <accumulator Acc, class Arch, class View, unsigned Limbs>
        void multiply_rows(View const& a, limbs_view<Limbs> x, float* y, std::size_t stride, std::size_t first,
                           std::size_t last, common const&) noexcept
        {
            using V = vectors<Arch>;
            if constexpr (View::layout::aligned() && multiplies_as_integers<V, View, Limbs>)
                if (a.groups == 1 || a.group % x.group == 0)
                    return at_width<typename View::layout, typename View::codebook_type>(
                        a.bits, [&](auto bits) __attribute__((always_inline)) {
                            // all vectors for one panel, then the next: its planes are read from memory once
                            std::size_t const rows = x.x.vectors == 1 ? last - first : block::rows;
                            for (std::size_t begin = first, end; begin < last; begin = end)
                            {
                                end = rows < block::rows ? last : begin / block::rows * block::rows + rows;
                                end = end < last ? end : last;
                                multiply_tiles<Acc, V, bits>(a, x, y, stride, begin, end);
                            }
                        });
            multiply_rows<Acc, Arch>(a, x.x, y, stride, first, last, Arch{});
        }

        template <accumulator Acc, class Arch, class View, class X>
        void multiply_rows(View const& a, X const& x, float* y, std::size_t stride, std::size_t first,
                           std::size_t last) noexcept
        {
            multiply_rows<Acc, Arch>(a, x, y, stride, first, last, Arch{});
        }
    }
}
