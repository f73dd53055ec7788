// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "floats.hpp"

namespace jackplane::inline v0
{
    namespace kernel
    {
        // The decoded weights of a block, without step and base, as floats [32 columns, 16 rows]: any layout and codebook.
        template <class Arch, class View>
        [[gnu::noinline]] void decode_block(View const& a, std::size_t nth, float* w) noexcept
        {
            using L = typename View::layout;
            std::byte const* from[L::count];
            for (std::size_t p = 0; p < a.planes; ++p)
                from[p] = a.plane[p] + nth * L::bytes(p);
            code q[block::codes];
            L::unpack(a.planes, from, q);
            for (std::size_t row = 0; row < block::rows; ++row)
                for (std::size_t col = 0; col < block::cols; ++col)
                {
                    code const c = q[row * block::cols + col];
                    if constexpr (linear_codebook<typename View::codebook_type>)
                        w[col * block::rows + row] = static_cast<float>(c);
                    else
                        w[col * block::rows + row] = a.book.decode(c);
                }
        }

        // The same by vectors, for an aligned layout and a codebook that fits them. One text for all widths: planes that
        // are not read are 0.
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
            for (std::size_t p = 0; p < L::count; ++p)
                plane[p] = p < a.planes ? a.plane[p] + nth * L::bytes(p) : nothing;
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
            constexpr bool linear = linear_codebook<C>;
            floats const step(linear ? a.step : 1.0f);
            float const base = linear ? a.base : 0.0f;
            alignas(64) float w[block::codes], part[side][block::cols], out[block::rows];

            for (std::size_t panel = first / block::rows; panel * block::rows < last; ++panel)
            {
                typename Acc::template of<floats> total[most_vectors][batches];
                for (std::size_t b = 0; b < a.blocks; ++b)
                {
                    decode(a, panel * a.blocks + b, w);
                    std::size_t const begin = b * block::cols, wide = begin + block::cols;
                    std::size_t const end = wide < a.cols ? wide : a.cols;
                    for (std::size_t left = begin; left < end;) // one turn when groups are multiples of a block
                    {
                        std::size_t const g = a.groups == 1 ? 0 : left / a.group, next = (g + 1) * a.group;
                        std::size_t const right = a.groups == 1 || next > end ? end : next;
                        std::size_t const at = (panel * a.groups + g) * block::rows;
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
                                floats const scale = V::load(a.scales + at + h * V::rows);
                                floats offset(base - C::centre);
                                if constexpr (zero_is_stored<View>)
                                    offset = floats(base) - V::load(a.zeros + at + h * V::rows);
                                for_each<side>([&](auto k) __attribute__((always_inline)) {
                                    floats const dot = (chain[k][0] + chain[k][1]) + (chain[k][2] + chain[k][3]);
                                    if (n + k < x.vectors)
                                        total[n + k][h].add(scale, V::fma(step, dot, offset * floats(sums[k])));
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
