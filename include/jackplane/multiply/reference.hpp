// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../pack/packed.hpp"
#include "activation.hpp"
#include "arch.hpp"

namespace jackplane::inline v0
{
    namespace kernel
    {
        // y[r] += sum_c scale (decode(code) - zero) x[c], rows of panels [first, last): the definition, in double.
        template <accumulator, code_layout L, codebook C, scale_number S, zero_number Z>
        void multiply_add(packed_view<L, C, S, Z> const& a, exact_view x, float* y, std::size_t first, std::size_t last,
                          scalar const&)
        {
            for (std::size_t row = first * block::rows; row < last * block::rows && row < a.rows; ++row)
            {
                double sum = 0;
                for (std::size_t col = 0; col < a.cols; ++col)
                {
                    std::size_t const at = detail::scale_index(a, row, col);
                    double const scale = to_float(a.scales[at]);
                    double const decoded = detail::decode(a, detail::code_at(a, row, col));
                    double const term = scale * (decoded - detail::zero(a, at)) * x.x[col];
                    sum += is_finite(x.x[col]) ? term : std::numeric_limits<double>::quiet_NaN();
                }
                y[row] = static_cast<float>(y[row] + sum);
            }
        }
    }
}
