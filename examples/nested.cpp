// SPDX-License-Identifier: BSD-3-Clause
// Quantize once, multiply at every width.
//! [readme]
#include <jackplane/jackplane.hpp>
#include <cmath>
#include <cstdio>
#include <vector>

int main()
{
    namespace jp = jackplane;
    std::size_t const rows = 100, cols = 300; // nothing needs to divide anything
    std::vector<float> w(rows * cols), x(cols, 1.0f), y(rows);
    for (std::size_t i = 0; i < w.size(); ++i)
        w[i] = std::sin(static_cast<float>(i));

    auto const codes =
        jp::quantize(jp::matrix_view<float>{w.data(), rows, cols}, jp::uniform<8>{}, jp::minmax{}, jp::group{64});
    auto const a = jp::pack<jp::bit_planes>(codes); // eight planes of one bit
    for (unsigned const bits : {8u, 4u, 2u})
    {
        jp::multiply(a.prefix(bits), x, y); // reads the first `bits` planes, copies nothing
        std::printf("%u bits: y[0] = %6.3f, %.2f bits per weight\n", bits, y[0], jp::effective_bits(a.prefix(bits)));
    }
}
//! [readme]
