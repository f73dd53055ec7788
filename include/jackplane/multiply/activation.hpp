// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <limits>
#include "../core/view.hpp"
#include "../pack/planes.hpp"

namespace jackplane::inline v0
{
    struct exact_view
    {
        float const* x;    // [blocks * 32], padded with +0
        float const* sums; // [blocks]: of each; NaN where an x is NaN or Inf, so that every y that reads it is NaN
        std::size_t cols;  // without the padding
    };

    // sum of 32 floats, rounded once
    inline float sum_of_block(float const* x) noexcept
    {
        double sum = 0;
        bool finite = true;
        for (std::size_t i = 0; i < block::cols; ++i)
        {
            sum += static_cast<double>(x[i]);
            finite = finite && is_finite(x[i]);
        }
        return finite ? static_cast<float>(sum) : std::numeric_limits<float>::quiet_NaN();
    }

    // x as fp32.
    struct exact
    {
        class prepared // keeps its memory from one x to the next
        {
        public:
            exact_view view() const noexcept { return {m_x.data(), m_sums.data(), m_cols}; }
            std::size_t cols() const noexcept { return m_cols; }

        private:
            friend struct exact;
            aligned_vector<float> m_x, m_sums;
            std::size_t m_cols = 0;
        };

        template <element T>
        static void prepare(std::span<T const> x, prepared& into)
        {
            std::size_t const blocks = ceil_div(x.size(), block::cols);
            into.m_cols = x.size();
            into.m_x.assign(blocks * block::cols, 0.0f);
            into.m_sums.resize(blocks);
            std::transform(x.begin(), x.end(), into.m_x.begin(), [](T v) { return to_float(v); });
            for (std::size_t b = 0; b < blocks; ++b)
                into.m_sums[b] = sum_of_block(into.m_x.data() + b * block::cols);
        }
        static void prepare(std::span<float const> x, prepared& into) { prepare<float>(x, into); }
    };
    static_assert(activation<exact>);
}
