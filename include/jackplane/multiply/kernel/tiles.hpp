// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "blocks.hpp"
#include "bytes.hpp"
#include "integers.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace kernel
    {
        // Vectors that share the decoding of a stretch of a panel: 32 lose a seventh to it.
        inline constexpr std::size_t vectors_of_a_stretch = 128;

        // What decoded codes mean without a zero: step * code + base.
        struct tile_levels : uniform<8>
        {
            static constexpr float centre = 0;
        };

        // A stretch of a panel, decoded to what the machine multiplies at once: bytes, or fields of four bits, those
        // of wider codes in two planes. Levels are bytes.
        template <class V, code_layout L, codebook C>
        inline constexpr bool tile_in_halves = !multiplies_whole_bytes<V> && L::widths[0] <= 4 && !leveled_codebook<C>;
        template <class V, code_layout L, codebook C>
        using tile_layout = std::conditional_t<
            multiplies_matrices<V>, paired_bytes,
            std::conditional_t<flips<V>, flipped_bytes,
                               std::conditional_t<tile_in_halves<V, L, C>, planes<4, 4>, planes<8>>>>;

        // Decoded codes have so many bits of 0 below those of the code; levels have none.
        template <class V, code_layout L, codebook C, unsigned Bits>
        inline constexpr unsigned tile_extra = levels<V, C, Bits>::looked_up ? 0
                                               : tile_in_halves<V, L, C>     ? (Bits <= 4 ? 4 : 8) - Bits
                                                                             : field_width(Bits) - Bits;

        // The codes of `count` blocks, laid out as the tile's: of a table its levels.
        template <class V, unsigned Bits, class Tile, class View>
        [[gnu::noinline]] void decode_tile(View const& a, std::size_t nth, std::size_t count,
                                           std::array<std::byte*, Tile::count> to) noexcept
        {
            using L = typename View::layout;
            using C = typename View::codebook_type;
            using level = levels<V, C, Bits>;
            constexpr unsigned width = field_width(Bits);
            auto const entries = level::template bytes<level::share>(a.book);
            for (std::size_t b = 0; b < count; ++b)
            {
                auto plane = planes_at<Bits>(a, nth + b);
                fetch_ahead<L, Bits>(plane);
                for (std::size_t h = 0; h < block::rows; h += V::rows, advance<L, Bits>(plane, V::rows * 4))
                    if constexpr (tile_in_halves<V, L, C>)
                    {
                        constexpr unsigned top = Bits < 4 ? Bits : 4;
                        auto const put = [&](auto const& codes, std::byte* half) __attribute__((always_inline))
                        {
                            for_each<4>([&](auto v) __attribute__((always_inline)) {
                                V::store(codes[v], half + v * block::lanes + h * 4);
                            });
                        };
                        put(fields<V, L, top, 4>(plane), to[0]);
                        if constexpr (Bits > 4)
                            put(fields<V, L, Bits, 4, 4>(plane), to[1]);
                    }
                    else
                    {
                        [[maybe_unused]] std::array<typename V::bytes, block::steps> all;
                        for_each_step<width>(
                            fields<V, L, Bits, width>(plane),
                            [&](auto s, auto const& field, auto shift) __attribute__((always_inline)) {
                                auto code = field;
                                if constexpr (shift != 0)
                                    code = V::template right<shift>(code);
                                if constexpr (width < 8)
                                    code = V::template keep<(1u << width) - 1>(code);
                                if constexpr (level::looked_up && width == 8)
                                    code = levels_of_bytes<V>(entries, code);
                                else if constexpr (level::looked_up)
                                    code = V::look_up_bytes(entries, code);
                                if constexpr (flips<V>)
                                    code = V::template flip<0x80>(code);
                                if constexpr (multiplies_matrices<V>)
                                    all[s] = code;
                                else
                                    V::store(code, to[0] + s * block::lanes + h * 4);
                            });
                        if constexpr (multiplies_matrices<V>)
                            for_each<block::steps / 2>([&](auto s) __attribute__((always_inline)) {
                                V::pair_steps(all[2 * s], all[2 * s + 1]);
                                V::store(all[2 * s], to[0] + 2 * s * block::lanes + h * 4);
                                V::store(all[2 * s + 1], to[0] + (2 * s + 1) * block::lanes + h * 4);
                            });
                    }
                for_each<Tile::count>([&](auto p) __attribute__((always_inline)) { to[p] += Tile::bytes(p); });
            }
        }

        // total += one stretch of a panel, decoded, times Vectors vectors
        template <accumulator Acc, class V, unsigned Bits, unsigned Limbs, std::size_t Vectors, class Part>
        [[gnu::noinline]] void add_tile(Part const& part, limbs_view<Limbs> const& x, totals<Acc, V>* to) noexcept
        {
            totals<Acc, V> total[Vectors];
            __builtin_memcpy(&total, to, sizeof total);
            add_panel<Acc, V, Bits, Limbs, Vectors, false>(part, 0, dot_values<V, Bits, Part>(part), x, total);
            __builtin_memcpy(to, &total, sizeof total);
        }

        // A stretch of a panel as a matrix of the tile's layout, whose one panel it is.
        template <class V, class View>
        struct field_stretch;
        template <class V, code_layout L, codebook C, scale_number S, zero_number Z>
        struct field_stretch<V, packed_view<L, C, S, Z>>
        {
            using View = packed_view<L, C, S, Z>;
            using layout = tile_layout<V, L, C>;
            static constexpr bool exact = integer_codebook<C>;
            static constexpr std::size_t room = 1024;        // columns
            alignas(64) std::byte codes[room * block::rows]; // 16 KB: in L1
            packed_view<layout, tile_levels, S, Z> part{};
            std::array<std::byte*, layout::count> to;

            [[gnu::always_inline]] explicit field_stretch(View const& a) noexcept
            {
                part.cols = a.cols;
                part.bits = tile_in_halves<V, L, C> && a.bits <= 4 ? 4 : 8;
                part.planes = layout::planes_of(part.bits);
                part.base = exact ? a.base : a.book.decode(0);
                if constexpr (!zero_is_stored<View>)
                    part.base -= C::centre;
                part.panels = 1; // so that no stride is read
                part.rows = block::rows;
                for (std::size_t p = 0; p < layout::count; ++p)
                    part.plane[p] = to[p] = codes + p * (room / block::cols * layout::bytes(0));
            }
            [[gnu::always_inline]] static std::size_t most_cols(View const&) noexcept { return room; }
            [[gnu::always_inline]] float step(View const&) const noexcept { return part.step; }

            // the columns [begin, end) of a panel, in those groups
            [[gnu::always_inline]] void decode(View const& a, std::size_t panel, std::size_t begin, std::size_t end,
                                               std::size_t first_group, std::size_t groups) noexcept
            {
                part.blocks = (end - begin) / block::cols;
                at_width(
                    a, [&](auto bits) __attribute__((always_inline)) {
                        decode_tile<V, bits, layout>(a, panel * a.block_stride + begin / block::cols, part.blocks, to);
                        constexpr float below = 1u << tile_extra<V, L, C, bits>;
                        part.step = (exact ? a.step : levels<V, C, bits>::unit(a.book)) / below;
                    });
                std::size_t const at = (panel * a.group_stride + first_group) * block::rows;
                part.group = a.groups == 1 ? a.blocks * block::cols : a.group;
                part.groups = groups;
                part.scales = a.scales + at;
                if constexpr (zero_is_stored<View>)
                    part.zeros = a.zeros + at;
            }
            template <accumulator Acc, std::size_t Vectors, unsigned Limbs>
            [[gnu::always_inline]] void add(View const&, limbs_view<Limbs> const& x, totals<Acc, V>* total) noexcept
            {
                at_width(
                    part, [&](auto bits) __attribute__((always_inline)) {
                        add_tile<Acc, V, bits, Limbs, Vectors>(part, x, total);
                    });
            }
        };

        // y[n * stride + row] += for the rows [first, last) and several vectors. Codes are decoded, a stretch of a
        // panel at a time, and multiplied by all vectors from there.
        template <accumulator Acc, class V, unsigned Limbs, code_layout L, codebook C, scale_number S, zero_number Z>
        [[gnu::noinline]] void multiply_tiles(packed_view<L, C, S, Z> const& a, limbs_view<Limbs> const& x, float* y,
                                              std::size_t stride, std::size_t first, std::size_t last) noexcept
        {
            using View = packed_view<L, C, S, Z>;
            using tile = tiles<Limbs>;
            std::conditional_t<shares_x<V>, byte_stretch<V, View>, field_stretch<V, View>> stretch(a);
            std::size_t const cols = a.blocks * block::cols, group = a.groups == 1 ? cols : a.group;
            std::size_t const most_cols = stretch.most_cols(a);
            std::size_t const whole_groups = group < most_cols ? most_cols / group * group : most_cols;
            for (std::size_t panel = first / block::rows; panel * block::rows < last; ++panel)
                for (std::size_t n = 0; n < x.x.vectors; n += vectors_of_a_stretch)
                {
                    std::size_t const left = x.x.vectors - n,
                                      vectors = left < vectors_of_a_stretch ? left : vectors_of_a_stretch;
                    totals<Acc, V> total[vectors_of_a_stretch];
                    for (std::size_t begin = 0, end; begin < cols; begin = end)
                    {
                        std::size_t const limit = group < most_cols ? cols : (begin / group + 1) * group;
                        end = begin + whole_groups < limit ? begin + whole_groups : limit;
                        end = end < cols ? end : cols;
                        stretch.decode(a, panel, begin, end, begin / group, ceil_div(end, group) - begin / group);

                        limbs_view<Limbs> tile_x = x;
                        tile_x.groups = ceil_div(end - begin, x.group);
                        for (std::size_t before = n, width; before < n + vectors; before += width)
                        {
                            width =
                                tile::width(x.x.vectors - before); // vectors_of_a_stretch is a multiple of every tile
                            tile_x.q = x.q + (before * cols + begin * width) * Limbs;
                            tile_x.scales = x.scales + before * x.groups + begin / x.group * width;
                            tile_x.sums = x.sums + (before * x.groups + begin / x.group * width) * Limbs;
                            auto* const to = total + (before - n);
                            if (width == 1)
                                stretch.template add<Acc, 1>(a, tile_x, to);
                            else if (width == 4)
                                stretch.template add<Acc, 4>(a, tile_x, to);
                            else
                                stretch.template add<Acc, tile::widest>(a, tile_x, to);
                        }
                    }
                    for (std::size_t k = 0; k < vectors; ++k)
                        add_totals<Acc, V>(total[k], stretch.step(a), panel, first, last, y + (n + k) * stride);
                }
        }
    }
}
