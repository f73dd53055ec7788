// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <string_view>
#include "../core/parallel.hpp"
#include "../core/storage.hpp"
#include "quantized.hpp"
#include "rounding.hpp"
#include "scale.hpp"
#include "sweep.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // What quantize takes beside policies.
    struct quantize_options
    {
        matrix_view<float const> importance{}; // [1, cols] or [rows, cols]: weight of each squared error; none: all 1
        std::string_view name = "weights";     // of the tensor, for errors
    };

    // Scales of the groups, rounded to S and Z as they will be stored, then the codes computed from those.
    // w [rows, cols]. Throws value_error at NaN or Inf and at an importance below 0 (tensor, row, column) and where S
    // does not hold a scale (row, group, the type that holds it; scale_range asks first); shape_error when importance
    // has another shape.
    //     quantize(w, uniform<8>{}, minmax{}, group{64})
    //     quantize(w, uniform<4>{}, minmax{}, group{64}, nearest{}, feedback(gram))       // GPTQ
    template <scale_number S = half, matrix_like M, codebook C, scale<C> P, rounding R = nearest, sweep W = independent,
              parallel_policy Parallel = serial>
        requires element<std::remove_const_t<element_of<M>>>
    quantized<C, S, typename P::zero_type> quantize(M const& weights, C book, P policy, group g, R rounded = {},
                                                    W const& order = {}, quantize_options options = {},
                                                    Parallel parallel = {});

    namespace detail
    {
        template <class T>
        float finite_weight(matrix_view<T> w, std::size_t row, std::size_t col, std::string_view name)
        {
            float const x = to_float(w(row, col));
            JACKPLANE_EXPECTS(is_finite(x), value_error, name, ": weight at row ", row, ", column ", col, " is ", x);
            return x;
        }

        inline void expect_importance(matrix_view<float const> importance, std::size_t rows, std::size_t cols,
                                      std::string_view name)
        {
            expect_whole(importance, text(name, ": importance"));
            JACKPLANE_EXPECTS(importance.data == nullptr ||
                                  (importance.cols == cols && (importance.rows == 1 || importance.rows == rows)),
                              shape_error, name, ": importance is ", importance.rows, " x ", importance.cols,
                              ", the weights are ", rows, " x ", cols);
        }

        inline float importance_of(matrix_view<float const> importance, std::size_t row, std::size_t col,
                                   std::string_view name)
        {
            float const x = importance(importance.rows == 1 ? 0 : row, col);
            JACKPLANE_EXPECTS(is_finite(x) && x >= 0, value_error, name, ": importance at row ", row, ", column ", col,
                              " is ", x);
            return x;
        }

        template <class T>
        bool is_zero(T x) noexcept // a double may be too small for a float
        {
            if constexpr (std::same_as<T, double>)
                return x == 0;
            else
                return to_float(x) == 0;
        }

        // The weights that share a scale, side by side as floats.
        struct gathered
        {
            aligned_vector<float> weights, matters; // matters: empty for 1 everywhere
            bool all_zero = true;                   // as they were

            template <class T>
            void gather(matrix_view<T> w, std::size_t begin, std::size_t end, std::size_t left, std::size_t right,
                        quantize_options const& options)
            {
                weights.clear();
                matters.clear();
                all_zero = true;
                for (std::size_t row = begin; row < end; ++row)
                    for (std::size_t col = left; col < right; ++col)
                    {
                        weights.push_back(finite_weight(w, row, col, options.name));
                        all_zero = all_zero && is_zero(w(row, col));
                        if (options.importance.data != nullptr)
                            matters.push_back(importance_of(options.importance, row, col, options.name));
                    }
            }
        };

        // A zero as it is stored. One that does not fit is a value_error, which names its group and what that is of:
        // the row, or the vector, `nth`.
        template <zero_number Z>
        Z stored_zero(float exact, std::string_view name, std::size_t group, std::string_view of, std::size_t nth)
        {
            bool const fits =
                std::same_as<Z, integer_zero> ? exact >= 0 && exact <= 255 : is_finite(from_float<half>(exact));
            JACKPLANE_EXPECTS(fits, value_error, name, ": zero ", exact, " of group ", group, of, nth,
                              " does not fit in ", 8 * sizeof(Z), " bits");
            if constexpr (std::same_as<Z, integer_zero>)
                return static_cast<Z>(exact);
            else
                return from_float<half>(exact);
        }

        // Stores the scale and zero of scale number `at`; returns what a reader will see. all_zero: the weights of the
        // group, which then keep a scale of 0 when errors made before it ask for one that S does not hold.
        template <codebook C, scale_number S, zero_number Z>
        scale_and_zero store_scale(quantized<C, S, Z>& q, std::size_t at, scale_and_zero exact, bool all_zero,
                                   std::string_view name)
        {
            bool const held = holds<S>(exact.scale) && (exact.scale != 0 || all_zero);
            std::size_t const row = at / q.grid.per_row, nth = at % q.grid.per_row;
            JACKPLANE_EXPECTS(held || all_zero, value_error, name, ": scale ", exact.scale, " of group ", nth,
                              " in row ", row, why_not_held<S>(exact.scale));
            S const stored = from_float<S>(held ? exact.scale : 0.0f);
            q.scales[at] = stored;
            if constexpr (!std::same_as<Z, no_zero>)
            {
                q.zeros[at] = stored_zero<Z>(exact.zero, name, nth, " in row ", row);
                exact.zero = to_float(q.zeros[at]);
            }
            return {to_float(stored), exact.zero};
        }

        // w - w^, rounded once: the product of floats is exact
        template <codebook C>
        float error_of(C const& book, code c, float w, scale_and_zero s) noexcept
        {
            float const value = book.decode(c) - s.zero;
            return static_cast<float>(static_cast<double>(w) -
                                      static_cast<double>(s.scale) * static_cast<double>(value));
        }

        template <codebook C, rounding R>
        code encode(C const& book, R const& rounded, float w, scale_and_zero s, position at) noexcept
        {
            float const x = s.scale == 0 ? s.zero : w / s.scale + s.zero; // a scale of 0 decodes to 0 whatever the code
            float const q = rounded(book.coordinate(x), at);
            return static_cast<code>(clamp(q, 0.0f, static_cast<float>(C::size - 1)));
        }

        // The codes of one row in the order of a sweep. reached(left, right, line): the columns of a group come up.
        template <class T, codebook C, scale_number S, zero_number Z, rounding R, sweep W, class Reached>
        void quantize_row(matrix_view<T> w, quantized<C, S, Z>& q, R const& rounded, W const& order, std::size_t row,
                          Reached&& reached)
        {
            auto line = order.start();
            scale_and_zero s{};
            for (std::size_t nth = 0, left = 0, right = 0; nth < w.cols; ++nth)
            {
                std::size_t const col = line.column(nth);
                if (col < left || col >= right) // another group
                {
                    left = col - col % q.grid.columns;
                    right = std::min(left + q.grid.columns, w.cols);
                    reached(left, right, line);
                    s = {q.scale_at(row, col), q.zero_at(row, col)};
                }
                float const weight = to_float(w(row, col));
                code const c = encode(q.book, rounded, line.target(weight, col), s, {row, col});
                q.codes[row * w.cols + col] = c;
                line.made(error_of(q.book, c, weight, s));
            }
        }
    }

    template <scale_number S, matrix_like M, codebook C, scale<C> P, rounding R, sweep W, parallel_policy Parallel>
        requires element<std::remove_const_t<element_of<M>>>
    quantized<C, S, typename P::zero_type> quantize(M const& weights, C book, P policy, group g, R rounded,
                                                    W const& order, quantize_options options, Parallel parallel)
    {
        auto const w = view_of(weights);
        auto const& importance = options.importance;
        expect_whole(w, options.name);
        detail::expect_importance(importance, w.rows, w.cols, options.name);
        order.expect_columns(w.cols, options.name);
        if constexpr (requires { rounded.expect_shape(w.rows, w.cols, options.name); })
            rounded.expect_shape(w.rows, w.cols, options.name);
        group_grid const grid = group_grid::of(g, w.cols);
        quantized<C, S, typename P::zero_type> q{book, w.rows, w.cols, grid,
                                                 aligned_vector<code>(w.rows * w.cols),
                                                 aligned_vector<S>(grid.scales(w.rows)), {}};
        if constexpr (!std::same_as<typename P::zero_type, no_zero>)
            q.zeros.resize(q.scales.size());

        // rows of w that share scales: one, or all of them
        std::size_t const band = q.grid.whole_tensor ? w.rows : 1, bands = w.rows == 0 ? 0 : w.rows / band;
        bool const scales_first = q.grid.whole_tensor || order.scales_first();
        parallel(bands, [&](std::size_t first, std::size_t last)
        {
            detail::gathered of;
            // Of the rows [begin, end) and the columns of a group.
            auto const choose_scale =
                [&](std::size_t begin, std::size_t end, std::size_t left, std::size_t right, auto&& line)
            {
                of.gather(w, begin, end, left, right, options);
                line.reach(left, of.weights);
                detail::store_scale(q, q.grid.at(begin, left), policy(of.weights, book, of.matters),
                                    of.all_zero, options.name);
            };
            for (std::size_t begin = first * band; begin < last * band; begin += band)
            {
                for (std::size_t left = 0, right; scales_first && left < w.cols; left = right)
                {
                    right = std::min(left + q.grid.columns, w.cols);
                    choose_scale(begin, begin + band, left, right, independent::row{});
                }
                for (std::size_t row = begin; row < begin + band; ++row)
                    detail::quantize_row(w, q, rounded, order, row,
                                         [&](std::size_t left, std::size_t right, auto&& line)
                                         {
                                             if (!scales_first)
                                                 choose_scale(row, row + 1, left, right, line);
                                         });
            }
        });
        return q;
    }
}
#include "misuse.hpp"
