// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../accumulate.hpp"
#include "../reference.hpp"
#include "blocks.hpp"
#include "integers.hpp"
#include "pairs.hpp"
#include "rows.hpp"
#include "tiles.hpp"

// Which text multiplies what. y [vectors, stride]: y[n, r] += (A x_n)[r] for first <= r < last.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace kernel
    {
        // The vector kernels take aligned layouts and groups of whole blocks (or one a row) of a codebook that they can
        // decode; everything else goes through decode_block.
        template <class V, class View>
        inline constexpr bool decodes = View::layout::aligned() && fits_vectors<V, View>;

        template <class V, class View>
        inline constexpr bool multiplies_as_pairs =
            multiplies_pairs<V> && View::layout::aligned() && linear_codebook<typename View::codebook_type>;

        template <class View>
        [[gnu::always_inline]] constexpr bool of_whole_blocks(View const& a) noexcept
        {
            return a.groups == 1 || a.group % block::cols == 0;
        }

        template <class Arch, accumulator Acc, class View>
        void multiply_decoded(View const& a, exact_view x, float* y, std::size_t stride, std::size_t first,
                              std::size_t last) noexcept
        {
            using V = vectors<Arch>;
            auto decode = decode_block<Arch, View>;
            if constexpr (decodes<V, View> && leveled_codebook<typename View::codebook_type>)
                decode = decode_levels_by_vectors<V, View>;
            else if constexpr (decodes<V, View>)
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

        template <class Arch, accumulator Acc, class View>
        void multiply_rows(View const& a, exact_view const& x, float* y, std::size_t stride, std::size_t first,
                           std::size_t last, common const&) noexcept
        {
            using V = vectors<Arch>;
            if constexpr (decodes<V, View>)
                if ((x.vectors == 1 || x.batch_invariant) && of_whole_blocks(a))
                    return at_width(
                        a, [&](auto bits) __attribute__((always_inline)) {
                            // of several vectors a panel after the other: each is read from memory once
                            std::size_t const rows = x.vectors == 1 ? last : block::rows;
                            for (std::size_t from = first, to = 0; from < last; from = to)
                            {
                                std::size_t const end = (from / rows + 1) * rows;
                                to = end < last ? end : last;
                                exact_view one = x;
                                for (std::size_t n = 0; n < x.vectors; ++n)
                                {
                                    multiply_exact<Acc, V, bits>(a, one, y + n * stride, from, to);
                                    one.x += x.blocks * block::cols;
                                    one.sums += x.blocks;
                                }
                            }
                        });
            if constexpr (looks_up_by_row<V, View>)
                return multiply_all_by_row<Acc, V>(a, x, y, stride, first, last);
            multiply_decoded<Arch, Acc>(a, x, y, stride, first, last);
        }

        template <class Arch, accumulator Acc, class View, unsigned Limbs>
        void multiply_rows(View const& a, limbs_view<Limbs> const& x, float* y, std::size_t stride, std::size_t first,
                           std::size_t last, common const&) noexcept
        {
            using V = vectors<Arch>;
            if constexpr (multiplies_as_integers<View, Limbs>(Arch{}))
            {
                using sums = std::conditional_t<Limbs < 3, for_coarse_x<Acc>, Acc>;
                if (!of_whole_blocks(a))
                    return multiply_decoded<Arch, Acc>(a, x.x, y, stride, first, last);
                if (a.groups != 1 && a.group % x.group != 0)
                    return multiply_rows<Arch, Acc>(a, by_blocks(x), y, stride, first, last, common{});
                if (x.x.vectors > 1)
                    return multiply_tiles<sums, V>(a, x, y, stride, first, last);
                at_width(
                    a, [&](auto bits) __attribute__((always_inline)) {
                        multiply_limbs<sums, V, bits>(a, x, y, first, last);
                    });
            }
            else
                multiply_rows<Arch, Acc>(a, x.x, y, stride, first, last, common{});
        }

        template <class Arch, accumulator Acc, class View>
        void multiply_rows(View const& a, bf16_view const& x, float* y, std::size_t stride, std::size_t first,
                           std::size_t last, common const&) noexcept
        {
            using V = vectors<Arch>;
            if constexpr (multiplies_as_pairs<V, View>)
            {
                if (!of_whole_blocks(a))
                    return multiply_decoded<Arch, Acc>(a, x.x, y, stride, first, last);
                at_width(
                    a, [&](auto bits) __attribute__((always_inline)) {
                        for (std::size_t n = 0; n < x.x.vectors; ++n)
                            multiply_pairs<for_coarse_x<Acc>, V, bits>(
                                a, x.pairs + n * x.x.blocks * block::cols / 2, x.sums + n * x.x.blocks,
                                y + n * stride, first, last);
                    });
            }
            else
                multiply_rows<Arch, Acc>(a, x.x, y, stride, first, last, common{});
        }

        template <class Arch, accumulator Acc, class View>
        void multiply_rows(View const& a, bf16_view const& x, float* y, std::size_t stride, std::size_t first,
                           std::size_t last, scalar const& tag) noexcept
        {
            multiply_rows<Arch, Acc>(a, x.x, y, stride, first, last, tag);
        }

        template <class Arch, accumulator Acc, class View, class X>
        void multiply_rows(View const& a, X const& x, float* y, std::size_t stride, std::size_t first,
                           std::size_t last) noexcept
        {
            multiply_rows<Arch, Acc>(a, x, y, stride, first, last, Arch{});
        }
    }
}
