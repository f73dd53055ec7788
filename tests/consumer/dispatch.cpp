// SPDX-License-Identifier: BSD-3-Clause
#include <jackplane/multiply/dispatch.hpp>
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/quantize.hpp>
#include <cmath>
#include <cstdio>
#include <vector>

// Compiled for no machine in particular: the kernels of this one give what plain loops do.
int main()
{
    using namespace jackplane;
    std::vector<float> weights(20 * 40), x(40), y(20), expected(20);
    for (std::size_t i = 0; i < weights.size(); ++i)
        weights[i] = static_cast<float>(i * 37 % 101) - 50;
    for (std::size_t i = 0; i < x.size(); ++i)
        x[i] = static_cast<float>(i) - 20;
    matrix_view<float const> const w{weights.data(), 20, 40};
    auto const a = pack<planes<4>>(quantize(w, uniform<4>{}, absmax{}, group{}));
    multiply<dispatched>(a, x, y);
    multiply<scalar>(a, x, expected);
    float worst = 0;
    for (std::size_t i = 0; i < y.size(); ++i)
        worst = std::max(worst, std::abs(y[i] - expected[i]));
    std::printf("%s: off by at most %g\n", dispatched::name(), static_cast<double>(worst));
    return worst < 0.01f ? 0 : 1;
}
