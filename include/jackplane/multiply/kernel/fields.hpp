// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <bit>
#include <utility>
#include "../../pack/planes.hpp"
#include "vectors.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace kernel
    {
        template <std::size_t... I, class Body>
        [[gnu::always_inline]] inline void for_each(std::index_sequence<I...>, Body&& body) noexcept
        {
            (body(std::integral_constant<std::size_t, I>{}), ...);
        }
        // body(integral_constant<0>) .. body(integral_constant<N - 1>): shifts and array places are constants of the
        // code. (g++ 12 at -O2 unrolls no loop: 4x slower at avx2.)
        template <std::size_t N, class Body>
        [[gnu::always_inline]] inline void for_each(Body&& body) noexcept
        {
            for_each(std::make_index_sequence<N>{}, body);
        }

        // body(integral_constant<unsigned, bits>) for the width that the matrix is read at
        template <class View, class Body>
        [[gnu::always_inline]] inline void at_width(View const& a, Body&& body) noexcept
        {
            using L = typename View::layout;
            for_each<L::count>([&](auto p) __attribute__((always_inline)) {
                constexpr unsigned width = L::prefix_bits(p + 1);
                if constexpr (width == L::bits || nested_codebook<typename View::codebook_type>)
                    if (a.bits == width)
                        body(std::integral_constant<unsigned, width>{});
            });
        }

        // The codebook of the leading Bits bits, where those of a leveled one have another than all of them.
        template <codebook C, unsigned Bits>
        struct book_of
        {
            using type = C;
        };
        template <leveled_codebook C, unsigned Bits>
            requires(Bits < C::bits)
        struct book_of<C, Bits>
        {
            using type = typename C::template narrowed<Bits>;
        };
        template <codebook C, unsigned Bits>
        using book_at = typename book_of<C, Bits>::type;
        template <unsigned Bits, codebook C>
        [[gnu::always_inline]] inline book_at<C, Bits> leading_book(C const& book) noexcept
        {
            if constexpr (std::same_as<book_at<C, Bits>, C>)
                return book;
            else
                return {};
        }

        // Planes are read once, in order, several streams at a time: too many for the prefetchers of today's cores. So
        // every block asks for a later one, all streams together. By trial, 4096 x 4096 from memory: of 4 planes and
        // more 6 blocks ahead (on Zen 4, from 9 on every width loses a tenth to a third); of fewer 8 KB (4 KB loses a
        // tenth at 3 bits, 16 KB at 2). Several lines of one plane at a time are no better.
        template <code_layout L, unsigned Bits>
        inline constexpr std::size_t blocks_ahead = L::planes_of(Bits) < 4 ? 8192 / (Bits * block::lanes) : 6;

        // plane[p]: a block of plane p, of the leading Bits bits
        template <code_layout L, unsigned Bits>
        [[gnu::always_inline]] inline void fetch_ahead(std::array<std::byte const*, L::count> const& plane) noexcept
        {
            for_each<L::planes_of(Bits)>([&](auto p) __attribute__((always_inline)) {
                for_each<L::widths[p]>([&](auto v) __attribute__((always_inline)) {
                    // an address, never read: it may lie beyond the plane
                    auto const line = reinterpret_cast<std::uintptr_t>(plane[p]) + v * block::lanes;
                    __builtin_prefetch(reinterpret_cast<void const*>(line + blocks_ahead<L, Bits> * L::bytes(p)));
                });
            });
        }

        // The leading Bits bits of the codes of a block, as Width vectors of fields of Width bits (field_of tells which
        // step lies where), merged pairwise from its planes: bits [Start, Start + Width) from the top; bits beyond Bits
        // are 0. plane[p] points at the rows that are wanted. Flip: the top bit of every code is flipped.
        template <class V, code_layout L, unsigned Bits, unsigned Width, unsigned Start = 0, bool Flip = false>
        [[gnu::always_inline]] inline auto fields(std::array<std::byte const*, L::count> const& plane) noexcept
        {
            std::array<typename V::bytes, Width> out;
            constexpr std::size_t p = L::plane_at(Start);
            static_assert(p < L::count, "this layout is not aligned");
            if constexpr (L::widths[p] == Width)
                for_each<Width>([&](auto v) __attribute__((always_inline)) {
                    out[v] = V::load_bytes(plane[p] + v * block::lanes);
                    if constexpr (Flip)
                        out[v] = V::template flip<0xff / ((1u << Width) - 1) << (Width - 1)>(out[v]);
                });
            else
            {
                constexpr unsigned w = Width / 2, mask = upper_of_pairs<w>;
                // vector v gives 2v and 2v + 1; of bytes, v = 2c + q gives the steps 4c + q and 4c + q + 2
                constexpr auto first = [](std::size_t v) { return w == 4 ? v / 2 * 4 + v % 2 : 2 * v; };
                constexpr std::size_t apart = w == 4 ? 2 : 1;
                auto high = fields<V, L, Bits, w, Start, Flip>(plane);
                if constexpr (Start + w >= Bits)
                    for_each<w>([&](auto v) __attribute__((always_inline)) {
                        out[first(v)] = V::template keep<mask>(high[v]);
                        out[first(v) + apart] = V::template keep<mask>(V::template left<w>(high[v]));
                    });
                else
                {
                    auto low = fields<V, L, Bits, w, Start + w>(plane);
                    for_each<w>([&](auto v) __attribute__((always_inline)) {
                        V::template exchange<w>(high[v], low[v]);
                        out[first(v)] = high[v];
                        out[first(v) + apart] = low[v];
                    });
                }
            }
            return out;
        }

        // The width of the fields that codes of so many bits are merged to.
        constexpr unsigned field_width(unsigned bits) noexcept { return bits < 2 ? 2 : std::bit_ceil(bits); }

        // The step whose field lies `shift` bits up in vector v: the inverse of field_of.
        constexpr std::size_t step_of(unsigned width, std::size_t v, unsigned shift) noexcept
        {
            std::size_t s = 0;
            while (field_of(width, s).vector != v || field_of(width, s).shift != shift)
                ++s;
            return s;
        }

        // body(step, vector of fields, shift of the step's field) for all steps of a block
        template <unsigned Width, class Fields, class Body>
        [[gnu::always_inline]] inline void for_each_step(Fields const& f, Body&& body) noexcept
        {
            for_each<Width>([&](auto v) __attribute__((always_inline)) {
                for_each<8 / Width>([&](auto i) __attribute__((always_inline)) {
                    constexpr unsigned shift = i * Width;
                    body(std::integral_constant<std::size_t, step_of(Width, v, shift)>{}, f[v],
                         std::integral_constant<unsigned, shift>{});
                });
            });
        }

        // The planes of Bits bits of block `nth`: panel * block_stride + the block in its panel.
        template <unsigned Bits, class View>
        [[gnu::always_inline]] inline auto planes_at(View const& a, std::size_t nth) noexcept
        {
            using L = typename View::layout;
            std::array<std::byte const*, L::count> plane{};
            for_each<L::planes_of(Bits)>([&](auto p) __attribute__((always_inline)) {
                plane[p] = a.plane[p] + nth * L::bytes(p);
            });
            return plane;
        }
        template <code_layout L, unsigned Bits>
        [[gnu::always_inline]] inline void advance(std::array<std::byte const*, L::count>& plane,
                                                   std::size_t bytes) noexcept
        {
            for_each<L::planes_of(Bits)>([&](auto p) __attribute__((always_inline)) { plane[p] += bytes; });
        }

        template <code_layout L, unsigned Bits>
        [[gnu::always_inline]] inline void skip(std::array<std::byte const*, L::count>& plane,
                                                std::size_t blocks) noexcept
        {
            for_each<L::planes_of(Bits)>([&](auto p)
                                             __attribute__((always_inline)) { plane[p] += blocks * L::bytes(p); });
        }

        // y[row] += sums[row] for the rows of this panel that lie in [first, last)
        [[gnu::always_inline]] inline void add_rows(float const* sums, std::size_t panel, std::size_t first,
                                                    std::size_t last, float* y) noexcept
        {
            std::size_t const begin = panel * block::rows, end = begin + block::rows;
            for (std::size_t row = begin < first ? first : begin; row < (end < last ? end : last); ++row)
                y[row] += sums[row - begin];
        }
    }
}
