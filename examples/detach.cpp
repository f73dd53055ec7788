// SPDX-License-Identifier: BSD-3-Clause
// Dense + sparse: the few weights that spoil their groups' scales leave the matrix before it is quantized, and stand
// beside every width of it.
#include <jackplane/jackplane.hpp>
#include <cmath>
#include <cstdio>
#include <vector>

namespace jp = jackplane;

int main()
{
    std::size_t const rows = 64, cols = 512;
    std::vector<float> w(rows * cols), x(cols), y(rows);
    for (std::size_t i = 0; i < w.size(); ++i)
        w[i] = std::sin(static_cast<float>(i * i % 1009)) * (i % 211 == 0 ? 8.0f : 1.0f); // with outliers
    for (std::size_t i = 0; i < cols; ++i)
        x[i] = std::cos(static_cast<float>(i));
    auto const whole = jp::quantize<jp::recipes::nested8<>>(jp::matrix_view<float>{w.data(), rows, cols});

    std::vector<float> rest = w; // half a percent of it becomes 0
    auto const places = jp::choose(jp::by_magnitude{}, w, {}, jp::count_of(0.5, w.size()));
    auto const sparse = jp::detach(jp::matrix_view<float>{rest.data(), rows, cols}, places);
    jp::dense_sparse const both(jp::quantize<jp::recipes::nested8<>>(jp::matrix_view<float>{rest.data(), rows, cols}),
                                sparse);

    auto const report = [&](char const* name, auto const& a)
    {
        jp::multiply(a, x, y);
        double error = 0, size = 0;
        for (std::size_t row = 0; row < rows; ++row)
        {
            double exact = 0;
            for (std::size_t col = 0; col < cols; ++col)
                exact += static_cast<double>(w[row * cols + col]) * static_cast<double>(x[col]);
            error += std::pow(y[row] - exact, 2);
            size += exact * exact;
        }
        double const bits = 8 * static_cast<double>(jp::bytes_read(a)) / static_cast<double>(w.size());
        std::printf("%s: %.2f bits per weight, error of y %4.1f %%\n", name, bits, 100 * std::sqrt(error / size));
    };
    std::printf("%zu of %zu weights apart\n", sparse.nonzeros(), w.size());
    for (unsigned const bits : {4u, 3u, 2u})
    {
        std::printf("%u bits\n", bits);
        report("  dense        ", whole.prefix(bits));
        report("  dense, sparse", both.prefix(bits));
    }
}
