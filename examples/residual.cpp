// SPDX-License-Identifier: BSD-3-Clause
// Residual quantization: a 2-bit matrix, and a second one that holds what the first got wrong, multiplied as one.
#include <jackplane/jackplane.hpp>
#include <cmath>
#include <cstdio>
#include <vector>

namespace jp = jackplane;

int main()
{
    std::size_t const rows = 48, cols = 256;
    std::vector<float> w(rows * cols), rest(rows * cols), x(cols), y(rows);
    for (std::size_t i = 0; i < w.size(); ++i)
        w[i] = std::sin(static_cast<float>(i)) * std::sin(static_cast<float>(i * i % 1009));
    for (std::size_t i = 0; i < cols; ++i)
        x[i] = std::cos(static_cast<float>(i));

    auto const first = jp::quantize<jp::recipes::uint2<>>(jp::matrix_view<float>{w.data(), rows, cols});
    for (std::size_t i = 0; i < w.size(); ++i)
        rest[i] = w[i] - first.at(i / cols, i % cols);
    auto const second = jp::quantize<jp::recipes::uint2<>>(jp::matrix_view<float>{rest.data(), rows, cols});

    auto const error_of = [&](auto const& a)
    {
        jp::multiply(a, x, y);
        double error = 0;
        for (std::size_t row = 0; row < rows; ++row)
        {
            double exact = 0;
            for (std::size_t col = 0; col < cols; ++col)
                exact += static_cast<double>(w[row * cols + col]) * static_cast<double>(x[col]);
            error += std::pow(y[row] - exact, 2);
        }
        return std::sqrt(error / static_cast<double>(rows));
    };
    std::printf("2 bits:     rms error of y %.3f\n", error_of(first));
    std::printf("2 + 2 bits: rms error of y %.3f\n", error_of(jp::sum(first, second)));
}
