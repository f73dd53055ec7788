// SPDX-License-Identifier: BSD-3-Clause
// Three ways to read 8-bit codes at fewer bits. Truncation needs no other planes; the others are materialized.
#include <jackplane/jackplane.hpp>
#include <cmath>
#include <cstdio>
#include <vector>

namespace jp = jackplane;

int main()
{
    std::size_t const rows = 64, cols = 512;
    std::vector<float> w(rows * cols), back(rows * cols);
    for (std::size_t i = 0; i < w.size(); ++i)
        w[i] = std::sin(static_cast<float>(i)) * std::sin(static_cast<float>(i * i % 1009));
    jp::matrix_view<float> const view{w.data(), rows, cols}, out{back.data(), rows, cols};
    auto const a = jp::quantize<jp::recipes::nested8<>>(view);
    auto const report = [&](char const* name, unsigned bits, auto const& m)
    {
        jp::dequantize(m, out);
        double error = 0;
        for (std::size_t i = 0; i < w.size(); ++i)
            error += std::pow(back[i] - w[i], 2);
        std::printf("%u bits, %-16s %.2f bits per weight, rms error %.4f\n", bits, name, jp::effective_bits(m),
                    std::sqrt(error / static_cast<double>(w.size())));
    };
//! [readme]
    for (unsigned const bits : {4u, 2u})
    {
        report("truncate_centred", bits, a.prefix(bits));
        report("round_clamp", bits, jp::repack<jp::bit_planes>(a, bits, jp::round_clamp{}));
        report("extra_precision", bits, jp::repack<jp::bit_planes>(a, bits, jp::extra_precision{}));
    }
//! [readme]
}
