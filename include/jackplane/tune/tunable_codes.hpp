// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>
#include "../quantize/levels.hpp"
#include "tunable.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // A matrix whose rounding is learned and nothing else: scales, offsets and levels are given, as those of a format
    // whose scales have scales. For tune, in place of tunable:
    //     code = clamp(round(place(w) + v)),    w^ = scale * level[code] + offset
    // with v [rows, cols] the learned offsets, |v| <= reach. Gradients pass straight through rounding and are 0 where a
    // code is clamped. A group whose scale is 0 keeps its codes.
    class tunable_codes
    {
    public:
        struct parameters // what is learned of a matrix
        {
            std::vector<float> offset;        // v [rows, cols]
            std::vector<float> first, second; // none: scales stay
        };
        struct reading_type // codes are read as they are
        {
        };

        // codes [rows, cols]: where rounding starts; those that lie farther from their weights than reach leads, as
        // GPTQ's may, start as near to them as it does. w is not looked at afterwards. reach: in codes; half a step
        // lets a weight choose between its two neighbours. Throws what round_to_levels throws, value_error at a code
        // that has no level (row, column).
        tunable_codes(matrix_view<float const> w, given_levels by, aligned_vector<code> codes, float reach = 0.5f,
                      std::string_view name = "weights")
            : m_by(std::move(by)), m_cols(w.cols), m_reach(reach), m_name(name), m_codes(std::move(codes))
        {
            m_by.expect_fit(w, m_codes.size(), name);
            m_place.resize(m_codes.size());
            m_inside.resize(m_codes.size());
            m_learned.offset.resize(m_codes.size());
            m_slopes.offset.resize(m_codes.size());
            for (std::size_t row = 0, i = 0; row < w.rows; ++row)
                for (std::size_t col = 0; col < w.cols; ++col, ++i)
                {
                    JACKPLANE_EXPECTS(m_codes[i] < m_by.size(), value_error, name, ": the code at row ", row,
                                      ", column ", col, " is ", m_codes[i], ", there are ", m_by.size());
                    std::size_t const group = m_by.group_of(row, col, m_cols);
                    m_place[i] = m_by.scale(group) != 0 ? m_by.place(group, w(row, col)) : m_codes[i];
                    m_learned.offset[i] = offset_reach::least(m_codes[i] - m_place[i]);
                }
            limit();
            round();
        }

        std::size_t size() const noexcept { return m_codes.size(); }
        parameters const& learned() const& noexcept { return m_learned; }
        parameters& learned() & noexcept { return m_learned; }
        parameters const& slopes() const& noexcept { return m_slopes; }
        // After round(). [rows, cols]
        aligned_vector<code> const& codes() const& noexcept { return m_codes; }

        template <class Slice>
        reading_type reading(Slice const&, unsigned) const noexcept // at every width
        {
            return {};
        }

        // Codes from what is learned. Throws shape_error, value_error where that has another size or is NaN.
        template <parallel_policy Parallel = serial>
        void round(Parallel parallel = {})
        {
            JACKPLANE_EXPECTS(m_learned.offset.size() == size(), shape_error, m_name, ": ", size(), " weights, ",
                              m_learned.offset.size(), " learned offsets");
            for_each(parallel,
                     [&](std::size_t i, std::size_t group)
                     {
                         float const x = m_place[i] + m_learned.offset[i], free = detail::nearbyint(x);
                         JACKPLANE_EXPECTS(x == x, value_error, m_name, ": the learned offset at row ", i / m_cols,
                                           ", column ", i % m_cols, " is ", m_learned.offset[i]);
                         m_codes[i] = m_by.clamped(free);
                         m_inside[i] = free == m_codes[i] && m_by.scale(group) != 0;
                     });
        }
        // After round(): w^ -> out [rows * cols].
        template <parallel_policy Parallel = serial>
        void decode(reading_type, std::span<float> out, Parallel parallel = {}) const
        {
            JACKPLANE_EXPECTS(out.size() == size(), shape_error, m_name, ": ", size(), " weights into ", out.size());
            for_each(parallel,
                     [&](std::size_t i, std::size_t group) { out[i] = m_by.decode(group, m_codes[i]); });
        }
        // After round(): adds `weight` times the gradient by what is learned, levels taken as a step apart; g [rows *
        // cols] is the gradient by w^.
        template <parallel_policy Parallel = serial>
        void add_slopes(reading_type, std::span<float const> g, float weight, Parallel parallel = {})
        {
            JACKPLANE_EXPECTS(g.size() == size(), shape_error, m_name, ": ", size(), " weights, ", g.size(),
                              " gradients");
            for_each(parallel,
                     [&](std::size_t i, std::size_t group)
                     { m_slopes.offset[i] += m_inside[i] != 0 ? weight * m_by.scale(group) * g[i] : 0.0f; });
        }
        void clear_slopes() { std::fill(m_slopes.offset.begin(), m_slopes.offset.end(), 0.0f); }
        void limit() // after a step: back inside the reach
        {
            for (float& v : m_learned.offset)
                v = detail::clamp(v, -m_reach, m_reach);
        }

    private:
        // body(weight, its group)
        template <parallel_policy Parallel, class Body>
        void for_each(Parallel& parallel, Body&& body) const
        {
            parallel(m_cols == 0 ? 0 : size() / m_cols,
                     [&](std::size_t first, std::size_t last)
                     {
                         for (std::size_t row = first; row < last; ++row)
                             for (std::size_t left = 0; left < m_cols; left += m_by.columns())
                             {
                                 std::size_t const group = m_by.group_of(row, left, m_cols);
                                 std::size_t const right = std::min(left + m_by.columns(), m_cols);
                                 for (std::size_t i = row * m_cols + left; i < row * m_cols + right; ++i)
                                     body(i, group);
                             }
                     });
        }

        given_levels m_by;
        std::size_t m_cols;
        float m_reach;
        std::string m_name;
        aligned_vector<code> m_codes;
        std::vector<float> m_place;          // the fractional codes
        std::vector<unsigned char> m_inside; // 1 where a code is not clamped
        parameters m_learned, m_slopes;
    };
}
