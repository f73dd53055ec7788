// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <utility>
#include "reference.hpp"

namespace jackplane::inline v0
{
    namespace kernel
    {
        // One dword lane is one row of a step: its four bytes are the codes of four columns.
        template <class X>
        struct lanes
        {
            using floats = xsimd::batch<float, X>;
            using dwords = xsimd::batch<std::int32_t, X>;
            static constexpr std::size_t width = floats::size, count = block::rows / width; // batches for 16 rows
            static_assert(block::rows % width == 0);

            // xsimd's vector loads may alias anything. (memcpy into an array first: g++ 12 splits the copy at avx2, the
            // load then waits for two stores, and the whole product takes 10x as long.)
            static dwords load(std::byte const* from) noexcept
            {
                return dwords::load_unaligned(reinterpret_cast<std::int32_t const*>(from));
            }
        };

        // The codes of step s, rows of batch h, merged from the first planes. Steps and planes are template arguments
        // so that every shift is an immediate: g++ 12 at -O2 unrolls no loop (measured: 4x at avx2).
        template <class X, code_layout L, std::size_t S, std::size_t... P>
        typename lanes<X>::dwords merge(std::array<std::byte const*, L::count> const& plane, std::size_t planes,
                                        std::size_t h, std::index_sequence<P...>) noexcept
        {
            using dwords = typename lanes<X>::dwords;
            dwords codes(0);
            auto append = [&]<std::size_t p>(std::integral_constant<std::size_t, p>)
            {
                constexpr unsigned width = L::widths[p];
                constexpr field f = field_of(width, S);
                constexpr auto mask = static_cast<std::int32_t>(0x01010101u * ((1u << width) - 1));
                if (p >= planes)
                    return;
                dwords const bytes = lanes<X>::load(plane[p] + f.vector * block::lanes + h * lanes<X>::width * 4);
                if constexpr (width == 8)
                    codes = bytes;
                else
                    codes = (codes << static_cast<int>(width)) | ((bytes >> static_cast<int>(f.shift)) & dwords(mask));
            };
            (append(std::integral_constant<std::size_t, P>{}), ...);
            return codes;
        }

        // Codes in one byte of each lane -> decoded floats, for a linear codebook without step and base.
        template <class X, codebook C>
        typename lanes<X>::floats decode(C const& book, typename lanes<X>::dwords const& codes) noexcept
        {
            using floats = typename lanes<X>::floats;
            if constexpr (linear_codebook<C>)
                return xsimd::to_float(codes);
            else
            {
                alignas(64) std::int32_t index[floats::size];
                alignas(64) float value[floats::size];
                codes.store_aligned(index);
                for (std::size_t i = 0; i < floats::size; ++i)
                    value[i] = book.decode(static_cast<code>(index[i]));
                return floats::load_aligned(value);
            }
        }

        // sum over the 32 columns of a block of decode(code) * x without step and base, for the rows of batch h. Four
        // chains of 8 terms, added in pairs: at most 10 roundings on the way of a term.
        template <class X, code_layout L, codebook C, std::size_t... S>
        typename lanes<X>::floats dot(std::array<std::byte const*, L::count> const& plane, std::size_t planes,
                                      C const& book, float const* x, std::size_t h, std::index_sequence<S...>) noexcept
        {
            using floats = typename lanes<X>::floats;
            using dwords = typename lanes<X>::dwords;
            floats chain[4] = {floats(0.0f), floats(0.0f), floats(0.0f), floats(0.0f)};
            auto add = [&]<std::size_t s>(std::integral_constant<std::size_t, s>)
            {
                dwords const codes = merge<X, L, s>(plane, planes, h, std::make_index_sequence<L::count>{});
                auto const column = [&](int k) { return decode<X>(book, (codes >> (8 * k)) & dwords(0xff)); };
                chain[0] = xsimd::fma(column(0), floats(x[4 * s]), chain[0]);
                chain[1] = xsimd::fma(column(1), floats(x[4 * s + 1]), chain[1]);
                chain[2] = xsimd::fma(column(2), floats(x[4 * s + 2]), chain[2]);
                chain[3] = xsimd::fma(column(3), floats(x[4 * s + 3]), chain[3]);
            };
            (add(std::integral_constant<std::size_t, S>{}), ...);
            return (chain[0] + chain[1]) + (chain[2] + chain[3]);
        }

        // Any layout, codebook, group and xsimd arch:  y += sum over groups of scale (step dot + (base - zero) sum x).
        // |y - exact| <= (groups + 8) eps sum |scale| (|decode(code)| + |zero|) |x| with the compensated accumulator:
        // at most 13 half-eps on the way of a term.
        template <accumulator Acc, class Arch, code_layout L, codebook C, scale_number S, zero_number Z>
        void multiply_add(packed_view<L, C, S, Z> const& a, exact_view x, float* y, std::size_t first, std::size_t last,
                          common const&)
        {
            using X = typename Arch::batch_arch;
            using floats = typename lanes<X>::floats;
            using steps = std::make_index_sequence<block::steps>;
            constexpr std::size_t width = lanes<X>::width, count = lanes<X>::count;
            alignas(64) float scales[block::rows], offsets[block::rows], sums[block::rows], part[block::cols];

            for (std::size_t panel = first; panel < last; ++panel)
            {
                typename Acc::template of<floats> total[count];
                for (std::size_t nth = 0; nth < a.blocks; ++nth)
                {
                    std::array<std::byte const*, L::count> plane{};
                    for (std::size_t p = 0; p < L::count && p < a.planes; ++p)
                        plane[p] = a.plane[p] + (panel * a.blocks + nth) * L::bytes(p);
                    std::size_t const begin = nth * block::cols, end = std::min(begin + block::cols, a.cols);
                    for (std::size_t left = begin; left < end;) // one turn when groups are multiples of a block
                    {
                        std::size_t const g = left / a.group, right = std::min((g + 1) * a.group, end);
                        float const* xs = x.x + begin;
                        float sum = x.sums[nth];
                        if (right - left < end - begin) // part of a block: the x of the others are 0 here
                        {
                            std::fill(part, part + block::cols, 0.0f);
                            std::copy(x.x + left, x.x + right, part + (left - begin));
                            xs = part;
                            sum = sum_of_block(part);
                        }
                        std::size_t const at = (panel * a.groups + g) * block::rows;
                        for (std::size_t i = 0; i < block::rows; ++i)
                        {
                            scales[i] = to_float(a.scales[at + i]);
                            offsets[i] = a.base - detail::zero(a, at + i);
                        }
                        for (std::size_t h = 0; h < count; ++h)
                        {
                            floats const offset = floats::load_aligned(offsets + h * width) * floats(sum);
                            floats const codes = dot<X, L>(plane, a.planes, a.book, xs, h, steps{});
                            floats const t = xsimd::fma(floats(a.step), codes, offset);
                            total[h].add(floats::load_aligned(scales + h * width), t);
                        }
                        left = right;
                    }
                }
                for (std::size_t h = 0; h < count; ++h)
                    total[h].total().store_aligned(sums + h * width);
                for (std::size_t row = panel * block::rows; row < std::min(a.rows, (panel + 1) * block::rows); ++row)
                    y[row] += sums[row % block::rows];
            }
        }
    }
}
