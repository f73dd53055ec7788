// SPDX-License-Identifier: BSD-3-Clause
#include <jackplane/core/tensor.hpp>
#include <jackplane/jackplane.hpp>
#include <jackplane/store/npy.hpp>
#include <jackplane/store/safetensors.hpp>
#include <variant>
#include <vector>

using formats = std::variant<
    jackplane::packed<jackplane::bit_planes, jackplane::uniform<8>, jackplane::half, jackplane::integer_zero>>;
std::vector<float> in_another_unit(formats const& a, std::vector<float> const& x)
{
    std::vector<float> y(2);
    jackplane::multiply(a, 4, x, y);
    return y;
}
