// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "floats.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace kernel
    {
        // The decoded weights of a block, without step and base, as floats [32 columns, 16 rows]: any layout and
        // codebook. (Not by L::unpack: its code, in this arch's instructions, would have a name without the arch.)
        template <class Arch, class View>
        [[gnu::noinline]] void decode_block(View const& a, std::size_t nth, float* w) noexcept
        {
            using L = typename View::layout;
            using C = typename View::codebook_type;
            code q[block::codes] = {}; // [steps, lanes]
            for_each<L::count>([&](auto p) __attribute__((always_inline)) {
                constexpr unsigned width = L::widths[p], mask = (1u << width) - 1;
                if (p < a.planes)
                    for_each<block::steps>([&](auto s) __attribute__((always_inline)) {
                        constexpr field f = field_of(width, s);
                        std::byte const* const from = a.plane[p] + nth * L::bytes(p) + f.vector * block::lanes;
                        code* const to = q + s * block::lanes;
                        for (std::size_t lane = 0; lane < block::lanes; ++lane)
                        {
                            unsigned const bits = std::to_integer<unsigned>(from[lane]) >> f.shift & mask;
                            to[lane] = static_cast<code>(unsigned{to[lane]} << width | bits);
                        }
                    });
            });
            constexpr bool own = row_codebook<C>, small = !integer_codebook<C> && !own && L::bits <= 4;
            constexpr std::size_t entries = own     ? block::rows << L::bits
                                            : small ? 1u << L::bits // a file may hold codes beyond C::size
                                                    : 1;
            alignas(64) [[maybe_unused]] float entry[entries];
            if constexpr (own)
            {
                using V = vectors<Arch>;
                auto const* const values = a.scales + nth / a.block_stride * a.group_stride * block::rows;
                for (std::size_t i = 0; i < entries; i += V::rows)
                    V::load(values + i).store(entry + i);
            }
            else if constexpr (small)
                for_each<entries>([&](auto i) __attribute__((always_inline)) {
                    entry[i] = a.book.decode(static_cast<code>(i));
                });
            for (std::size_t i = 0; i < block::codes; ++i)
            {
                std::size_t const step = i / block::lanes, lane = i % block::lanes;
                float& to = w[(4 * step + lane % 4) * block::rows + lane / 4];
                if constexpr (linear_codebook<C>)
                    to = static_cast<float>(q[i]);
                else if constexpr (leveled_codebook<C>)
                    to = static_cast<float>(C::level_at(q[i], a.bits));
                else if constexpr (own)
                    to = entry[q[i] * block::rows + lane / 4];
                else if constexpr (small)
                    to = entry[q[i]];
                else
                    to = a.book.decode(q[i]);
            }
        }

        // The same by vectors, for an aligned layout and a codebook that fits them; a leveled one, width by width.
        template <class V, class View>
        [[gnu::noinline]] void decode_levels_by_vectors(View const& a, std::size_t nth, float* w) noexcept
        {
            using L = typename View::layout;
            at_width(
                a, [&](auto bits) __attribute__((always_inline)) {
                    using decode = decoder<V, bits, book_at<typename View::codebook_type, bits>>;
                    auto const table = decode::table(leading_book<bits>(a.book));
                    typename V::floats const unit(1 / decode::unit);
                    auto plane = planes_at<bits>(a, nth);
                    for (std::size_t h = 0; h < block::rows; h += V::rows, advance<L, bits>(plane, V::rows * 4))
                        decode::for_each_column(
                            fields<V, L, bits, decode::width>(plane), table,
                            [&](auto column, typename V::floats level) __attribute__((always_inline)) {
                                (level * unit).store(w + column * block::rows + h);
                            });
                });
        }
        // One text for all widths of others: planes that are not read are 0.
        template <class V, class View>
        [[gnu::noinline]] void decode_block_by_vectors(View const& a, std::size_t nth, float* w) noexcept
        {
            using L = typename View::layout;
            using floats = typename V::floats;
            using decode = decoder<V, L::bits, typename View::codebook_type>;
            auto const table = decode::table(a.book);
            floats const unit(1 / (decode::unit * static_cast<float>(1u << (L::bits - a.bits))));
            std::byte const nothing[block::lanes * 8] = {};
            std::array<std::byte const*, L::count> plane;
            for_each<L::count>([&](auto p) __attribute__((always_inline)) {
                plane[p] = p < a.planes ? a.plane[p] + nth * L::bytes(p) : nothing;
            });
            for (std::size_t h = 0; h < block::rows; h += V::rows, advance<L, L::bits>(plane, V::rows * 4))
            {
                auto const codes = fields<V, L, L::bits, decode::width>(plane);
                decode::for_each_column(
                    codes, table, [&](auto column, floats code) __attribute__((always_inline)) {
                        if constexpr (linear_codebook<typename View::codebook_type>)
                            code = code * unit;
                        code.store(w + column * block::rows + h);
                    });
            }
        }

        // Vectors that share the decoding of a block.
        inline constexpr std::size_t most_vectors = 32;

        // y[vector * stride + row] += for the rows [first, last), at most `most_vectors` vectors, any group:
        // decode(block, w), then multiply. The bound of multiply_exact.
        template <accumulator Acc, class V, class View>
        [[gnu::noinline]] void multiply_blocks(View const& a, exact_view const& x, float* y, std::size_t stride,
                                               std::size_t first, std::size_t last,
                                               void (*decode)(View const&, std::size_t, float*) noexcept) noexcept
        {
            using floats = typename V::floats;
            using C = typename View::codebook_type;
            constexpr std::size_t batches = block::rows / V::rows, side = V::registers / 8; // vectors at a time
            constexpr bool integer = integer_codebook<C>, whole = row_codebook<C>; // whole: decoded with its scale
            floats const step(integer ? a.step : 1.0f);
            float const base = integer ? a.base : 0.0f;
            bool const row_alone = whole || a.groups == 1;
            alignas(64) float w[block::codes], part[side][block::cols], out[block::rows];

            for (std::size_t panel = first / block::rows; panel * block::rows < last; ++panel)
            {
                typename Acc::template of<floats> total[most_vectors][batches];
                for (std::size_t b = 0; b < a.blocks; ++b)
                {
                    decode(a, panel * a.block_stride + b, w);
                    std::size_t const begin = b * block::cols, wide = begin + block::cols;
                    std::size_t const end = wide < a.cols ? wide : a.cols;
                    for (std::size_t left = begin; left < end;) // one turn when groups are multiples of a block
                    {
                        std::size_t const g = row_alone ? 0 : left / a.group, next = (g + 1) * a.group;
                        std::size_t const right = row_alone || next > end ? end : next;
                        group_constants const now(a, panel * a.group_stride + g);
                        for (std::size_t n = 0; n < x.vectors; n += side)
                        {
                            float const* xs[side];
                            float sums[side];
                            for_each<side>([&](auto k) __attribute__((always_inline)) {
                                std::size_t const vector = n + k < x.vectors ? n + k : n;
                                xs[k] = x.x + (vector * x.blocks + b) * block::cols;
                                sums[k] = x.sums[vector * x.blocks + b];
                                if (right - left == end - begin)
                                    return;
                                for (std::size_t c = 0; c < block::cols; ++c) // other groups' x are 0 here
                                    part[k][c] = begin + c >= left && begin + c < right ? xs[k][c] : 0.0f;
                                xs[k] = part[k];
                                sums[k] = sum_of_block(part[k]);
                            });
                            for (std::size_t h = 0; h < batches; ++h)
                            {
                                floats chain[side][4];
                                for_each<side * 4>([&](auto i) __attribute__((always_inline)) {
                                    chain[i / 4][i % 4] = floats(0.0f);
                                });
                                for (std::size_t c = 0; c < block::cols; c += 4)
                                    for_each<4>([&](auto i) __attribute__((always_inline)) {
                                        floats const weight = V::load(w + (c + i) * block::rows + h * V::rows);
                                        for_each<side>([&](auto k) __attribute__((always_inline)) {
                                            chain[k][i] = V::fma(weight, floats(xs[k][c + i]), chain[k][i]);
                                        });
                                    });
                                std::size_t const row = h * V::rows;
                                floats const scale = whole ? floats(1.0f) : V::load(now.scale + row);
                                floats const offset = now.template offset<V>(base, row);
                                for_each<side>([&](auto k) __attribute__((always_inline)) {
                                    floats const dot = (chain[k][0] + chain[k][1]) + (chain[k][2] + chain[k][3]);
                                    if (n + k < x.vectors)
                                        now.template add<V>(total[n + k][h], row, scale,
                                                            V::fma(step, dot, offset * floats(sums[k])), sums[k]);
                                });
                            }
                        }
                        left = right;
                    }
                }
                for (std::size_t n = 0; n < x.vectors; ++n)
                {
                    for (std::size_t h = 0; h < batches; ++h)
                        total[n][h].total().store(out + h * V::rows);
                    add_rows(out, panel, first, last, y + n * stride);
                }
            }
        }
    }
}
