// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstddef>
#include <span>

namespace engine
{
    // |w^ - w| / |w|, Frobenius norms; |w^|^2 where all weights are 0.
    inline double relative_error(std::span<float const> made, std::span<float const> exact)
    {
        double error = 0, norm = 0;
        for (std::size_t i = 0; i < exact.size(); ++i)
        {
            double const x = exact[i], off = static_cast<double>(made[i]) - x;
            error += off * off;
            norm += x * x;
        }
        return norm > 0 ? std::sqrt(error / norm) : error;
    }
}
