// SPDX-License-Identifier: BSD-3-Clause
// Rounding inside another engine's format: blocks of GGUF's Q2_K keep their scales, codes are chosen anew by what a
// layer reads. The file stays as large and as fast as it was.
#include <jackplane/jackplane.hpp>
#include <jackplane/store/gguf/levels.hpp>
#include <cmath>
#include <cstdio>
#include <span>
#include <vector>

namespace jp = jackplane;
using type = jp::gguf::q2_k;

int main()
{
    std::size_t const rows = 32, cols = 256, row_bytes = cols / type::values * type::bytes;
    std::vector<float> w(rows * cols), gram(cols * cols), importance(cols);
    for (std::size_t i = 0; i < w.size(); ++i)
        w[i] = std::sin(static_cast<float>(i * i % 1009));
    auto const size = [](std::size_t column) { return column % 8 == 0 ? 2.0f : 1.0f; };
    for (std::size_t a = 0; a < cols; ++a) // products of inputs, summed over tokens: every 16th input is much alike
    {
        for (std::size_t b = 0; b < cols; ++b)
            gram[a * cols + b] = size(a) * size(b) * ((a % 16 == b % 16 ? 1.0f : 0.0f) + (a == b ? 0.1f : 0.0f));
        importance[a] = gram[a * cols + a];
    }

    jp::matrix_view<float const> const weights{w.data(), rows, cols}, inputs{gram.data(), cols, cols};
    jp::layer<> loss(weights, inputs); // squared error of the product over the tokens
    std::vector<std::byte> blocks(rows * row_bytes);
    auto const row_of = [&](std::size_t row) { return std::span(blocks).subspan(row * row_bytes, row_bytes); };
    auto const show = [&](char const* how)
    {
        std::vector<float> decoded(w.size()), slope(w.size());
        for (std::size_t row = 0; row < rows; ++row)
            jp::gguf::decode<type>(row_of(row), std::span(decoded).subspan(row * cols, cols));
        static double const first = loss(decoded, slope);
        std::printf("%-17s %.2f of the loss\n", how, loss(decoded, slope) / first);
    };
    for (std::size_t row = 0; row < rows; ++row) // as ggml's own quantizer does with an importance matrix
        jp::gguf::encode<type>(std::span(w).subspan(row * cols, cols), importance, row_of(row));
    show("ggml's quantizer:");

//! [readme]
    auto const levels = jp::gguf::levels<type>(blocks, cols); // scale * level[code] + offset, all of which stay
    auto codes = jp::gguf::codes<type>(blocks, cols);
    jp::tunable_codes learned(weights, levels, codes); // SignRound, by a loss and its gradient, here of one layer
    jp::tune(std::span(&learned, 1), std::span(&loss, 1), jp::one_width(type::bits), jp::signround_rate(200));
    jp::round_to_levels(weights, levels, codes, jp::feedback(inputs)); // GPTQ, by the Gram matrix of the inputs
    jp::gguf::put_codes<type>(codes, blocks);                          // or learned.codes()
//! [readme]
    show("GPTQ:");
    jp::gguf::put_codes<type>(learned.codes(), blocks);
    show("learned rounding:");
}
