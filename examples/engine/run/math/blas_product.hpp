// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/view.hpp>
#include "blas.hpp"

namespace engine
{
    struct blas_product // what jackplane::layer needs: out = a b
    {
        void operator()(jackplane::matrix_view<float const> a, jackplane::matrix_view<float const> b,
                        jackplane::matrix_view<float> out) const
        {
            gemm(a.rows, b.cols, a.cols, 1.0f, operand<float>{a.data, a.stride}, operand<float>{b.data, b.stride}, 0.0f,
                 out.data, out.stride);
        }
    };
}
