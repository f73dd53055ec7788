// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include "quantize.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    struct clip_options // how far and how finely the limits are searched
    {
        unsigned steps = 20;     // the limit shrinks by 1 / steps of the largest magnitude at a time,
        float narrowest = 0.55f; // down to this part of it
        std::string_view name = "weights";
    };

    // Clamps the weights of each group to the limit with which, quantized by P, its part of the output is nearest to
    // what it was: tr(E G E^T) is least, E the errors and G the group's block on the diagonal of gram [cols, cols], the
    // sum of x x^T. AWQ's second search (arXiv 2306.00978; its program). A limit whose scale S does not hold is not
    // tried. Throws value_error at NaN or Inf and where S does not hold the scale of a group as it is, shape_error.
    template <scale_number S = half, codebook C, scale<C> P, parallel_policy Parallel = serial>
    void clip(matrix_view<float> w, matrix_view<float const> gram, C book, P policy, group g, clip_options options = {},
              Parallel parallel = {})
    {
        JACKPLANE_EXPECTS(gram.rows == w.cols && gram.cols == w.cols, shape_error, options.name, ": ", w.cols,
                          " columns, but a Gram matrix of ", gram.rows, " x ", gram.cols);
        expect_whole(matrix_view<float const>(w), options.name);
        expect_whole(gram, text(options.name, ": Gram matrix"));
        group_grid grid = group_grid::of(g, w.cols);
        grid.whole_tensor = false; // a limit is of one row's weights
        std::size_t const columns = grid.columns;
        using zero_type = typename P::zero_type;
        quantized<C, S, zero_type> q{book, w.rows, w.cols, grid, {}, aligned_vector<S>(grid.scales(w.rows)), {}};
        if constexpr (!std::same_as<zero_type, no_zero>)
            q.zeros.resize(q.scales.size());
        auto const of_group = [&](std::span<float> weights, std::size_t row, std::size_t left)
        {
            aligned_vector<float> clipped(weights.size()), error(weights.size());
            float const largest = value_range::of(weights).largest();
            double least = __builtin_inf();
            float best = largest;
            for (unsigned k = 0; k < options.steps; ++k)
            {
                float const part = 1 - static_cast<float>(k) / static_cast<float>(options.steps);
                if (part < options.narrowest)
                    break;
                float const limit = largest * part;
                std::transform(weights.begin(), weights.end(), clipped.begin(),
                               [=](float x) { return detail::clamp(x, -limit, limit); });
                scale_and_zero s = policy(clipped, book);
                if (k > 0 && !holds<S>(s.scale))
                    continue;
                s = detail::store_scale(q, grid.at(row, left), s, largest == 0, options.name);
                for (std::size_t i = 0; i < weights.size(); ++i)
                {
                    code const c = detail::encode(book, nearest{}, clipped[i], s, {row, left + i});
                    error[i] = detail::error_of(book, c, weights[i], s);
                }
                double sum = 0;
                for (std::size_t i = 0; i < weights.size(); ++i)
                {
                    double const along = detail::exact_dot(error.data(), &gram(left + i, left), weights.size());
                    sum += static_cast<double>(error[i]) * static_cast<double>(static_cast<float>(along));
                }
                if (sum < least)
                    least = sum, best = limit;
            }
            for (float& x : weights)
                x = detail::clamp(x, -best, best);
        };
        parallel(w.rows,
                 [&](std::size_t first, std::size_t end)
                 {
                     for (std::size_t row = first; row < end; ++row)
                     {
                         for (std::size_t col = 0; col < w.cols; ++col)
                             detail::finite_weight(w, row, col, options.name);
                         for (std::size_t left = 0; left < w.cols; left += columns)
                             of_group({&w(row, left), std::min(columns, w.cols - left)}, row, left);
                     }
                 });
    }
}
