// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstring>
#include "../core/parallel.hpp"
#include "../detach/csr.hpp"
#include "accumulate.hpp"
#include "activation.hpp"
#include "best.hpp"
#if defined(__AVX2__) && defined(__F16C__)
#include "kernel/strips.hpp"
#endif

// y += A x for a sparse A: multiply_add, multiply_rows, at the end of this file. A row's sum is within 4 eps sum |a x|
// of the exact one for every Arch and any number of non-zeros, so that every accumulator's promise is kept without it.
namespace jackplane::inline v0
{
    namespace kernel
    {
        // Finite numbers as they are stored -> floats, in functions that carry the arch.
        template <class Arch>
        struct sparse_number
        {
            [[gnu::always_inline]] static float wide(float v) noexcept { return v; }
            [[gnu::always_inline]] static float wide(bfloat16 v) noexcept
            {
                return of_bits(std::uint32_t{v.bits} << 16);
            }
            [[gnu::always_inline]] static float wide(half v) noexcept
            {
                std::uint32_t const sign = (v.bits & 0x8000u) << 16, magnitude = v.bits & 0x7fffu;
                float const normal = of_bits(sign | ((magnitude << 13) + (112u << 23)));
                float const tiny = static_cast<float>(static_cast<std::int32_t>(magnitude)) * 0x1p-24f;
                return magnitude >= 0x400u ? normal : sign != 0 ? -tiny : tiny;
            }

        private:
            [[gnu::always_inline]] static float of_bits(std::uint32_t bits) noexcept
            {
                float v;
                std::memcpy(&v, &bits, sizeof v);
                return v;
            }
        };

        // y[r] += sum of values[i] x[columns[i]] over [row_pointers[r], row_pointers[r + 1]), rows [first, last): the
        // definition, and any machine's kernel. Products are exact, error <= (u + n 2^-53) sum |a x| with u = 2^-24.
        template <class Arch, scale_number T, column_number I>
        void add_rows(csr_view<T, I> const& a, float const* x, float* y, std::size_t first, std::size_t last,
                      common const&) noexcept
        {
            for (std::size_t row = first; row < last; ++row)
            {
                double sum = 0;
                for (std::size_t i = a.row_pointers[row]; i < a.row_pointers[row + 1]; ++i)
                    sum += static_cast<double>(sparse_number<Arch>::wide(a.values[i])) * x[a.columns[i]];
                y[row] += static_cast<float>(sum + (sum - sum)); // Inf - Inf is NaN
            }
        }

#if defined(__AVX2__) && defined(__F16C__)
        template <class Arch, scale_number T, column_number I>
        void add_rows(csr_view<T, I> const& a, float const* x, float* y, std::size_t first, std::size_t last,
                      avx2 const&) noexcept
        {
            add_rows_in_strips<Arch>(a, x, y, first, last);
        }
        template <class Arch, scale_number T, column_number I> // 16 lanes with masks: no faster
        void add_rows(csr_view<T, I> const& a, float const* x, float* y, std::size_t first, std::size_t last,
                      avx512 const&) noexcept
        {
            add_rows_in_strips<Arch>(a, x, y, first, last);
        }
#endif
    }

    namespace detail
    {
        // x as values, or prepared: every prepared activation keeps the floats themselves.
        template <class X>
        exact_view floats_of(X const& x) noexcept
        {
            if constexpr (std::convertible_to<X const&, std::span<float const>>)
            {
                std::span<float const> const values = x;
                return {values.data(), nullptr, 1, values.size(), ceil_div(values.size(), block::cols)};
            }
            else
                return x.floats();
        }

        template <scale_number T, column_number I>
        void expect_shapes(csr<T, I> const& a, exact_view const& x, matrix_view<float> y)
        {
            JACKPLANE_EXPECTS(y.rows == x.vectors, shape_error, x.vectors, " x and ", y.rows, " y");
            JACKPLANE_EXPECTS(x.cols == a.cols() && y.cols == a.rows(), shape_error, "a matrix of ", a.rows(), " x ",
                              a.cols(), " times x of ", x.cols, " into y of ", y.cols);
        }

        // One vector after the other: after the first, a sparse part comes from the cache.
        template <class Arch, scale_number T, column_number I>
        void add_rows(csr_view<T, I> const& a, exact_view const& x, matrix_view<float> y, std::size_t first,
                      std::size_t last)
        {
            for (std::size_t n = 0; n < x.vectors; ++n)
                kernel::add_rows<Arch>(a, x.x + n * x.blocks * block::cols, y.data + n * y.stride, first, last, Arch{});
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
    template <accumulator Acc = compensated, class Arch = best_arch, scale_number T, column_number I, class X>
    void multiply_rows(csr<T, I> const& a, X const& x, matrix_view<float> y, std::size_t first, std::size_t last)
    {
        exact_view const floats = detail::floats_of(x);
        detail::expect_shapes(a, floats, y);
        JACKPLANE_EXPECTS(first <= last && last <= a.rows(), shape_error, "rows ", first, " to ", last, " of ",
                          a.rows());
        detail::add_rows<Arch>(a.view(), floats, y, first, last);
    }
    template <accumulator Acc = compensated, class Arch = best_arch, scale_number T, column_number I, class X>
    void multiply_rows(csr<T, I> const& a, X const& x, std::span<float> y, std::size_t first, std::size_t last)
    {
        multiply_rows<Acc, Arch>(a, x, matrix_view<float>{y.data(), 1, y.size()}, first, last);
    }

    // Y += A X. Rows are cut by their non-zeros; the same bits for any cut. NaN or Inf in x gives NaN in every y whose
    // row has a weight there, be it 0, and in no other; so may a sum that overflows.
    template <accumulator Acc = compensated, class Arch = best_arch, scale_number T, column_number I, class X,
              class Parallel = serial>
    void multiply_add(csr<T, I> const& a, X const& x, matrix_view<float> y, Parallel parallel = {})
    {
        exact_view const floats = detail::floats_of(x);
        detail::expect_shapes(a, floats, y);
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
    template <accumulator Acc = compensated, class Arch = best_arch, scale_number T, column_number I, class X,
              class Parallel = serial>
    void multiply_add(csr<T, I> const& a, X const& x, std::span<float> y, Parallel parallel = {})
    {
        multiply_add<Acc, Arch>(a, x, matrix_view<float>{y.data(), 1, y.size()}, parallel);
    }

    static_assert(linear_map<csr<>> && dense_map<csr<>>);
}
