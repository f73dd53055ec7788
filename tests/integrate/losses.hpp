// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>
#include "../laws/weights.hpp"

// Losses whose integrals are known, in double.
namespace
{
    inline std::vector<float> numbers(std::size_t n, unsigned seed)
    {
        auto const all = laws::weights(1, n, seed, 1).data;
        return {all.begin(), all.end()};
    }

    // (w - c)^T A (w - c) / 2 with A = d d^T + diagonal: the Hessian mixes all weights.
    struct quadratic
    {
        std::vector<float> centre, mixes, own;

        double operator()(std::span<float const> w, std::span<float> g) const
        {
            double along = 0, sum = 0;
            for (std::size_t i = 0; i < w.size(); ++i)
                along += double{mixes[i]} * (double{w[i]} - centre[i]);
            for (std::size_t i = 0; i < w.size(); ++i)
            {
                double const off = double{w[i]} - centre[i];
                sum += own[i] * off * off / 2;
                if (!g.empty())
                    g[i] = static_cast<float>(along * mixes[i] + own[i] * off);
            }
            return sum + along * along / 2;
        }
    };

    // Samples of mean sin(frequency of the sample times the sum of the weights) + exp(each) / n.
    struct wavy
    {
        std::vector<float> frequencies{1, 3, -2, 5, 0.5f};
        std::vector<std::size_t> asked{0, 1, 2, 3, 4};
        std::size_t calls = 0;

        std::size_t samples() const { return frequencies.size(); }
        void at(std::span<std::size_t const> which) { asked.assign(which.begin(), which.end()); }
        double operator()(std::span<float const> w, std::span<float> g)
        {
            ++calls;
            double sum = 0, value = 0;
            for (float const x : w)
                sum += x;
            std::vector<double> slope(w.size());
            for (std::size_t const s : asked)
            {
                double const f = frequencies[s], n = static_cast<double>(asked.size());
                value += std::sin(f * sum) / n;
                for (std::size_t i = 0; i < w.size(); ++i)
                {
                    value += f * std::exp(double{w[i]}) / n;
                    slope[i] += (f * std::cos(f * sum) + f * std::exp(double{w[i]})) / n;
                }
            }
            std::copy_n(slope.begin(), g.size(), g.begin());
            return value;
        }
    };

    template <class F>
    double change(F& f, std::span<float const> w, std::span<float const> w_tilde)
    {
        return f(w_tilde, std::span<float>()) - f(w, std::span<float>());
    }

    inline double sum_of(std::span<float const> values)
    {
        double sum = 0;
        for (float const x : values)
            sum += x;
        return sum;
    }
    inline double size_of(std::span<float const> values) // sum of magnitudes
    {
        double sum = 0;
        for (float const x : values)
            sum += std::abs(double{x});
        return sum;
    }
}
