// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// The only header that names xtensor: a name for its matrices, and views as its expressions. Functions of the library
// take such arrays without it (core/view.hpp). xtensor 0.26 moved every header.
#if __has_include(<xtensor/containers/xtensor.hpp>)
#include <xtensor/containers/xadapt.hpp>
#include <xtensor/containers/xtensor.hpp>
#else
#include <xtensor/xadapt.hpp>
#include <xtensor/xtensor.hpp>
#endif
#include <array>
#include "view.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    template <class T>
    using matrix = xt::xtensor<T, 2, xt::layout_type::row_major>; // [rows, cols]

    // xtensor expression over a contiguous view; it owns nothing.
    template <class T>
    auto tensor_of(matrix_view<T> v)
    {
        JACKPLANE_EXPECTS(v.stride == v.cols || v.rows <= 1, shape_error, "rows of ", v.cols, " elements lie ",
                          v.stride, " apart; a contiguous view wanted");
        return xt::adapt(v.data, v.rows * v.cols, xt::no_ownership(), std::array<std::size_t, 2>{v.rows, v.cols});
    }
}
