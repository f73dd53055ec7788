// SPDX-License-Identifier: BSD-3-Clause
#include <jackplane/pack/row.hpp>
#include <doctest/doctest.h>
#include <jackplane/quantize/quantize.hpp>
#include <jackplane/quantize/row_table.hpp>
#include <cstddef>
#include <vector>
#include "../laws/weights.hpp"
using namespace jackplane;

namespace
{
    template <class M>
    void check_rows(M const& a)
    {
        std::vector<float> all(a.rows() * a.cols()), row(a.cols());
        dequantize(a, {all.data(), a.rows(), a.cols()});
        std::size_t wrong = 0;
        for (std::size_t r = 0; r < a.rows(); ++r)
        {
            dequantize_row(a, r, row);
            for (std::size_t col = 0; col < a.cols(); ++col)
                wrong += row[col] != all[r * a.cols() + col];
        }
        CHECK(wrong == 0);
    }
}

TEST_CASE("a row alone is that of the whole matrix, for ragged shapes, groups and prefixes")
{
    for (laws::shape const s : laws::ragged_shapes)
    {
        if (s.rows * s.cols > 70000)
            continue;
        laws::sample const w = laws::weights(s.rows, s.cols, s.rows * 1024 + s.cols);
        for (group const g : {group{16}, group{33}, group::per_row(), group::per_tensor()})
        {
            auto const a = pack<bit_planes>(quantize(w.view(), uniform<8>{}, minmax{}, g));
            check_rows(a);
            check_rows(a.prefix(3));
            check_rows(pack<planes<2, 1>>(quantize(w.view(), uniform<3>{}, absmax{}, g)));
        }
    }
}

TEST_CASE("a row of values of its own; rows and targets that are not there")
{
    laws::sample const w = laws::weights(19, 70, 1);
    auto const a = pack<planes<4>>(quantize(w.view(), row_table<4>{}));
    check_rows(a);
    std::vector<float> row(70);
    CHECK_THROWS_WITH_AS(dequantize_row(a, 19, row), "dequantize row 19 of 19 x 70 into 70 elements", shape_error);
    CHECK_THROWS_AS(dequantize_row(a, 0, std::span(row).first(69)), shape_error);
}
