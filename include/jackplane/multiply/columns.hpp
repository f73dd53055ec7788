// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include "../pack/column_cache.hpp"
#include "multiply.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // What sum_columns needs beside its arguments; keeps its memory from one sum to the next.
    template <activation A>
    struct scaled_weights
    {
        typename A::prepared ready;
        aligned_vector<float> weights; // [vectors, columns] of one group, times its scales
        aligned_vector<float> scales;  // [columns] of that group
        aligned_vector<float> zeros;   // [columns] likewise: centre - zero
        aligned_vector<float> offsets; // [vectors]

        // So many vectors of so many columns allocate nothing afterwards.
        template <class Arch = best_arch>
        void reserve(A const& how, std::size_t vectors, std::size_t columns)
        {
            resize(vectors, columns);
            how.template prepare<Arch>(matrix_view<float const>{weights.data(), vectors, columns}, ready);
        }
        void resize(std::size_t vectors, std::size_t columns)
        {
            weights.resize(vectors * columns);
            scales.resize(columns);
            zeros.resize(columns);
            offsets.resize(vectors);
        }
    };

    namespace detail
    {
        // to = w * scales, number by number; returns the sum of to * zeros. Eight sums side by side, in the same order
        // everywhere: weights of 0 at the end change no bit.
        inline float scale_weights(float const* w, float const* scales, float const* zeros, std::size_t n,
                                   float* to) noexcept
        {
            constexpr std::size_t lanes = 8;
            float sum[lanes] = {};
            std::size_t p = 0;
            for (; p + lanes <= n; p += lanes)
                for (std::size_t l = 0; l < lanes; ++l)
                {
                    to[p + l] = w[p + l] * scales[p + l];
                    sum[l] += to[p + l] * zeros[p + l];
                }
            for (std::size_t l = 0; l < lanes && p < n; ++p, ++l)
            {
                to[p] = w[p] * scales[p];
                sum[l] += to[p] * zeros[p];
            }
            return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
        }
    }

    // y[n] = sum over p of weights[n, p] v[first + p], by the leading bits of v: what attention makes of values.
    // weights [vectors, columns], y [vectors, v.length()]; `first`, a multiple of 32, skips vectors that a window has
    // left behind. With (scale s, zero z) of a group of the numbers of vector p
    //     y = sum_p (w_p s_p) (decode(code_p) - centre) + sum_p (w_p s_p) (centre - z_p)
    // whose first sum is a product of a packed matrix with the x = w s that `how` prepares, once for each group.
    // Throws shape_error, width_error; y is NaN where a weight of its row is NaN or Inf.
    template <arch Arch = best_arch, accumulator Acc = suited, code_layout L, class P, scale_number S, activation A>
    void sum_columns(column_cache<L, P, S> const& v, unsigned bits, matrix_view<float const> weights, std::size_t first,
                     matrix_view<float> y, A const& how, scaled_weights<A>& with)
    {
        std::size_t const vectors = weights.rows, columns = weights.cols;
        JACKPLANE_EXPECTS(y.rows == vectors && y.cols == v.length(), shape_error, vectors, " sums of vectors of ",
                          v.length(), " numbers into y of ", y.rows, " x ", y.cols);
        JACKPLANE_EXPECTS(first <= v.size() && columns <= v.size() - first, shape_error, columns,
                          " weights from vector ", first, " on, of ", v.size());
        expect_whole(weights, "weights");
        expect_whole(y, "y");
        with.resize(vectors, columns);
        std::size_t group = v.groups(); // none yet
        for (std::size_t nth = 0; nth < v.panels(); ++nth)
        {
            auto const a = v.panel(nth, bits, first, first + columns);
            if (v.group_of(nth) != group)
            {
                group = v.group_of(nth);
                auto const* const scales = v.scales(group) + first;
                for (std::size_t p = 0; p < columns; ++p)
                    with.scales[p] = to_float(scales[p]);
                if constexpr (column_cache<L, P, S>::has_zeros)
                {
                    auto const* const zeros = v.zeros(group) + first;
                    for (std::size_t p = 0; p < columns; ++p)
                        with.zeros[p] = static_cast<float>(v.centre) - to_float(zeros[p]);
                }
                else
                    std::fill(with.zeros.begin(), with.zeros.end(), 0.0f); // another cache may have left some there
                for (std::size_t n = 0; n < vectors; ++n)
                    with.offsets[n] =
                        detail::scale_weights(weights.row(n).data(), with.scales.data(), with.zeros.data(), columns,
                                              with.weights.data() + n * columns);
                how.template prepare<Arch>(matrix_view<float const>{with.weights.data(), vectors, columns}, with.ready);
            }
            matrix_view<float> const part{y.data + nth * block::rows, vectors, a.rows(), y.stride};
            for (std::size_t n = 0; n < vectors; ++n)
                std::fill_n(part.row(n).data(), part.cols, with.offsets[n]);
            multiply_add<Arch, Acc>(a, with.ready, part);
        }
    }
}
