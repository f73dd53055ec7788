// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>
#include "quantize.hpp"

namespace jackplane::inline v0 // shared by all units: core/target.hpp
{
    // 2^B values of each row's own, ascending: w^[row, col] = scales[row, code]. A code is the number of a value.
    // Kim et al., "SqueezeLLM" (arXiv 2306.07629), section 4.1.
    template <unsigned B>
        requires(1 <= B && B <= 4)
    struct row_table
    {
        static constexpr bool by_row = true;
        static constexpr unsigned bits = B, size = 1u << B;
        static constexpr float centre = 0;

        [[gnu::always_inline]] static constexpr char const* name() noexcept { return "row_table"; }
        [[gnu::always_inline]] static constexpr float decode(code q) noexcept { return q; }
        [[gnu::always_inline]] static constexpr float coordinate(float x) noexcept { return x; }
        [[gnu::always_inline]] static code encode(float x) noexcept { return uniform<B>::encode(x); }
    };
    static_assert(row_codebook<row_table<4>> && !linear_codebook<row_table<4>> && !nested_codebook<row_table<4>>);
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // The values of each row are those of least importance-weighted squared error (k-means in one dimension, exact),
    // rounded to S as they will be stored; codes are those of the nearest ones. Weights of importance 0 count only
    // where a row has no others, so those that stand elsewhere (detach) shall have it.
    // w [rows, cols]. Throws value_error at NaN or Inf and at an importance below 0 (tensor, row, column) and where S
    // does not hold the largest value of a row (row, the type that holds it); shape_error when importance has another
    // shape. Values far below the largest may be subnormal: what they lose is no more than
    // what the largest does.
    template <scale_number S = half, matrix_like M, unsigned B, parallel_policy Parallel = serial>
        requires element<std::remove_const_t<element_of<M>>>
    quantized<row_table<B>, S, no_zero> quantize(M const& weights, row_table<B> book, quantize_options options = {},
                                                 Parallel parallel = {});

    namespace detail
    {
        // Splits sorted weights into at most k runs so that the squared errors to the mean of each run, weighted by
        // `matters`, add up to the least there is. A run is worth (sum m w)^2 / sum m, what it spares of sum m w^2; the
        // best end of a run never moves back when the runs before it grow, so each half of the places looks at its
        // share of the ends alone: k n log n steps.
        class best_runs
        {
        public:
            // Ends of the runs, ascending; the last is n. Runs may be empty. -> [k]
            aligned_vector<std::size_t> const& split(std::span<float const> weights, std::span<float const> matters,
                                                  std::size_t k)
            {
                std::size_t const n = weights.size();
                _mass.resize(n + 1);
                _moment.resize(n + 1);
                _mass[0] = _moment[0] = 0;
                for (std::size_t i = 0; i < n; ++i)
                {
                    _mass[i + 1] = _mass[i] + static_cast<double>(matters[i]);
                    _moment[i + 1] = _moment[i] + static_cast<double>(matters[i]) * static_cast<double>(weights[i]);
                }
                _best.resize(n + 1);
                _next.resize(n + 1);
                for (std::size_t i = 0; i <= n; ++i)
                    _best[i] = worth(0, i);
                _begin.resize(k);
                for (std::size_t run = 1; run < k; ++run)
                {
                    _begin[run].resize(n + 1);
                    fill(_begin[run], 0, n + 1, 0, n);
                    std::swap(_best, _next);
                }
                _ends.assign(k, n);
                for (std::size_t run = k; run-- > 1;)
                    _ends[run - 1] = _begin[run][_ends[run]];
                return _ends;
            }
            // of the weights [first, last), which have mass
            double mean(std::size_t first, std::size_t last) const noexcept
            {
                return (_moment[last] - _moment[first]) / (_mass[last] - _mass[first]);
            }
            bool has_mass(std::size_t first, std::size_t last) const noexcept { return _mass[last] > _mass[first]; }

        private:
            double worth(std::size_t first, std::size_t last) const noexcept
            {
                double const mass = _mass[last] - _mass[first], moment = _moment[last] - _moment[first];
                return mass > 0 ? moment * moment / mass : 0;
            }
            // _next and begins of the places [first, last), whose last runs begin from low to high
            void fill(aligned_vector<std::uint32_t>& begins, std::size_t first, std::size_t last, std::size_t low,
                      std::size_t high)
            {
                if (first == last)
                    return;
                std::size_t const place = first + (last - first) / 2;
                double most = -1;
                std::size_t at = low;
                for (std::size_t begin = low; begin <= std::min(place, high); ++begin)
                    if (double const sum = _best[begin] + worth(begin, place); sum > most)
                        most = sum, at = begin;
                _next[place] = most;
                begins[place] = static_cast<std::uint32_t>(at);
                fill(begins, first, place, low, at);
                fill(begins, place + 1, last, at, high);
            }

            aligned_vector<double> _mass, _moment, _best, _next; // [n + 1]: sums of m, m w; worth of the first runs
            aligned_vector<aligned_vector<std::uint32_t>> _begin; // [k, n + 1]: of the last run
            aligned_vector<std::size_t> _ends;
        };
    }

    template <scale_number S, matrix_like M, unsigned B, parallel_policy Parallel>
        requires element<std::remove_const_t<element_of<M>>>
    quantized<row_table<B>, S, no_zero> quantize(M const& matrix, row_table<B> book, quantize_options options,
                                                 Parallel parallel)
    {
        auto const w = view_of(matrix);
        using table = row_table<B>;
        auto const& importance = options.importance;
        expect_whole(w, options.name);
        detail::expect_importance(importance, w.rows, w.cols, options.name);
        quantized<table, S, no_zero> q{book, w.rows, w.cols, {1, table::size, false},
                                       aligned_vector<code>(w.rows * w.cols),
                                       aligned_vector<S>(w.rows * table::size), {}};
        parallel(w.rows, [&](std::size_t first, std::size_t last)
        {
            detail::best_runs runs;
            aligned_vector<std::size_t> order(w.cols);
            aligned_vector<float> of_row(w.cols), weights(w.cols),
                matters(w.cols); // the latter two in the order of size
            for (std::size_t row = first; row < last; ++row)
            {
                bool may_be_zero = true;
                for (std::size_t col = 0; col < w.cols; ++col)
                {
                    of_row[col] = detail::finite_weight(w, row, col, options.name);
                    may_be_zero = may_be_zero && (importance.data != nullptr || detail::is_zero(w(row, col)));
                }
                std::iota(order.begin(), order.end(), std::size_t{0});
                std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b)
                          { return of_row[a] < of_row[b] || (of_row[a] == of_row[b] && a < b); });
                bool any = false;
                for (std::size_t i = 0; i < w.cols; ++i)
                {
                    weights[i] = of_row[order[i]];
                    matters[i] = importance.data == nullptr
                                     ? 1.0f
                                     : detail::importance_of(importance, row, order[i], options.name);
                    any = any || matters[i] > 0;
                }
                if (!any)
                    for (float& m : matters)
                        m = 1;

                std::array<float, table::size> values; // as they will be read
                auto const& ends = runs.split(weights, matters, table::size);
                float value = w.cols == 0 ? 0.0f : weights[0];
                for (std::size_t run = 0, begin = 0; run < table::size; begin = ends[run++])
                {
                    if (runs.has_mass(begin, ends[run])) // else that of the run before
                        value = detail::clamp(static_cast<float>(runs.mean(begin, ends[run])), weights[begin],
                                           weights[ends[run] - 1]);
                    values[run] = value;
                }
                float const low = values.front(), high = values.back(), largest = high < -low ? low : high;
                JACKPLANE_EXPECTS(holds<S>(largest) && (largest != 0 || may_be_zero), value_error, options.name,
                                  ": value ", largest, " of row ", row, why_not_held<S>(largest));
                for (std::size_t run = 0; run < table::size; ++run)
                {
                    S const stored = from_float<S>(values[run]);
                    q.scales[row * table::size + run] = stored;
                    values[run] = to_float(stored);
                }
                for (std::size_t col = 0; col < w.cols; ++col)
                {
                    auto const distance = [&](std::size_t at) { return detail::abs(of_row[col] - values[at]); };
                    std::size_t nearest = 0;
                    for (std::size_t at = 1; at < table::size; ++at)
                        nearest = distance(at) < distance(nearest) ? at : nearest;
                    q.codes[row * w.cols + col] = static_cast<code>(nearest);
                }
            }
        });
        return q;
    }
}
