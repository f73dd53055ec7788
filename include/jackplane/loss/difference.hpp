// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <vector>
#include "../core/concepts.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // (f(w + step d) - f(w - step d)) / (2 step): what the gradient of f at w, times the direction d, must be.
    template <loss F>
    double difference(F& f, std::span<float const> w, std::span<float const> direction, float step)
    {
        std::vector<float> moved(w.size());
        auto const at = [&](float by)
        {
            for (std::size_t i = 0; i < w.size(); ++i)
                moved[i] = w[i] + by * direction[i];
            return f(std::span<float const>(moved), std::span<float>());
        };
        return (at(step) - at(-step)) / (2 * static_cast<double>(step));
    }
}
