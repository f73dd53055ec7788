// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// What owner.cpp calls and user.cpp defines.
#include <jackplane/pack/pack.hpp>

using owner = jackplane::packed<jackplane::planes<4>, jackplane::uniform<4>, float, jackplane::no_zero>;
using matrix = owner::view_type;

void product(matrix const& a, jackplane::matrix_view<float const> x, jackplane::matrix_view<float> y);
void product_by_owner(owner const& a, jackplane::matrix_view<float const> x, jackplane::matrix_view<float> y);
