// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "floats.hpp"

// A row_codebook has a table for each row, and a look-up has one table for all lanes: so lanes are columns of one row
// here, not rows of one column.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace kernel
    {
        template <class V, class View>
        inline constexpr bool looks_up_by_row = row_codebook<typename View::codebook_type> && View::layout::aligned() &&
                                                View::layout::bits <= 4 && V::looks_up;

        // all[0] += the others of a power of two
        template <class Number>
        [[gnu::always_inline]] inline void add_in_pairs(Number* all, std::size_t count) noexcept
        {
            for (count /= 2; count > 0; count /= 2)
                for (std::size_t i = 0; i < count; ++i)
                    all[i] = all[i] + all[i + count];
        }

        // How far up in its dword of fields of Width bits the code of each column of a block lies.
        template <unsigned Width>
        struct columns_of_row
        {
            alignas(64) std::array<std::uint32_t, block::cols> up{};

            constexpr columns_of_row() noexcept
            {
                for (unsigned column = 0; column < block::cols; ++column)
                    up[column] = column % 4 * 8 + field_of(Width, column / 4).shift;
            }
        };
        template <class V, unsigned Width> // V for its name: an arch's units define nothing that others have, too
        inline constexpr columns_of_row<Width> columns;

        // Lane i: in its lowest bits the code of column Nth * V::rows + i of one row, others' above it. `row` is that
        // row's dword in the first of Width vectors of fields.
        template <class V, unsigned Width, std::size_t Nth>
        [[gnu::always_inline]] inline auto codes_of_row(std::byte const* row) noexcept
        {
            constexpr std::size_t step = Nth * V::rows / 4, steps = V::rows / 4; // of 4 columns
            constexpr auto vector = [](std::size_t s) { return field_of(Width, step + s).vector; };
            constexpr std::size_t one = vector(0), other = vector(steps > 1);
            static_assert(steps < 4 || (vector(2) == one && vector(3) == other));
            auto const dword = [&](std::size_t at) __attribute__((always_inline))
            {
                return V::broadcast_bytes(reinterpret_cast<std::int8_t const*>(row + at * block::lanes));
            };
            auto codes = dword(one);
            if constexpr (one != other)
                codes = V::in_turn(codes, dword(other));
            return V::right_by(codes, columns<V, Width>.up.data() + Nth * V::rows);
        }

        // The tables of a panel's rows; `entry` is addressed by 4 bits, as decoder::table is.
        template <class V, class View>
        [[gnu::always_inline]] inline void tables_of_rows(View const& a, std::size_t panel,
                                                          float (&entry)[block::rows][16]) noexcept
        {
            constexpr unsigned bits = View::layout::bits;
            alignas(64) float row[block::rows];
            for (unsigned i = 0; i < 16; ++i)
            {
                unsigned const q = decoder<V, bits, typename View::codebook_type>::code_at(i);
                auto const* const values = a.scales + (panel * a.group_stride + q) * block::rows;
                for (std::size_t h = 0; h < block::rows; h += V::rows)
                    V::load(values + h).store(row + h);
                for (std::size_t nth = 0; nth < block::rows; ++nth)
                    entry[nth][i] = row[nth];
            }
        }

        // to [blocks, Width, 16 dwords]: the fields of so many blocks from plane on
        template <class V, code_layout L, unsigned Width>
        [[gnu::always_inline]] inline void merge_planes(std::array<std::byte const*, L::count> plane,
                                                        std::size_t blocks, std::byte* to) noexcept
        {
            for (std::size_t i = 0; i < blocks; ++i, skip<L, L::bits>(plane, 1), to += Width * block::lanes)
                for (std::size_t h = 0; h < block::lanes; h += V::rows * 4)
                {
                    auto rows = plane;
                    advance<L, L::bits>(rows, h);
                    auto const codes = fields<V, L, L::bits, Width>(rows);
                    for_each<Width>([&](auto v) __attribute__((always_inline)) {
                        V::store(codes[v], to + v * block::lanes + h);
                    });
                }
        }

        // y[vector * stride + row] += for the rows [first, last), at most Side vectors, which share each look-up. The
        // bound of multiply_exact: chains of 8 terms, which are added in pairs, as in the end lanes are.
        template <accumulator Acc, class V, std::size_t Side, class View>
        [[gnu::noinline]] void multiply_by_row(View const& a, exact_view const& x, float* y, std::size_t stride,
                                               std::size_t first, std::size_t last) noexcept
        {
            using floats = typename V::floats;
            using L = typename View::layout;
            constexpr unsigned width = decoder<V, L::bits, typename View::codebook_type>::width;
            constexpr std::size_t most = 8, bytes = width * block::lanes; // blocks of a chain; of the fields of a block
            constexpr std::size_t parts = block::cols / V::rows;
            constexpr bool merged = L::widths[0] != width;
            alignas(64) std::byte merge[merged ? most * bytes : 1];
            alignas(64) float entry[block::rows][16], lane[block::rows];
            float const* xs[Side]; // what is too many is the first again, and forgotten
            bool finite[Side];     // a product with Inf alone is Inf
            for (std::size_t n = 0; n < Side; ++n)
            {
                xs[n] = x.x + (n < x.vectors ? n : 0) * x.blocks * block::cols;
                finite[n] = all_finite(x, n < x.vectors ? n : 0);
            }

            for (std::size_t panel = first / block::rows; panel * block::rows < last; ++panel)
            {
                tables_of_rows<V>(a, panel, entry);
                typename Acc::template of<floats> total[Side][block::rows];
                for (std::size_t b = 0; b < a.blocks; b += most)
                {
                    std::size_t const count = a.blocks - b < most ? a.blocks - b : most;
                    auto const plane = planes_at<L::bits>(a, panel * a.block_stride + b);
                    std::byte const* const from = merged ? merge : plane[0];
                    if constexpr (merged)
                        merge_planes<V, L, width>(plane, count, merge);
                    for (std::size_t row = 0; row < block::rows; ++row)
                    {
                        if (auto next = plane; row < count) // not all at once: there are few places for lines to come
                        {
                            skip<L, L::bits>(next, row);
                            fetch_ahead<L, L::bits>(next);
                        }
                        auto const table = V::make_table(entry[row]);
                        floats chain[Side][parts];
                        for_each<Side * parts>([&](auto k) __attribute__((always_inline)) {
                            chain[k / parts][k % parts] = floats(0.0f);
                        });
                        for (std::size_t i = 0; i < count; ++i)
                            for_each<parts>([&](auto k) __attribute__((always_inline)) {
                                auto const codes = codes_of_row<V, width, k>(from + i * bytes + row * 4);
                                floats const weight = V::template look_up<0>(table, codes);
                                for_each<Side>([&](auto n) __attribute__((always_inline)) {
                                    floats const of_block = V::load(xs[n] + (b + i) * block::cols + k * V::rows);
                                    chain[n][k] = V::fma(weight, of_block, chain[n][k]);
                                });
                            });
                        for_each<Side>([&](auto n) __attribute__((always_inline)) {
                            add_in_pairs(chain[n], parts);
                            total[n][row].add(floats(1.0f), chain[n][0]);
                        });
                    }
                }
                alignas(64) float out[block::rows];
                for (std::size_t n = 0; n < x.vectors; ++n)
                {
                    for (std::size_t row = 0; row < block::rows; ++row)
                    {
                        total[n][row].total().store(lane);
                        add_in_pairs(lane, V::rows);
                        out[row] = finite[n] ? lane[0] : __builtin_nanf("");
                    }
                    add_rows(out, panel, first, last, y + n * stride);
                }
            }
        }

        // Any number of vectors: panel by panel, whose codes are in the cache for all after the first `side`.
        template <accumulator Acc, class V, class View>
        void multiply_all_by_row(View const& a, exact_view const& x, float* y, std::size_t stride, std::size_t first,
                                 std::size_t last) noexcept
        {
            constexpr std::size_t fit = V::registers / 2 / (block::cols / V::rows); // their chains, in half of all
            constexpr std::size_t side = fit < 4 ? fit : 4;
            if (x.vectors == 1)
                return multiply_by_row<Acc, V, 1>(a, x, y, stride, first, last);
            for (std::size_t next; first < last; first = next)
            {
                next = (first / block::rows + 1) * block::rows;
                next = next < last ? next : last;
                for (std::size_t n = 0; n < x.vectors; n += side)
                {
                    exact_view some = x;
                    some.x += n * x.blocks * block::cols;
                    some.sums += n * x.blocks;
                    some.vectors = x.vectors - n < side ? x.vectors - n : side;
                    multiply_by_row<Acc, V, side>(a, some, y + n * stride, stride, first, next);
                }
            }
        }
    }
}
