// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <numbers>
#include "../core/concepts.hpp"

// How far step k of `steps` may go.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    struct constant // the same rate in every step
    {
        float first;
        std::size_t steps;

        constexpr float operator()(std::size_t) const noexcept { return first; }
    };

    // From `first` down to 0, which no step reaches: the sum of all is first (steps + 1) / 2.
    struct linear_decay
    {
        float first;
        std::size_t steps;

        constexpr float operator()(std::size_t k) const noexcept
        {
            return first * (1 - static_cast<float>(k) / static_cast<float>(steps));
        }
    };

    struct cosine // from `first` towards `last`
    {
        float first;
        std::size_t steps;
        float last = 0;

        float operator()(std::size_t k) const noexcept
        {
            float const part = static_cast<float>(k) / static_cast<float>(steps);
            return last + (first - last) * (1 + std::cos(std::numbers::pi_v<float> * part)) / 2;
        }
    };
    static_assert(rate_schedule<constant> && rate_schedule<linear_decay> && rate_schedule<cosine>);

    // SignRound's: T steps of 1/T at first, so that an offset can just reach half a step. Presets of AutoRound:
    // light 50 steps of 1/200, default 200, best 1000.
    constexpr linear_decay signround_rate(std::size_t steps) noexcept
    {
        return {steps == 0 ? 0.0f : 1 / static_cast<float>(steps), steps};
    }
}
