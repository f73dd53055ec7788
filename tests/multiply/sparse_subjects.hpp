// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// Seats for sparse maps.
#include <jackplane/multiply/sparse.hpp>
#include "subjects.hpp"

namespace subjects
{
    template <class T, class I>
    subject<csr<T, I>> subject_of(std::size_t rows, std::size_t cols, std::vector<triplet> const& weights)
    {
        csr<T, I> const a(rows, cols, weights);
        laws::twin exact{rows, cols, std::vector<laws::exact_number>(rows * cols),
                         std::vector<laws::exact_number>(rows * cols)};
        for (triplet const& w : weights)
        {
            exact.weight[w.row * cols + w.col] = to_float(from_float<T>(w.value));
            exact.bound[w.row * cols + w.col] = 4 * 0x1p-23L * std::abs(exact.weight[w.row * cols + w.col]);
        }
        return {a, exact, nullptr};
    }
    // One weight in `every`, and among the first rows an empty one and a full one.
    inline std::vector<triplet> scattered(std::size_t rows, std::size_t cols, std::size_t every, std::uint64_t seed)
    {
        laws::sample const w = laws::weights(rows, cols, seed);
        laws::sequence next{seed + 1};
        std::vector<triplet> all;
        for (std::size_t row = 0; row < rows; ++row)
            for (std::size_t col = 0; col < cols; ++col)
                if (row % 7 == 3 || (row % 7 != 2 && next() % every == 0))
                    all.push_back({row, col, w.data[row * cols + col]});
        return all;
    }
    template <class T, class I, std::size_t Every>
    struct sparse
    {
        static std::vector<unsigned> widths() { return {16}; }
        static auto make(laws::shape s, group, std::uint64_t seed, unsigned = 16)
        {
            return subject_of<T, I>(s.rows, s.cols, scattered(s.rows, s.cols, Every, seed));
        }
    };
}
