// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include "quantize.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // Magnitudes of the scales of groups that are not all zero, before they are rounded to any storage type.
    struct scale_range
    {
        float smallest = __builtin_inff(), largest = 0;

        void add(float scale) noexcept
        {
            smallest = detail::min(smallest, detail::abs(scale));
            largest = detail::max(largest, detail::abs(scale));
        }
        // Whether S holds all of them.
        template <scale_number S>
        bool held_by() const noexcept
        {
            return smallest > largest || (smallest > 0 && holds<S>(smallest) && holds<S>(largest));
        }
    };

    // The scales that P gives the groups of w, to choose what they are stored as before anything is quantized:
    //     bool const fits = scales_of(w, uniform<8>{}, minmax{}, group{64}).held_by<half>();
    // Those of a sweep that makes up for errors, and learned ones, are others, but of the same size. Throws as quantize
    // does.
    template <matrix_like M, codebook C, scale<C> P>
        requires element<std::remove_const_t<element_of<M>>>
    scale_range scales_of(M const& weights, C const& book, P const& policy, group g, quantize_options options = {})
    {
        auto const w = view_of(weights);
        expect_whole(w, options.name);
        detail::expect_importance(options.importance, w.rows, w.cols, options.name);
        group_grid const grid = group_grid::of(g, w.cols);
        std::size_t const band = grid.whole_tensor ? std::max<std::size_t>(w.rows, 1) : 1;
        scale_range all;
        detail::gathered of;
        for (std::size_t begin = 0; begin < w.rows; begin += band)
            for (std::size_t left = 0; left < w.cols; left += grid.columns)
            {
                of.gather(w, begin, begin + band, left, std::min(left + grid.columns, w.cols), options);
                if (!of.all_zero)
                    all.add(policy(of.weights, book, of.matters).scale);
            }
        return all;
    }
}
