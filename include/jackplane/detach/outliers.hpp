// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string_view>
#include <vector>
#include "../core/check.hpp"
#include "../core/concepts.hpp"

// How many outliers each matrix may have, of a number for all of them.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // `count` shared out in proportion to size times sensitivity^exponent; exponent 0: in proportion to the size. Whole
    // numbers by the largest remainders, none above its size. sensitivity: one number, not negative, of each matrix:
    // the mean magnitude of its changes. Throws shape_error, value_error.
    inline std::vector<std::size_t> share_out(std::size_t count, std::span<std::size_t const> sizes,
                                              std::span<double const> sensitivity, double exponent,
                                              std::string_view name = "outliers")
    {
        std::size_t const n = sizes.size();
        JACKPLANE_EXPECTS(sensitivity.size() == n, shape_error, name, ": ", n, " sizes and ", sensitivity.size(),
                          " sensitivities");
        JACKPLANE_EXPECTS(count <= std::accumulate(sizes.begin(), sizes.end(), std::size_t{0}), shape_error, name, ": ",
                          count, " of fewer weights");
        std::vector<double> part(n);
        for (std::size_t i = 0; i < n; ++i)
        {
            JACKPLANE_EXPECTS(std::isfinite(sensitivity[i]) && sensitivity[i] >= 0, value_error, name,
                              ": the sensitivity of matrix ", i, " is ", sensitivity[i]);
            part[i] = static_cast<double>(sizes[i]) * std::pow(sensitivity[i], exponent);
            JACKPLANE_EXPECTS(std::isfinite(part[i]), value_error, name, ": matrix ", i, " of sensitivity ",
                              sensitivity[i], " to the power of ", exponent, " gets a share of ", part[i]);
        }
        std::vector<std::size_t> counts(n);
        std::size_t left = count;
        while (left > 0) // again, where some were full
        {
            double whole = 0;
            for (std::size_t i = 0; i < n; ++i)
                whole += counts[i] < sizes[i] ? part[i] : 0;
            std::vector<std::size_t> open;
            std::vector<double> rest(n);
            std::size_t given = 0;
            for (std::size_t i = 0; i < n; ++i)
            {
                if (counts[i] == sizes[i])
                    continue;
                open.push_back(i);
                double const exact = whole > 0 ? static_cast<double>(left) * (part[i] / whole) : 0;
                auto const floor = std::min(static_cast<std::size_t>(exact), sizes[i] - counts[i]);
                rest[i] = exact - static_cast<double>(floor);
                counts[i] += floor;
                given += floor;
            }
            left -= given;
            std::sort(open.begin(), open.end(), [&](std::size_t a, std::size_t b)
                      { return rest[a] != rest[b] ? rest[a] > rest[b] : a < b; });
            for (std::size_t const i : open)
            {
                std::size_t const one = left > 0 && counts[i] < sizes[i] ? 1 : 0;
                counts[i] += one;
                left -= one;
            }
        }
        return counts;
    }

    struct outlier_shares // the shares that lose least, and how they were found
    {
        std::vector<std::size_t> counts; // of each matrix
        double exponent = 0, loss = 0;
    };

    // The exponent, of those given, whose shares lose least: self-adaptive outliers (Hu et al., arXiv 2503.01901,
    // algorithm 1; that it is a search over a temperature is inferred). loss_of(counts) -> the loss of the model whose
    // outliers were kept so. Throws value_error when no loss is finite or none is given.
    template <class LossOf>
    outlier_shares adaptive_outliers(std::size_t count, std::span<std::size_t const> sizes,
                                     std::span<double const> sensitivity, std::span<double const> exponents,
                                     LossOf&& loss_of, std::string_view name = "outliers")
    {
        outlier_shares best{{}, 0, std::numeric_limits<double>::infinity()};
        for (double const exponent : exponents)
        {
            auto counts = share_out(count, sizes, sensitivity, exponent, name);
            double const loss = loss_of(std::span<std::size_t const>(counts));
            if (loss < best.loss)
                best = {std::move(counts), exponent, loss};
        }
        JACKPLANE_EXPECTS(!best.counts.empty() || sizes.empty(), value_error, name, ": no finite loss of ",
                          exponents.size(), " exponents");
        return best;
    }
}
