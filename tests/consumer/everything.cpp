// SPDX-License-Identifier: BSD-3-Clause
#include <jackplane/core/tensor.hpp>
#include <jackplane/jackplane.hpp>
#include <jackplane/store/npy.hpp>
#include <jackplane/store/safetensors.hpp>
#include <variant>
#include <vector>

// What this program holds; kernels for all of any_packed are compiled elsewhere (tests/multiply/any.cpp).
using formats = std::variant<
    jackplane::packed<jackplane::bit_planes, jackplane::uniform<8>, jackplane::half, jackplane::integer_zero>>;
std::vector<float> in_another_unit(formats const& a, std::vector<float> const& x);

// Two units that include everything link into one program, where both compute the same.
int main()
{
    jackplane::matrix<float> w = {{1, 2, 3}, {4, 5, 6}};
    formats const a = jackplane::quantize<jackplane::recipes::nested8<>>(jackplane::view_of(w));
    std::vector<float> const x = {1, -1, 2};
    std::vector<float> y(2);
    jackplane::multiply(a, 4, x, y);
    return y == in_another_unit(a, x) ? 0 : 1;
}
