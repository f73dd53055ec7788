// SPDX-License-Identifier: BSD-3-Clause
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/quantize.hpp>
#include <cmath>
#include <cstdio>

// Quantizes 3 x 5 weights once; the same planes give them at 8 and at 2 bits, 2 bits being the rougher.
int main()
{
    using namespace jackplane;
    float const weights[15] = {0.9f, -0.4f, 0.1f, 0.7f, -1, 0, 0, 0, 0, 0, 3, 1, -2, 0.5f, -0.25f};
    auto const a = pack<planes<1, 1, 1, 1, 1, 1, 1, 1>>(
        quantize(matrix_view<float const>{weights, 3, 5}, uniform<8>{}, absmax{}, group{4}));
    auto const error = [&](unsigned bits)
    {
        float decoded[15], worst = 0;
        dequantize(a.prefix(bits), {decoded, 3, 5});
        for (int i = 0; i < 15; ++i)
            worst = std::max(worst, std::abs(decoded[i] - weights[i]));
        return worst;
    };
    std::printf("worst error at 8 bits %g, at 2 bits %g\n", error(8), error(2));
    return error(8) < 3.0f / 127 && error(8) < error(2) ? 0 : 1;
}
