// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../detach/csr.hpp"
#include "kernel/sparse.hpp"
#include "multiply.hpp"

// A sparse A is multiplied by multiply, multiply_add and multiply_rows as all maps are. A row's sum is within 4 eps
// sum |a x| of the exact one for every Arch and any number of non-zeros, so that every accumulator's promise is kept
// without it. Rows are cut by their non-zeros; the same bits for any cut. NaN or Inf in x gives NaN in every y whose
// row has a weight there, be it 0, and in no other; so may a sum that overflows.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace detail
    {
        // One vector after the other: after the first, a sparse part comes from the cache.
        template <class Arch, scale_number T, column_number I>
        void add_rows_of(csr_view<T, I> const& a, exact_view const& x, matrix_view<float> y, std::size_t first,
                         std::size_t last)
        {
            using task = dispatch::add_sparse_rows<csr_view<T, I>>;
            using compiled = compiled_arch<Arch>;
            for (std::size_t n = 0; n < x.vectors; ++n)
            {
                float const* const from = x.x + n * x.blocks * block::cols;
                float* const to = y.data + n * y.stride;
                if constexpr (dispatch::decides_at_run_time<Arch, task>)
                    Arch::template function<task>()(a, from, to, first, last); // may throw arch_error
                else
                    kernel::add_rows<compiled>(a, from, to, first, last, compiled{});
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

        template <scale_number T, column_number I>
        inline constexpr bool has_parts<csr<T, I>> = true;
        template <scale_number T, column_number I>
        inline constexpr bool reads_values<csr<T, I>> = true;

        // Parts of equally many non-zeros.
        template <class Arch, accumulator Acc, scale_number T, column_number I, class X>
        class product_parts<Arch, Acc, csr<T, I>, X>
        {
        public:
            product_parts(csr<T, I> const& a, X const& x, matrix_view<float> y) : m_a(a.view()), m_x(x.floats()), m_y(y)
            {
                add_rows_of<Arch>(m_a, m_x, m_y, 0, 0); // may throw arch_error
            }
            std::size_t count() const noexcept // what policies cut again: fine enough for any number of threads
            {
                constexpr std::size_t most = 1024;
                return m_a.rows < most ? m_a.rows : most;
            }
            void operator()(std::size_t first, std::size_t last) const
            {
                add_rows(first_row(m_a, first, count()), first_row(m_a, last, count()));
            }
            void add_rows(std::size_t first, std::size_t last) const { add_rows_of<Arch>(m_a, m_x, m_y, first, last); }

        private:
            csr_view<T, I> m_a;
            exact_view m_x;
            matrix_view<float> m_y; // [vectors, rows]
        };
    }

    static_assert(linear_map<csr<>> && dense_map<csr<>>);
}
