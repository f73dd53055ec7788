// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../core/parallel.hpp"
#include "../detach/csr.hpp"
#include "accumulate.hpp"
#include "activation.hpp"
#include "best.hpp"
#include "dispatch/task.hpp"
#include "kernel/sparse.hpp"

// y += A x for a sparse A: multiply_add, multiply_rows, at the end of this file. A row's sum is within 4 eps sum |a x|
// of the exact one for every Arch and any number of non-zeros, so that every accumulator's promise is kept without it.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace detail
    {
        // x as values, or prepared: every prepared activation keeps the floats themselves.
        template <class X>
        exact_view floats_of(X const& x)
        {
            if constexpr (std::convertible_to<X const&, std::span<float const>>)
            {
                std::span<float const> const values = x;
                expect_whole(matrix_view<float const>{values.data(), 1, values.size()}, "x");
                return {values.data(), nullptr, 1, values.size(), ceil_div(values.size(), block::cols)};
            }
            else
                return x.floats();
        }

        // One vector after the other: after the first, a sparse part comes from the cache.
        template <class Arch, scale_number T, column_number I>
        void add_rows(csr_view<T, I> const& a, exact_view const& x, matrix_view<float> y, std::size_t first,
                      std::size_t last)
        {
            using task = dispatch::add_sparse_rows<csr_view<T, I>>;
            for (std::size_t n = 0; n < x.vectors; ++n)
            {
                float const* const from = x.x + n * x.blocks * block::cols;
                float* const to = y.data + n * y.stride;
                if constexpr (dispatch::decides_at_run_time<Arch, task>)
                    Arch::template function<task>()(a, from, to, first, last); // may throw arch_error
                else
                    kernel::add_rows<Arch>(a, from, to, first, last, Arch{});
            }
        }

        // The first row of a part, where the parts have equally many non-zeros. A row counts as one more: an empty one
        // is work too, and so the cost rises with every row.
        template <scale_number T, column_number I>
        std::size_t first_row(csr_view<T, I> const& a, std::size_t part, std::size_t parts) noexcept
        {
            auto const cost = [&](std::size_t row) { return std::uint64_t{a.row_pointers[row]} + row; };
            std::uint64_t const wanted = cost(a.rows) * part / parts;
            std::size_t low = 0, high = a.rows; // cost(high) >= wanted
            while (low < high)
            {
                std::size_t const middle = low + (high - low) / 2;
                if (cost(middle) < wanted)
                    low = middle + 1;
                else
                    high = middle;
            }
            return low;
        }
    }

    // The rows [first, last) for engines that schedule themselves: any split. x: values of one vector, or prepared.
    template <arch Arch = best_arch, accumulator Acc = suited, scale_number T, column_number I, class X>
    void multiply_rows(csr<T, I> const& a, X const& x, matrix_view<float> y, std::size_t first, std::size_t last)
    {
        exact_view const floats = detail::floats_of(x);
        detail::expect_product(a.rows(), a.cols(), floats.vectors, floats.cols, y);
        JACKPLANE_EXPECTS(first <= last && last <= a.rows(), shape_error, "rows ", first, " to ", last, " of ",
                          a.rows());
        detail::add_rows<Arch>(a.view(), floats, y, first, last);
    }
    template <arch Arch = best_arch, accumulator Acc = suited, scale_number T, column_number I, class X>
    void multiply_rows(csr<T, I> const& a, X const& x, std::span<float> y, std::size_t first, std::size_t last)
    {
        multiply_rows<Arch, Acc>(a, x, matrix_view<float>{y.data(), 1, y.size()}, first, last);
    }

    // Y += A X. Rows are cut by their non-zeros; the same bits for any cut. NaN or Inf in x gives NaN in every y whose
    // row has a weight there, be it 0, and in no other; so may a sum that overflows.
    template <arch Arch = best_arch, accumulator Acc = suited, scale_number T, column_number I, class X,
              parallel_policy Parallel = serial>
    void multiply_add(csr<T, I> const& a, X const& x, matrix_view<float> y, Parallel parallel = {})
    {
        exact_view const floats = detail::floats_of(x);
        detail::expect_product(a.rows(), a.cols(), floats.vectors, floats.cols, y);
        constexpr std::size_t most_parts = 1024; // what policies cut again: fine enough for any number of threads
        std::size_t const parts = std::min(a.rows(), most_parts);
        parallel(parts, [&](std::size_t first, std::size_t last)
        {
            std::size_t const from = detail::first_row(a.view(), first, parts);
            std::size_t const to = detail::first_row(a.view(), last, parts);
            detail::add_rows<Arch>(a.view(), floats, y, from, to);
        });
    }
    // y += A x
    template <arch Arch = best_arch, accumulator Acc = suited, scale_number T, column_number I, class X,
              parallel_policy Parallel = serial>
    void multiply_add(csr<T, I> const& a, X const& x, std::span<float> y, Parallel parallel = {})
    {
        multiply_add<Arch, Acc>(a, x, matrix_view<float>{y.data(), 1, y.size()}, parallel);
    }

    static_assert(linear_map<csr<>> && dense_map<csr<>>);
}
