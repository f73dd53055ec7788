// SPDX-License-Identifier: BSD-3-Clause
// Arrays of xtensor go in as they are, evaluated and row-major, and results come out in them.
#include <jackplane/core/tensor.hpp> // xtensor itself, wherever its version keeps the header
#include <jackplane/jackplane.hpp>
#include <cmath>
#include <cstdio>

namespace jp = jackplane;

int main()
{
    xt::xtensor<float, 2> w({48, 128}), tokens({3, 128}), y({3, 48}), back({48, 128}); // [rows, cols]
    for (std::size_t i = 0; i < w.size(); ++i)
        w.data()[i] = std::sin(static_cast<float>(i * i % 1009));
    for (std::size_t i = 0; i < tokens.size(); ++i)
        tokens.data()[i] = std::cos(static_cast<float>(i));

    auto const a = jp::quantize<jp::recipes::nested8<>>(w);
    auto const twice = jp::quantize<jp::recipes::nested8<>>(xt::eval(2.0f * w));
    std::printf("twice the weights: %.3f and %.3f\n", a.at(1, 2), twice.at(1, 2));

    jp::limbs<3>::prepared ready; // three vectors at once
    jp::limbs<3>{64}.prepare(tokens, ready);
    jp::multiply(a.prefix(4), ready, y);
    auto x = xt::xtensor<float, 1>::from_shape({128}), one = xt::xtensor<float, 1>::from_shape({48}); // one vector
    for (std::size_t i = 0; i < x.size(); ++i)
        x(i) = tokens(2, i);
    jp::multiply(a.prefix(4), x, one);
    std::printf("y = %.3f of three vectors, %.3f of one\n", y(2, 7), one(7));

    jp::dequantize(a.prefix(4), back);
    xt::xtensor<float, 2> const wrong = back - w;
    float largest = 0;
    for (float const e : wrong)
        largest = std::fmax(largest, std::fabs(e));
    std::printf("largest error of a weight at 4 bits: %.3f\n", largest);

    // A column-major array does not compile where its type says so, and is an error where only its strides do.
    xt::xtensor<float, 2, xt::layout_type::dynamic> columns({48, 128}, xt::layout_type::column_major);
    try
    {
        jp::quantize<jp::recipes::nested8<>>(columns);
    }
    catch (jp::shape_error const& e)
    {
        std::printf("%s\n", e.what());
    }
}
