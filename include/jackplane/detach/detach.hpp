// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <string_view>
#include <utility>
#include <vector>
#include "csr.hpp"
#include "choose.hpp"

// Dense + sparse: the weights that matter are taken out of a matrix before, or after, the rest of it is quantized.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // The weights at these places (indices, ascending; row * cols + column) become 0 in w and are stored in the sparse
    // part. Throws as csr does.
    template <scale_number T = half, column_number I = std::uint16_t>
    csr<T, I> detach(matrix_view<float> w, std::span<std::size_t const> places,
                     std::string_view name = "sparse weights")
    {
        expect_whole(w, name);
        std::vector<triplet> out;
        for (std::size_t const place : places)
        {
            std::size_t const row = place / std::max<std::size_t>(w.cols, 1), col = place - row * w.cols;
            JACKPLANE_EXPECTS(row < w.rows, shape_error, name, ": place ", place, " is outside ", w.rows, " x ",
                              w.cols);
            out.push_back({row, col, w(row, col)});
        }
        csr<T, I> sparse(w.rows, w.cols, out, name); // before anything is changed
        for (triplet const& t : out)
            w(t.row, t.col) = 0;
        return sparse;
    }

    // The inverse: writes the sparse part's weights to their places in w.
    template <scale_number T, column_number I>
    void put_back(csr<T, I> const& sparse, matrix_view<float> w, std::string_view name = "sparse weights")
    {
        JACKPLANE_EXPECTS(sparse.nonzeros() == 0 || (sparse.rows() == w.rows && sparse.cols() == w.cols), shape_error,
                          name, ": ", sparse.rows(), " x ", sparse.cols(), " into ", w.rows, " x ", w.cols);
        expect_whole(w, name);
        for_each_weight(sparse, [&](std::size_t row, std::size_t col, float x) { w(row, col) = x; });
    }

    // What `sparse`, which holds the weights themselves, must add to a dense part that has other values in their
    // places: one sparse part serves every width, and its residuals are formed once for each. Indices are shared, the
    // values are new.
    template <scale_number T = float, scale_number S, column_number I, dense_map D>
    csr<T, I> residuals(csr<S, I> const& sparse, D const& dense, std::string_view name = "sparse weights")
    {
        JACKPLANE_EXPECTS(sparse.rows() == dense.rows() && sparse.cols() == dense.cols(), shape_error, name, ": ",
                          sparse.rows(), " x ", sparse.cols(), " beside ", dense.rows(), " x ", dense.cols());
        struct storage
        {
            csr<S, I> weights;
            aligned_vector<T> values;
        };
        auto const all = std::make_shared<storage>(storage{sparse, aligned_vector<T>(sparse.nonzeros())});
        auto const& of = sparse.view();
        for (std::size_t row = 0; row < of.rows; ++row)
            for (std::uint32_t i = of.row_pointers[row]; i < of.row_pointers[row + 1]; ++i)
                all->values[i] = from_float<T>(to_float(of.values[i]) - dense.at(row, of.columns[i]));
        std::span<T const> const values = all->values;
        return {of.rows, of.cols, values, {of.columns, values.size()}, {of.row_pointers, of.rows + 1}, all, name};
    }
}
