// SPDX-License-Identifier: BSD-3-Clause
#include "passed.hpp"
#include <jackplane/multiply/multiply.hpp>

void product(matrix const& a, jackplane::matrix_view<float const> x, jackplane::matrix_view<float> y)
{
    multiply(jackplane::prefixed{a}, x.row(0), y.row(0));
}
void product_by_owner(owner const& a, jackplane::matrix_view<float const> x, jackplane::matrix_view<float> y)
{
    multiply(a, x.row(0), y.row(0));
}
