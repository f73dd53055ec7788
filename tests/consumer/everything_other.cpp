// SPDX-License-Identifier: BSD-3-Clause
#include <jackplane/core/tensor.hpp>
#include <jackplane/jackplane.hpp>
#include <jackplane/store/npy.hpp>
#include <jackplane/store/safetensors.hpp>
#include <vector>

std::vector<float> in_another_unit(jackplane::any_packed const& a, std::vector<float> const& x)
{
    std::vector<float> y(jackplane::rows_of(a));
    jackplane::multiply(a, 4, x, y);
    return y;
}
