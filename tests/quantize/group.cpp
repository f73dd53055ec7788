// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <vector>
#include <doctest/doctest.h>
#include <jackplane/quantize/group.hpp>
#include "../laws/weights.hpp"
using namespace jackplane;

TEST_CASE("every weight finds the scale of its group, and no scale is left over")
{
    for (auto const [rows, cols] : laws::ragged_shapes)
        for (group const g : {group{1}, group{3}, group{64}, group{100000}, group::per_row(), group::per_tensor()})
        {
            group_grid const grid = group_grid::of(g, cols);
            std::vector<bool> used(grid.scales(rows));
            std::size_t wrong = 0;
            for (std::size_t row = 0; row < rows; ++row)
                for (std::size_t col = 0; col < cols; ++col)
                {
                    std::size_t const at = grid.at(row, col);
                    REQUIRE(at < used.size());
                    used[at] = true;
                    if (!g.whole_tensor) // neighbours share a scale unless a group ends between them
                        wrong += (col > 0 && grid.at(row, col - 1) != at) != (col > 0 && col % g.columns == 0);
                }
            CHECK(wrong == 0);
            CHECK(std::find(used.begin(), used.end(), false) == used.end());
            CHECK(grid.columns <= std::max<std::size_t>(cols, 1));
        }
}

TEST_CASE("the number of scales")
{
    CHECK(group_grid::of(group{64}, 172).scales(10) == 30); // the last group of a row has 44 columns
    CHECK(group_grid::of(group::per_row(), 172).scales(10) == 10);
    CHECK(group_grid::of(group::per_tensor(), 172).scales(10) == 1);
    CHECK(group_grid::of(group::per_tensor(), 0).scales(10) == 0);
    CHECK(group_grid::of(group{64}, 0).scales(10) == 0);
    CHECK(group_grid::of(group::per_row(), 172).scales(0) == 0);
    CHECK(group_grid::of(group::per_tensor(), 172).scales(0) == 0);
}

TEST_CASE("a group of no columns is an error")
{
    CHECK_THROWS_AS(group_grid::of(group{0}, 5), shape_error);
}
