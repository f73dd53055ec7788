// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// The members of tunable.
#include "../tunable.hpp"
#include <algorithm>

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    template <integer_codebook C, clipping<C> K, scale_number S>
    void tunable<C, K, S>::make_room(group_grid grid)
    {
        expect_whole(m_w, m_options.name);
        expect_finite(m_w, m_options.name, "weight");
        m_result.rows = m_w.rows;
        m_result.cols = m_w.cols;
        m_result.grid = grid;
        std::size_t const scales = grid.scales(m_w.rows);
        m_result.codes.resize(size());
        m_result.scales.resize(scales);
        if constexpr (!std::same_as<typename K::zero_type, no_zero>)
            m_result.zeros.resize(scales);
        m_inside.resize(size());
        auto const [first, second] = m_clip.initial();
        m_learned = {std::vector<float>(size()), std::vector<float>(scales, first), std::vector<float>(scales, second)};
        m_slopes = {std::vector<float>(size()), std::vector<float>(scales), std::vector<float>(scales)};
    }

    // What K needs to know of each group of weights.
    template <integer_codebook C, clipping<C> K, scale_number S>
    void tunable<C, K, S>::start_groups()
    {
        std::vector<float> weights, matters;
        auto const of_group = [&](std::size_t row, std::size_t at, std::size_t begin, std::size_t end)
        {
            for (std::size_t i = begin, col = begin - row * m_w.cols; i < end; ++i, ++col)
            {
                weights.push_back(weight_now(m_w(row, col), i));
                if (m_options.importance.data != nullptr)
                    matters.push_back(detail::importance_of(m_options.importance, row, col, m_options.name));
            }
            if (m_result.grid.whole_tensor && end != size()) // more to come
                return;
            m_groups[at] = m_clip.start(weights, m_result.book, matters);
            m_zero[at] = std::all_of(weights.begin(), weights.end(), [](float x) { return x == 0; });
            weights.clear();
            matters.clear();
        };
        for_each_group(std::size_t{0}, m_w.rows, of_group);
    }

    // The scales and zeros that there are, which K adjusts.
    template <integer_codebook C, clipping<C> K, scale_number S>
    void tunable<C, K, S>::start_from_scales()
    {
        auto const [first, second] = m_clip.initial();
        m_learned.first.assign(m_result.scales.size(), first);
        m_learned.second.assign(m_result.scales.size(), second);
        for (std::size_t i = 0; i < m_result.scales.size(); ++i)
        {
            m_groups.emplace_back(scale_at(i));
            m_zero.push_back(scale_at(i).scale == 0);
        }
        store_scales(false);
        round();
    }

    // A learned scale goes no further than S holds it: below, the group would be lost, and never learned again.
    template <integer_codebook C, clipping<C> K, scale_number S>
    void tunable<C, K, S>::store_scales(bool learned)
    {
        for (std::size_t i = 0; i < m_groups.size(); ++i)
        {
            parameter_pair const p{m_learned.first[i], m_learned.second[i]};
            scale_and_zero s = m_clip.scale(m_groups[i], p, m_result.book);
            if (learned && m_zero[i] == 0)
                s.scale = nearest_held<S>(s.scale);
            detail::store_scale(m_result, i, s, m_zero[i] != 0, m_options.name);
        }
    }

    template <integer_codebook C, clipping<C> K, scale_number S>
    void tunable<C, K, S>::expect_learned() const
    {
        auto const& [offset, first, second] = m_learned;
        std::size_t const scales = m_result.scales.size();
        JACKPLANE_EXPECTS(offset.size() == size() && first.size() == scales && second.size() == scales, shape_error,
                          m_options.name, ": ", size(), " weights in ", scales, " groups, but ", offset.size(),
                          " learned offsets and ", first.size(), " and ", second.size(), " numbers of groups");
        for (std::size_t i = 0; i < offset.size(); ++i)
            JACKPLANE_EXPECTS(!std::isnan(offset[i]), value_error, m_options.name, ": the learned offset at row ",
                              i / m_w.cols, ", column ", i % m_w.cols, " is ", offset[i]);
    }

    template <integer_codebook C, clipping<C> K, scale_number S>
    tunable<C, K, S>::tunable(matrix_view<float const> w, C book, K clip, group g, tunable_options options)
        : m_w(w), m_clip(clip), m_options(options), m_result{book, 0, 0, {1, 0, false}, {}, {}, {}}
    {
        detail::expect_importance(options.importance, w.rows, w.cols, options.name);
        make_room(group_grid::of(g, w.cols));
        m_groups.resize(m_result.scales.size());
        m_zero.resize(m_result.scales.size());
        start_groups();
        store_scales(false);
        round();
    }

    template <integer_codebook C, clipping<C> K, scale_number S>
    tunable<C, K, S>::tunable(matrix_view<float const> w, C book, leading_bits<S, typename K::zero_type> coarse,
                              tunable_options options)
        : m_w(w), m_options(options), m_result{book, 0, 0, {1, 0, false}, {}, {}, {}}
    {
        coarse.expect_inside(C::bits, w.rows, w.cols, options.name);
        make_room(coarse.grid);
        m_coarse = std::move(coarse.codes);
        m_finer_bits = C::bits - coarse.bits;
        m_result.scales = std::move(coarse.scales);
        m_result.zeros = std::move(coarse.zeros);
        round();
    }

    template <integer_codebook C, clipping<C> K, scale_number S>
    tunable<C, K, S>::tunable(matrix_view<float const> w, C book, leading_bits<S, typename K::zero_type> coarse, K clip,
                              tunable_options options)
        requires std::constructible_from<typename K::group_type, scale_and_zero>
        : tunable(w, book, std::move(coarse), options)
    {
        m_clip = clip;
        start_from_scales();
    }

    template <integer_codebook C, clipping<C> K, scale_number S>
    tunable<C, K, S>::tunable(matrix_view<float const> w, result_type codes, K clip, tunable_options options)
        requires std::constructible_from<typename K::group_type, scale_and_zero>
        : m_w(w), m_clip(clip), m_options(options), m_result(std::move(codes))
    {
        m_result.expect_whole(options.name);
        JACKPLANE_EXPECTS(m_result.rows == w.rows && m_result.cols == w.cols, shape_error, options.name, ": ", w.rows,
                          " x ", w.cols, ", but codes of ", m_result.rows, " x ", m_result.cols);
        make_room(m_result.grid);
        m_coarse = m_result.codes; // cells of a single code
        start_from_scales();
    }

    template <integer_codebook C, clipping<C> K, scale_number S>
    template <parallel_policy Parallel>
    void tunable<C, K, S>::round(Parallel parallel)
    {
        expect_learned();
        if (m_options.follows_weights && !m_groups.empty())
            start_groups();
        store_scales(true);
        auto const of_group = [&](std::size_t row, std::size_t at, std::size_t begin, std::size_t end)
        {
            scale_and_zero const s = scale_at(at);
            float const* const w = elements_of(row);
            bool const moves_codes = m_options.what == learns::offsets;
            for (std::size_t i = begin; i < end; ++i)
            {
                float const from = coordinate(weight_now(w[i], i), i, s);
                float const x = moves_codes ? offset::moved(from, m_learned.offset[i], m_options.reach.unit) : from;
                float const free = std::nearbyint(x);
                code_cell const in = cell_of(i);
                float const q = detail::clamp(free, in.low, in.high);
                m_result.codes[i] = static_cast<code>(q);
                m_inside[i] = q == free && in.low < in.high;
            }
        };
        for_each_group(parallel, of_group);
    }

    template <integer_codebook C, clipping<C> K, scale_number S>
    template <parallel_policy Parallel>
    void tunable<C, K, S>::decode(code_reading const& reading, std::span<float> out, Parallel parallel) const
    {
        JACKPLANE_EXPECTS(out.size() == size(), shape_error, m_options.name, ": ", size(), " weights into ",
                          out.size());
        auto const of_group = [&](std::size_t, std::size_t at, std::size_t begin, std::size_t end)
        {
            scale_and_zero const s = scale_at(at);
            for (std::size_t i = begin; i < end; ++i)
                out[i] = s.scale * (reading.value[m_result.codes[i]] - s.zero);
        };
        for_each_group(parallel, of_group);
    }

    template <integer_codebook C, clipping<C> K, scale_number S>
    template <parallel_policy Parallel>
    void tunable<C, K, S>::add_slopes(code_reading const& reading, std::span<float const> g, float weight,
                                      Parallel parallel)
    {
        JACKPLANE_EXPECTS(g.size() == size(), shape_error, m_options.name, ": ", size(), " weights, ", g.size(),
                          " gradients");
        auto const of_group = [&](std::size_t row, std::size_t at, std::size_t begin, std::size_t end)
        {
            scale_and_zero const s = scale_at(at);
            if (s.scale == 0) // exact zeros, whatever is learned
                return;
            float const* const w = elements_of(row);
            float const along_offset =
                m_options.what == learns::weights ? weight : weight * s.scale * step() * m_options.reach.unit;
            scale_and_zero slope{0, 0};
            for (std::size_t i = begin; i < end; ++i)
            {
                code const q = m_result.codes[i];
                bool const moves = m_inside[i] != 0 && reading.moves[q];
                float const slope_of_moving = moves ? g[i] : 0.0f;
                m_slopes.offset[i] += along_offset * slope_of_moving;
                slope.scale += g[i] * (reading.value[q] - s.zero) - slope_of_moving * (weight_now(w[i], i) / s.scale);
                slope.zero += slope_of_moving - g[i];
            }
            if (m_groups.empty())
                return;
            slope = {weight * slope.scale, weight * slope.zero * s.scale};
            parameter_pair const p{m_learned.first[at], m_learned.second[at]};
            auto const [first, second] = m_clip.slope(m_groups[at], p, s, slope, m_result.book);
            m_slopes.first[at] += first;
            m_slopes.second[at] += second;
        };
        if (m_result.grid.whole_tensor) // all rows add to one pair
            return for_each_group(std::size_t{0}, m_w.rows, of_group);
        for_each_group(parallel, of_group);
    }

    template <integer_codebook C, clipping<C> K, scale_number S>
    void tunable<C, K, S>::clear_slopes()
    {
        std::fill(m_slopes.offset.begin(), m_slopes.offset.end(), 0.0f);
        std::fill(m_slopes.first.begin(), m_slopes.first.end(), 0.0f);
        std::fill(m_slopes.second.begin(), m_slopes.second.end(), 0.0f);
    }

    template <integer_codebook C, clipping<C> K, scale_number S>
    void tunable<C, K, S>::limit()
    {
        float const reach = m_options.reach.limit;
        if (m_options.what == learns::offsets)
            for (float& v : m_learned.offset)
                v = detail::clamp(v, -reach, reach);
        for (std::size_t i = 0; i < m_learned.first.size(); ++i)
        {
            auto const [first, second] = m_clip.limit({m_learned.first[i], m_learned.second[i]});
            m_learned.first[i] = first;
            m_learned.second[i] = second;
        }
    }

    template <integer_codebook C, clipping<C> K, scale_number S>
    void tunable<C, K, S>::start_from(aligned_vector<code> const& codes)
    {
        JACKPLANE_EXPECTS(codes.size() == size(), shape_error, m_options.name, ": ", size(), " weights, ", codes.size(),
                          " codes to start from");
        detail::expect_codes(codes, m_w.cols, C::bits, m_options.name);
        auto const of_group = [&](std::size_t row, std::size_t at, std::size_t begin, std::size_t end)
        {
            scale_and_zero const s = scale_at(at);
            float const* const w = elements_of(row);
            for (std::size_t i = begin; i < end; ++i)
            {
                float const off = static_cast<float>(codes[i]) - coordinate(w[i], i, s);
                m_learned.offset[i] = offset_reach::least(off) / m_options.reach.unit;
            }
        };
        for_each_group(std::size_t{0}, m_w.rows, of_group);
        limit();
        round();
    }
}
