// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// The only header that names xtensor: arrays of that library in and out of views. xtensor 0.26 moved every header.
#if __has_include(<xtensor/containers/xtensor.hpp>)
#include <xtensor/containers/xadapt.hpp>
#include <xtensor/containers/xtensor.hpp>
#else
#include <xtensor/xadapt.hpp>
#include <xtensor/xtensor.hpp>
#endif
#include <array>
#include <type_traits>
#include "view.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    template <class T>
    using matrix = xt::xtensor<T, 2, xt::layout_type::row_major>; // [rows, cols]

    // View of a row-major container of two dimensions. Throws shape_error when it has another number of them or its
    // columns are not adjacent (evaluate an expression first: matrix<float> m = a + b).
    template <class Container>
    auto view_of(Container& m)
    {
        using value = std::remove_pointer_t<decltype(m.data())>;
        JACKPLANE_EXPECTS(m.dimension() == 2, shape_error, "a matrix has 2 dimensions, this array has ", m.dimension());
        std::size_t const rows = m.shape(0), cols = m.shape(1);
        auto const along = m.strides()[1], down = m.strides()[0]; // xtensor's is 0 for a single row or column
        JACKPLANE_EXPECTS(cols <= 1 || along == 1, shape_error, "columns lie ", along,
                          " elements apart; row-major wanted");
        return matrix_view<value>{m.data() + m.data_offset(), rows, cols,
                                  rows > 1 ? static_cast<std::size_t>(down) : cols};
    }

    template <class Container>
    void view_of(Container const&&) = delete; // it would point into a temporary

    // xtensor expression over a contiguous view; it owns nothing.
    template <class T>
    auto tensor_of(matrix_view<T> v)
    {
        JACKPLANE_EXPECTS(v.stride == v.cols || v.rows <= 1, shape_error, "rows of ", v.cols, " elements lie ",
                          v.stride, " apart; a contiguous view wanted");
        return xt::adapt(v.data, v.rows * v.cols, xt::no_ownership(), std::array<std::size_t, 2>{v.rows, v.cols});
    }
}
