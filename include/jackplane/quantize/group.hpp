// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <limits>
#include "../core/view.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // The weights that share one scale: `columns` neighbours of one row (the last group of a row may be shorter), or,
    // with whole_tensor, all of them.
    struct group
    {
        std::size_t columns = 64;
        bool whole_tensor = false;

        static constexpr group per_row() noexcept { return {std::numeric_limits<std::size_t>::max()}; }
        static constexpr group per_tensor() noexcept { return {std::numeric_limits<std::size_t>::max(), true}; }
    };

    // Groups along a row, and the group of a weight. Scales are [rows, per_row], or a single one for a tensor.
    struct group_grid
    {
        std::size_t columns; // of one group
        std::size_t per_row; // groups
        bool whole_tensor;

        static group_grid of(group g, std::size_t cols)
        {
            JACKPLANE_EXPECTS(g.columns > 0, shape_error, "a group of 0 columns");
            std::size_t const columns = g.columns < cols && !g.whole_tensor ? g.columns : (cols > 0 ? cols : 1);
            return {columns, ceil_div(cols, columns), g.whole_tensor};
        }
        constexpr bool fits(std::size_t cols) const noexcept // a grid that a user filled may not
        {
            return columns > 0 && per_row == ceil_div(cols, columns);
        }
        constexpr std::size_t scales(std::size_t rows) const noexcept
        {
            return whole_tensor ? (rows > 0 && per_row > 0 ? 1 : 0) : rows * per_row;
        }
        constexpr std::size_t at(std::size_t row, std::size_t col) const noexcept
        {
            return whole_tensor ? 0 : row * per_row + col / columns;
        }
    };
}
