// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>
#include "../core/parallel.hpp"
#include "../core/storage.hpp"
#include "detail/whole.hpp"
#include "group.hpp"
#include "sweep.hpp"

// Codes by scales that are given, as the blocks of other engines' files hold them.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // What the codes of a matrix stand for:  w^ = scale * level[code] + offset,  a scale and an offset for each group.
    class given_levels
    {
    public:
        // levels: ascending, 2 to 256; columns: of a group, from the left of each row, the last may be shorter; scales,
        // offsets [rows, ceil_div(cols, columns)]. Throws value_error for other levels.
        given_levels(std::vector<float> levels, std::size_t columns, aligned_vector<float> scales,
                     aligned_vector<float> offsets)
            : m_levels(std::move(levels)),
              m_columns(columns),
              m_scales(std::move(scales)),
              m_offsets(std::move(offsets))
        {
            bool const ascending =
                std::adjacent_find(m_levels.begin(), m_levels.end(), [](float a, float b) { return !(a < b); }) ==
                m_levels.end();
            JACKPLANE_EXPECTS(ascending && m_levels.size() >= 2 && m_levels.size() <= 256 && columns > 0, value_error,
                              m_levels.size(), " levels in groups of ", columns, ": expected 2 to 256, ascending");
            for (std::size_t k = 0; k < m_levels.size(); ++k)
                m_even = m_even && m_levels[k] == m_levels[0] + static_cast<float>(k);
        }

        // Throws shape_error unless the groups are those of a matrix [rows, cols], value_error at a scale or offset
        // that is not finite (row, group).
        void expect_whole(std::size_t rows, std::size_t cols, std::string_view name) const
        {
            std::size_t const per_row = ceil_div(cols, m_columns);
            JACKPLANE_EXPECTS(m_scales.size() == rows * per_row && m_offsets.size() == rows * per_row, shape_error,
                              name, ": ", m_scales.size(), " scales and ", m_offsets.size(), " offsets for ", rows,
                              " x ", cols, " in groups of ", m_columns);
            for (std::size_t i = 0; i < m_scales.size(); ++i)
                JACKPLANE_EXPECTS(is_finite(m_scales[i]) && is_finite(m_offsets[i]), value_error, name, ": scale ",
                                  m_scales[i], " and offset ", m_offsets[i], " of group ", i % per_row, " in row ",
                                  i / per_row);
        }

        // The same, and value_error at NaN or Inf (row, column), shape_error for another number of codes.
        void expect_fit(matrix_view<float const> w, std::size_t codes, std::string_view name) const
        {
            jackplane::expect_whole(w, name);
            expect_finite(w, name, "weight");
            expect_whole(w.rows, w.cols, name);
            JACKPLANE_EXPECTS(codes == w.rows * w.cols, shape_error, name, ": ", codes, " codes for ", w.rows, " x ",
                              w.cols);
        }

        std::size_t size() const noexcept { return m_levels.size(); } // codes are below
        std::size_t columns() const noexcept { return m_columns; }
        // The number of the group that holds a weight of a matrix with so many columns.
        std::size_t group_of(std::size_t row, std::size_t col, std::size_t cols) const noexcept
        {
            return row * ceil_div(cols, m_columns) + col / m_columns;
        }
        float scale(std::size_t group) const noexcept { return m_scales[group]; } // 0: all codes are the offset
        float decode(std::size_t group, code q) const noexcept
        {
            return m_scales[group] * m_levels[q] + m_offsets[group];
        }
        // w - w^, rounded once
        float error(std::size_t group, code q, float w) const noexcept
        {
            return static_cast<float>(static_cast<double>(w) -
                                      static_cast<double>(m_scales[group]) * static_cast<double>(m_levels[q]) -
                                      static_cast<double>(m_offsets[group]));
        }
        // The fractional code of a weight, not clamped: k + t between levels k and k + 1. The scale is not 0.
        float place(std::size_t group, float w) const noexcept
        {
            float const x = (w - m_offsets[group]) / m_scales[group];
            if (m_even)
                return x - m_levels[0];
            auto const above = std::upper_bound(m_levels.begin() + 1, m_levels.end() - 1, x);
            auto const k = static_cast<std::size_t>(above - m_levels.begin()) - 1;
            return static_cast<float>(k) + (x - m_levels[k]) / (m_levels[k + 1] - m_levels[k]);
        }
        code nearest(std::size_t group, float w) const noexcept
        {
            return clamped(detail::nearbyint(place(group, w)));
        }
        code clamped(float place) const noexcept
        {
            return static_cast<code>(detail::clamp(place, 0.0f, static_cast<float>(m_levels.size() - 1)));
        }

    private:
        std::vector<float> m_levels;
        std::size_t m_columns;
        aligned_vector<float> m_scales, m_offsets;
        bool m_even = true; // levels are steps of 1
    };

    // The codes of w [rows, cols] by these scales, in the order of a sweep: with feedback(gram) GPTQ inside a format
    // that others chose. A group whose scale is 0 keeps the codes that stand there. Throws as expect_fit.
    template <sweep W = independent, parallel_policy Parallel = serial>
    void round_to_levels(matrix_view<float const> w, given_levels const& by, aligned_vector<code>& codes,
                         W const& order = {}, std::string_view name = "weights", Parallel parallel = {})
    {
        by.expect_fit(w, codes.size(), name);
        order.expect_columns(w.cols, name);
        parallel(w.rows,
                 [&](std::size_t first, std::size_t last)
                 {
                     for (std::size_t row = first; row < last; ++row)
                     {
                         auto line = order.start();
                         for (std::size_t nth = 0; nth < w.cols; ++nth)
                         {
                             std::size_t const col = line.column(nth), group = by.group_of(row, col, w.cols);
                             code& q = codes[row * w.cols + col];
                             if (by.scale(group) != 0)
                                 q = by.nearest(group, line.target(w(row, col), col));
                             line.made(by.error(group, q, w(row, col)));
                         }
                     }
                 });
    }
}
