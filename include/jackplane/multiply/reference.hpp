// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include "../pack/packed.hpp"
#include "kernel/limbs.hpp"

// The definition of a product: plain loops, sums in double.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace kernel
    {
        // y[n, r] += sum_c w^(r, c) x(n, c) for the rows [first, last), w^ by the formula in double
        template <class View, class Values>
        void multiply_values(View const& a, std::size_t vectors, Values&& x, float* y, std::size_t stride,
                             std::size_t first, std::size_t last) noexcept
        {
            using C = typename View::codebook_type;
            using Z = std::remove_cvref_t<decltype(*a.zeros)>;
            for (std::size_t row = first; row < last; ++row)
                for (std::size_t n = 0; n < vectors; ++n)
                {
                    double sum = 0;
                    for (std::size_t col = 0; col < a.cols; ++col)
                    {
                        unsigned const q = detail::code_at(a, row, col);
                        std::size_t const at = detail::scale_index(a, row, row_codebook<C> ? q : col);
                        double const scale = static_cast<double>(to_float(a.scales[at]));
                        double const decoded = static_cast<double>(detail::decode(a, q));
                        double const zero = static_cast<double>(detail::zero(a, at));
                        sum += (row_codebook<C> ? scale : value_of<Z>(scale, decoded, zero)) * x(n, col);
                    }
                    y[n * stride + row] = static_cast<float>(static_cast<double>(y[n * stride + row]) + sum);
                }
        }

        template <class Arch, accumulator, class View>
        void multiply_rows(View const& a, exact_view const& x, float* y, std::size_t stride, std::size_t first,
                           std::size_t last, scalar const&) noexcept
        {
            auto const value = [&](std::size_t vector, std::size_t col)
            {
                float const v = x.x[vector * x.blocks * block::cols + col];
                return is_finite(v) ? static_cast<double>(v) : __builtin_nan("");
            };
            multiply_values(a, x.vectors, value, y, stride, first, last);
        }

        // x as its integers say: s sum_l 256^l q_l
        template <class Arch, accumulator, class View, unsigned Limbs>
        void multiply_rows(View const& a, limbs_view<Limbs> const& x, float* y, std::size_t stride, std::size_t first,
                           std::size_t last, scalar const&) noexcept
        {
            std::size_t const groups = x.groups, cols = x.x.blocks * block::cols;
            auto const value = [&](std::size_t vector, std::size_t col)
            {
                std::size_t tile = 0, width = tiles<Limbs>::width(x.x.vectors); // places before the tile
                std::size_t left = x.x.vectors;
                for (; vector >= width; width = tiles<Limbs>::width(left))
                {
                    vector -= width;
                    tile += width;
                    left -= width;
                }
                double sum = 0;
                for (std::size_t l = Limbs; l-- > 0;)
                    sum = sum * 256 + x.q[tile * cols * Limbs + ((col / 4 * width + vector) * Limbs + l) * 4 + col % 4];
                return static_cast<double>(x.scales[tile * groups + col / x.group * width + vector]) * sum;
            };
            multiply_values(a, x.x.vectors, value, y, stride, first, last);
        }

        template <class Arch, unsigned Limbs>
        void prepare_limbs(exact_view const& x, std::size_t group, limbs_range range, limbs_memory to,
                           scalar const&) noexcept
        {
            prepare_tiles<Limbs>(
                x, group, to,
                [&](float const* from, std::size_t cols, std::size_t stride, limbs_memory at)
                {
                    float largest = 0;
                    for (std::size_t c = 0; c < cols; ++c)
                        largest = is_finite(from[c]) ? detail::max(largest, detail::abs(from[c]))
                                                     : __builtin_inff();
                    if (!is_finite(largest))
                        return blank_group<Limbs>(__builtin_nanf(""), cols, stride, at);
                    float const scale = detail::max(largest / range.largest, range.smallest_scale), inverse = 1 / scale;
                    blank_group<Limbs>(scale, cols, stride, at);
                    for (std::size_t c = 0; c < cols; ++c)
                    {
                        auto q = static_cast<std::int32_t>(detail::nearbyint(from[c] * inverse));
                        for (std::size_t l = 0; l < Limbs; ++l)
                        {
                            auto const digit =
                                l + 1 < Limbs ? static_cast<std::int8_t>(q & 0xff) : static_cast<std::int8_t>(q);
                            q = (q - digit) / 256;
                            at.sums[l] += static_cast<float>(digit); // whole numbers, exact
                            at.block_sums[c / block::cols * stride * Limbs + l] += static_cast<float>(digit);
                            at.q[((c / 4 * stride) * Limbs + l) * 4 + c % 4] = digit;
                        }
                    }
                });
        }
    }
}
