// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/quantize/quantized.hpp>

namespace laws
{
    // The same codes and scales; each zero z of a group as the offset -scale z, rounded to T.
    template <jackplane::scale_number T, jackplane::codebook C, jackplane::scale_number S, jackplane::zero_in_steps Z>
    jackplane::quantized<C, S, jackplane::offset_zero<T>> with_offsets(jackplane::quantized<C, S, Z> const& q)
    {
        jackplane::quantized<C, S, jackplane::offset_zero<T>> to{q.book, q.rows, q.cols, q.grid, q.codes, q.scales, {}};
        for (std::size_t i = 0; i < q.scales.size(); ++i)
        {
            double const zero = q.zeros.empty() ? C::centre : jackplane::to_float(q.zeros[i]);
            double const offset = -zero * jackplane::to_float(q.scales[i]);
            to.zeros.push_back({jackplane::from_float<T>(static_cast<float>(offset))});
        }
        return to;
    }
}
