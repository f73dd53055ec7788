// SPDX-License-Identifier: BSD-3-Clause
// Formats that people know, by name, and one of your own.
#include <jackplane/jackplane.hpp>
#include <cmath>
#include <cstdio>
#include <vector>

namespace jp = jackplane;

template <class Config>
void show(char const* name, jp::matrix_view<float const> w)
{
    auto const a = jp::quantize<Config>(w);
    double error = 0, norm = 0;
    for (std::size_t row = 0; row < w.rows; ++row)
        for (std::size_t col = 0; col < w.cols; ++col)
        {
            error += std::pow(a.at(row, col) - w(row, col), 2);
            norm += std::pow(w(row, col), 2);
        }
    std::printf("%-8s %s: error %.1f %%\n", name, jp::describe<Config>().c_str(), 100 * std::sqrt(error / norm));
}

int main()
{
    std::size_t const rows = 64, cols = 512;
    std::vector<float> w(rows * cols);
    for (std::size_t i = 0; i < w.size(); ++i)
        w[i] = std::sin(static_cast<float>(i)) * std::sin(static_cast<float>(i * i % 1009));
    jp::matrix_view<float const> const view{w.data(), rows, cols};
    show<jp::recipes::nested8<>>("nested8", view);
    show<jp::recipes::int8<>>("int8", view);
    show<jp::recipes::int4<>>("int4", view);
    show<jp::recipes::q4_0>("q4_0", view);
    show<jp::recipes::nf4<>>("nf4", view);
    show<jp::recipes::fp4<>>("fp4", view);
    using mine = jp::config<jp::uniform<6>, jp::mse_search<jp::full_range>, 48, jp::planes<2, 4>, jp::bfloat16>;
    show<mine>("mine", view);
}
