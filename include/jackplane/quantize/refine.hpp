// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <utility>
#include "quantize.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // More bits for the same scales and zeros: each new code is chosen inside the cell of its leading bits, so that the
    // prefix stays what it is. book: another width of the same parent, uniform<4, 8> or uniform<8> for leading bits of
    // uniform<2, 8>. With feedback the bits that come below make up for errors, too.
    //     auto two  = quantize(w, uniform<2, 8>{}, minmax{}, group{64}, nearest{}, feedback(gram));
    //     auto four = refine(w, uniform<4, 8>{}, leading(two), feedback(gram));
    // Throws value_error at NaN or Inf (tensor, row, column), shape_error and width_error where the two do not fit,
    // value_error at leading codes, scales or zeros that cannot be.
    template <linear_codebook C, scale_number S, zero_in_steps Z, matrix_like M, sweep W = independent,
              parallel_policy Parallel = serial>
        requires element<std::remove_const_t<element_of<M>>>
    quantized<C, S, Z> refine(M const& matrix, C book, leading_bits<S, Z> coarse, W const& order = {},
                              std::string_view name = "weights", Parallel parallel = {})
    {
        auto const w = view_of(matrix);
        expect_whole(w, name);
        coarse.expect_inside(C::bits, w.rows, w.cols, name);
        order.expect_columns(w.cols, name);
        quantized<C, S, Z> q{book, w.rows, w.cols, coarse.grid, aligned_vector<code>(coarse.codes.size()),
                             std::move(coarse.scales), std::move(coarse.zeros)};
        within<> const rounded{{coarse.codes.data(), w.rows, w.cols}, C::bits - coarse.bits};
        auto const of_rows = [&](std::size_t first, std::size_t last)
        {
            aligned_vector<float> weights;
            for (std::size_t row = first; row < last; ++row)
                detail::quantize_row(w, q, rounded, order, row, [&](std::size_t left, std::size_t right, auto&& line)
                {
                    weights.clear();
                    for (std::size_t col = left; col < right; ++col)
                        weights.push_back(detail::finite_weight(w, row, col, name));
                    if (!order.scales_first()) // what the group owes is summed once
                        line.reach(left, weights);
                });
        };
        parallel(w.rows, of_rows);
        return q;
    }
}
