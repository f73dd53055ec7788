// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string_view>
#include <utility>
#include "../core/concepts.hpp"
#include "../core/storage.hpp"
#include "../core/view.hpp"

namespace jackplane::inline v0 // shared by all units: core/target.hpp
{
    template <class I>
    concept column_number = std::same_as<I, std::uint16_t> || std::same_as<I, std::uint32_t>;

    struct triplet // one weight of a sparse matrix
    {
        std::size_t row, col;
        float value;
    };

    // What a kernel sees: pointers and sizes, no member functions. Compressed sparse rows: row r is
    // [row_pointers[r], row_pointers[r + 1]) of values and columns.
    template <scale_number T, column_number I>
    struct csr_view
    {
        T const* values;                   // [nonzeros], finite
        I const* columns;                  // [nonzeros], ascending in each row, below cols
        std::uint32_t const* row_pointers; // [rows + 1], from 0 to nonzeros
        std::size_t rows, cols;
    };
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // The first weight, of all sorted by row, that is lost when T stores it, or null: it becomes Inf, or 0 where it was
    // not, or is the largest of its row and becomes another, subnormal number. In a row with a normal number a
    // subnormal one is allowed: it loses at most 2^-11 of the smallest normal half.
    template <scale_number T>
    triplet const* first_lost(std::span<triplet const> sorted) noexcept
    {
        triplet const* largest = nullptr; // of the row
        for (std::size_t i = 0; i < sorted.size(); ++i)
        {
            float const x = sorted[i].value, kept = to_float(from_float<T>(x));
            if (!is_finite(kept) || (kept == 0 && x != 0))
                return &sorted[i];
            if (largest == nullptr || largest->row != sorted[i].row || detail::abs(x) > detail::abs(largest->value))
                largest = &sorted[i];
            bool const ends_row = i + 1 == sorted.size() || sorted[i + 1].row != sorted[i].row;
            if (ends_row && !holds<T>(largest->value) && to_float(from_float<T>(largest->value)) != largest->value)
                return largest;
        }
        return nullptr;
    }

    // Owner (shared and immutable: a copy costs nothing) of a sparse matrix. Few matrices of language models have more
    // than 65536 columns: an index of 2 bytes beside a value of 2. Row pointers have 32 bits: 4 bytes a row, and 2^32
    // weights in one sparse part would be 17 GB. A stored weight of 0 is counted and multiplied as any other.
    template <scale_number T = half, column_number I = std::uint16_t>
    class csr
    {
    public:
        using value_type = T;
        using index_type = I;
        using view_type = csr_view<T, I>;

        csr() : csr(0, 0, {}) {}

        // Values are rounded to T once. Throws shape_error where a triplet is outside, out of order (by row, then by
        // column) or there twice, or where sizes do not fit I and the row pointers; value_error at NaN and Inf, and
        // where T would lose a weight (first_lost: row, column, the type that holds it).
        csr(std::size_t rows, std::size_t cols, std::span<triplet const> sorted,
            std::string_view name = "sparse weights");

        // Arrays that `keep` owns, a file's mapping for instance; read once, with the same checks.
        csr(std::size_t rows, std::size_t cols, std::span<T const> values, std::span<I const> columns,
            std::span<std::uint32_t const> row_pointers, std::shared_ptr<void const> keep,
            std::string_view name = "sparse weights");

        std::size_t rows() const noexcept { return m_view.rows; }
        std::size_t cols() const noexcept { return m_view.cols; }
        std::size_t nonzeros() const noexcept { return m_view.row_pointers[m_view.rows]; }
        view_type const& view() const& noexcept { return m_view; }
        void view() const&& = delete; // it would point into a temporary
        std::shared_ptr<void const> const& owner() const& noexcept { return m_keep; }
        std::shared_ptr<void const> owner() const&& noexcept { return m_keep; }

        float at(std::size_t row, std::size_t col) const noexcept // 0 where nothing is stored
        {
            I const* const end = m_view.columns + m_view.row_pointers[row + 1];
            I const* const found = std::lower_bound(m_view.columns + m_view.row_pointers[row], end, col);
            return found == end || *found != col ? 0.0f : to_float(m_view.values[found - m_view.columns]);
        }

    private:
        struct storage
        {
            aligned_vector<T> values;
            aligned_vector<I> columns;
            aligned_vector<std::uint32_t> row_pointers;
        };
        view_type m_view;
        std::shared_ptr<void const> m_keep;
    };

    // each(row, col, weight) for all that is stored, row after row.
    template <scale_number T, column_number I, class Each>
    void for_each_weight(csr<T, I> const& a, Each&& each)
    {
        auto const& v = a.view();
        for (std::size_t row = 0; row < v.rows; ++row)
            for (std::uint32_t i = v.row_pointers[row]; i < v.row_pointers[row + 1]; ++i)
                each(row, std::size_t{v.columns[i]}, to_float(v.values[i]));
    }

    // Of values, indices and row pointers: what a product reads.
    template <scale_number T, column_number I>
    std::size_t bytes_read(csr<T, I> const& a) noexcept
    {
        return a.nonzeros() * (sizeof(T) + sizeof(I)) + (a.rows() + 1) * sizeof(std::uint32_t);
    }

    namespace detail
    {
        // Told every weight in turn.
        struct csr_check
        {
            std::size_t rows, cols;
            std::string_view name;
            std::size_t row = 0, end = 0; // the last weight's row, and the column after it

            void size(std::size_t nonzeros, std::size_t index_bits) const
            {
                JACKPLANE_EXPECTS(cols == 0 || std::uint64_t{cols - 1} >> index_bits == 0, shape_error, name, ": ",
                                  cols, " columns do not fit in indices of ", index_bits, " bits");
                JACKPLANE_EXPECTS(rows < std::numeric_limits<std::size_t>::max(), shape_error, name, ": ", rows,
                                  " rows do not fit in memory");
                JACKPLANE_EXPECTS(nonzeros <= std::numeric_limits<std::uint32_t>::max(), shape_error, name, ": ",
                                  nonzeros, " weights do not fit in row pointers of 32 bits");
            }
            void next(std::size_t r, std::size_t col, float weight)
            {
                JACKPLANE_EXPECTS(r < rows && col < cols, shape_error, name, ": row ", r, ", column ", col,
                                  " is outside ", rows, " x ", cols);
                JACKPLANE_EXPECTS(r != row || col + 1 != end, shape_error, name, ": row ", r, ", column ", col,
                                  " is there twice");
                JACKPLANE_EXPECTS(r > row || (r == row && col >= end), shape_error, name, ": row ", r, ", column ", col,
                                  " comes after row ", row, ", column ", end - 1);
                JACKPLANE_EXPECTS(is_finite(weight), value_error, name, ": weight at row ", r, ", column ", col, " is ",
                                  weight);
                row = r;
                end = col + 1;
            }
        };
    }

    template <scale_number T, column_number I>
    csr<T, I>::csr(std::size_t rows, std::size_t cols, std::span<triplet const> sorted, std::string_view name)
    {
        detail::csr_check check{rows, cols, name};
        check.size(sorted.size(), std::numeric_limits<I>::digits);
        auto const all = std::make_shared<storage>();
        all->values.reserve(sorted.size());
        all->columns.reserve(sorted.size());
        all->row_pointers.resize(rows + 1);
        for (triplet const& w : sorted)
        {
            check.next(w.row, w.col, w.value);
            all->values.push_back(from_float<T>(w.value));
            all->columns.push_back(static_cast<I>(w.col));
            ++all->row_pointers[w.row + 1];
        }
        if (triplet const* const lost = first_lost<T>(sorted))
            fail<value_error>(text(name, ": weight ", lost->value, " at row ", lost->row, ", column ", lost->col,
                                   why_not_held<T>(lost->value)));
        for (std::size_t row = 0; row < rows; ++row)
            all->row_pointers[row + 1] += all->row_pointers[row];
        m_view = {all->values.data(), all->columns.data(), all->row_pointers.data(), rows, cols};
        m_keep = all;
    }

    template <scale_number T, column_number I>
    csr<T, I>::csr(std::size_t rows, std::size_t cols, std::span<T const> values, std::span<I const> columns,
                   std::span<std::uint32_t const> row_pointers, std::shared_ptr<void const> keep, std::string_view name)
        : m_view{values.data(), columns.data(), row_pointers.data(), rows, cols}, m_keep(std::move(keep))
    {
        detail::csr_check check{rows, cols, name};
        check.size(values.size(), std::numeric_limits<I>::digits);
        JACKPLANE_EXPECTS(values.size() == columns.size() && row_pointers.size() == rows + 1, shape_error, name, ": ",
                          values.size(), " values, ", columns.size(), " columns and ", row_pointers.size(),
                          " row pointers for ", rows, " rows");
        JACKPLANE_EXPECTS(row_pointers[0] == 0 && row_pointers[rows] == values.size(), shape_error, name,
                          ": row pointers go from ", row_pointers[0], " to ", row_pointers[rows], ", there are ",
                          values.size(), " values");
        for (std::size_t row = 0; row < rows; ++row)
        {
            std::uint32_t const begin = row_pointers[row], end = row_pointers[row + 1];
            JACKPLANE_EXPECTS(begin <= end && end <= values.size(), shape_error, name, ": row pointers of row ", row,
                              " are ", begin, " and ", end);
            for (std::uint32_t i = begin; i < end; ++i)
                check.next(row, columns[i], to_float(values[i]));
        }
    }
}
