// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>

namespace engine
{
    // AdamW (Loshchilov and Hutter 2019): decay is apart from the gradient's moments.
    struct adamw
    {
        float beta1 = 0.9f, beta2 = 0.98f, epsilon = 1e-8f, decay = 0.1f;

        // Updates n weights by `factor * g`; `step` counts from 1.
        void update(float* w, float* m, float* v, float const* g, std::size_t n, float factor, float rate, bool decayed,
                    std::size_t step) const noexcept
        {
            auto const k = static_cast<double>(step);
            auto const correct1 = static_cast<float>(1.0 / (1.0 - std::pow(static_cast<double>(beta1), k)));
            auto const correct2 = static_cast<float>(1.0 / (1.0 - std::pow(static_cast<double>(beta2), k)));
            float const keep = decayed ? 1.0f - rate * decay : 1.0f;
            for (std::size_t i = 0; i < n; ++i)
            {
                float const x = factor * g[i];
                m[i] = beta1 * m[i] + (1.0f - beta1) * x;
                v[i] = beta2 * v[i] + (1.0f - beta2) * x * x;
                w[i] = keep * w[i] - rate * m[i] * correct1 / (std::sqrt(v[i] * correct2) + epsilon);
            }
        }
    };

    // Linear warm-up, then a cosine from `peak` down to `last * peak`; progress runs over [0, 1].
    struct warm_cosine
    {
        double peak = 3e-3, warm_up = 0.02, last = 0.01;

        float operator()(double progress) const noexcept
        {
            if (progress < warm_up)
                return static_cast<float>(peak * progress / warm_up);
            double const angle = std::numbers::pi * std::min(1.0, (progress - warm_up) / (1.0 - warm_up));
            return static_cast<float>(peak * (last + (1.0 - last) * 0.5 * (1.0 + std::cos(angle))));
        }
    };
}
