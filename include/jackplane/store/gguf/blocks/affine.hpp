// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <span>
#include "symmetric.hpp"

// Scales of groups with an offset, x ~ scale * q - below, q in 0 .. largest, below >= 0: searches of ggml's quantizers.
namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf::detail
{
    struct scale_and_below
    {
        float scale, below;
    };
    struct affine_search // inverse scales (largest + first + k step) / (high - low), k = 0 .. steps
    {
        float first, step;
        int steps;
        bool absolute = false; // errors count by magnitude, else by square
    };
    inline constexpr affine_search with_importance{-0.9f, 0.05f, 36};

    // Each inverse scale gives codes, the codes the weighted least squares for scale and offset; the best of them wins.
    inline scale_and_below fit_affine(std::span<float const> x, std::span<float const> w, int largest,
                                      affine_search search, code* q) noexcept
    {
        float low = x[0], high = x[0], sum_w = w[0], sum_x = rounded(w[0] * x[0]);
        for (std::size_t i = 1; i < x.size(); ++i)
        {
            low = min(low, x[i]), high = max(high, x[i]);
            sum_w += w[i];
            sum_x += rounded(w[i] * x[i]);
        }
        low = min(low, 0.0f);
        std::fill_n(q, x.size(), code{0});
        if (!(high > low))
            return {0, -low};
        auto const encode = [&](float first, code* to) // by the range from the lowest value, or the best offset so far
        {
            float const inverse = (first + static_cast<float>(largest)) / (high - low);
            for (std::size_t i = 0; i < x.size(); ++i)
                to[i] = static_cast<code>(nearest_int(inverse * (x[i] - low), 0, largest));
            return 1 / inverse;
        };
        auto const error = [&](float scale, float offset, code const* of)
        {
            float sum = 0;
            for (std::size_t i = 0; i < x.size(); ++i)
            {
                float const off = rounded(scale * static_cast<float>(of[i])) + offset - x[i];
                sum += rounded(w[i] * (search.absolute ? abs(off) : off * off));
            }
            return sum;
        };
        float scale = encode(0, q);
        float best = error(scale, low, q);
        code tried[32];
        for (int k = 0; k <= search.steps; ++k)
        {
            encode(search.first + rounded(search.step * static_cast<float>(k)), tried);
            float sum_q = 0, sum_qq = 0, sum_qx = 0;
            for (std::size_t i = 0; i < x.size(); ++i)
            {
                float const l = static_cast<float>(tried[i]), wl = w[i] * l;
                sum_q += rounded(wl);
                sum_qq += rounded(wl * l);
                sum_qx += rounded(wl * x[i]);
            }
            float const determinant = rounded(sum_w * sum_qq) - rounded(sum_q * sum_q);
            if (!(determinant > 0))
                continue;
            float fitted = (rounded(sum_w * sum_qx) - rounded(sum_x * sum_q)) / determinant;
            float offset = (rounded(sum_qq * sum_x) - rounded(sum_q * sum_qx)) / determinant;
            if (offset > 0)
                offset = 0, fitted = sum_qx / sum_qq;
            if (float const e = error(fitted, offset, tried); e < best)
                std::copy_n(tried, x.size(), q), best = e, scale = fitted, low = offset;
        }
        return {scale, -low};
    }

    // Scales of a super-block's groups as codes 0 .. largest of one scale, which is returned: nine inverse scales, then
    // codes move.
    inline float fit_positive(std::span<float const> x, std::span<float const> w, int largest, code* q) noexcept
    {
        float high = 0;
        for (float const v : x)
            high = max(high, v);
        std::fill_n(q, x.size(), code{0});
        if (high < least_group)
            return 0;
        float best_inverse = 0, best = 0;
        for (int k : {0, -4, -3, -2, -1, 1, 2, 3, 4})
        {
            float const inverse = (rounded(0.1f * static_cast<float>(k)) + static_cast<float>(largest)) / high;
            float const scale = 1 / inverse;
            float error = 0;
            for (std::size_t i = 0; i < x.size(); ++i)
            {
                int const l = std::min(largest, nearest_int(inverse * x[i]));
                int const kept = k == 0 ? static_cast<code>(l) : l; // a negative one wraps in the first
                float const off = x[i] - rounded(scale * static_cast<float>(kept));
                error += rounded(w[i] * off * off);
            }
            if (k == 0 || error < best)
                best = error, best_inverse = inverse;
        }
        moments m;
        for (std::size_t i = 0; i < x.size(); ++i)
        {
            int const l = std::min(largest, nearest_int(best_inverse * x[i]));
            q[i] = static_cast<code>(l);
            m.add(w[i], x[i], static_cast<float>(l));
        }
        move_levels(
            x, [&](std::size_t i) { return w[i]; }, -0x400000, largest, m, q, true);
        return m.scale();
    }
}
