// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <span>
#include <utility>
#include <vector>
#include "../core/check.hpp"
#include "../core/number.hpp"
#include "../core/view.hpp"

// Before quantization: columns that read large inputs are scaled up and their inputs down by as much, so that products
// stay and the errors of rounding move to where inputs are small. AWQ (Lin et al., arXiv 2306.00978, section 3.2).
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // |x|^ratio of each input, at least 1e-4, over the geometric mean of the largest and the smallest of them.
    inline std::vector<float> channel_scales(std::span<float const> magnitudes, float ratio)
    {
        std::vector<double> all;
        for (float const x : magnitudes)
        {
            JACKPLANE_EXPECTS(x >= 0 && is_finite(x), value_error, "input ", all.size(), " has magnitude ", x);
            all.push_back(std::max(std::pow(static_cast<double>(x), static_cast<double>(ratio)), 1e-4));
        }
        std::vector<float> scales(all.size());
        if (all.empty())
            return scales;
        auto const [least, most] = std::minmax_element(all.begin(), all.end());
        double const middle = std::sqrt(*least * *most);
        std::transform(all.begin(), all.end(), scales.begin(),
                       [=](double s) { return static_cast<float>(s / middle); });
        return scales;
    }

    // The matrix that reads inputs divided by `scales`. Throws shape_error.
    inline void multiply_columns(matrix_view<float> w, std::span<float const> scales)
    {
        JACKPLANE_EXPECTS(scales.size() == w.cols, shape_error, w.cols, " columns, ", scales.size(), " scales");
        expect_whole(w, "weights");
        for (std::size_t row = 0; row < w.rows; ++row)
            for (std::size_t col = 0; col < w.cols; ++col)
                w(row, col) *= scales[col];
    }
    // The matrix that makes such inputs. Throws shape_error.
    inline void divide_rows(matrix_view<float> w, std::span<float const> scales)
    {
        JACKPLANE_EXPECTS(scales.size() == w.rows, shape_error, w.rows, " rows, ", scales.size(), " scales");
        expect_whole(w, "weights");
        for (std::size_t row = 0; row < w.rows; ++row)
            for (std::size_t col = 0; col < w.cols; ++col)
                w(row, col) /= scales[row];
    }

    struct balance_report // what the search found
    {
        float ratio = 0; // 0: nothing is scaled
        std::vector<float> scales;
        double before = 0, after = 0; // errors
    };

    // The scales of least error among the ratios k / steps, k < steps. magnitudes: mean |x| of each input over the
    // calibration tokens; error_of(scales): of the output when the matrices that read x are quantized with their
    // columns so scaled.
    template <class ErrorOf>
    balance_report balance(std::span<float const> magnitudes, ErrorOf&& error_of, unsigned steps = 20)
    {
        balance_report best;
        for (unsigned k = 0; k < steps; ++k)
        {
            float const ratio = static_cast<float>(k) / static_cast<float>(steps);
            auto scales = channel_scales(magnitudes, ratio);
            double const error = error_of(std::span<float const>(scales));
            if (k == 0)
                best.before = error;
            if (k == 0 || error < best.after)
                best = {ratio, std::move(scales), best.before, error};
        }
        return best;
    }
}
