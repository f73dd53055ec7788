// SPDX-License-Identifier: BSD-3-Clause
// Learned rounding (SignRound) of one layer from the Gram matrix of its inputs: no backward pass, no tokens kept. Then
// finer codes inside the cells of the coarse ones: one parent, good at both widths.
#include <jackplane/jackplane.hpp>
#include <cmath>
#include <cstdio>
#include <span>
#include <vector>

int main()
{
    namespace jp = jackplane;
    std::size_t const rows = 64, cols = 256, tokens = 512;
    std::vector<float> w(rows * cols), x(cols), gram(cols * cols);
    for (std::size_t i = 0; i < w.size(); ++i)
        w[i] = std::sin(static_cast<float>(i * i % 1009));
    for (std::size_t t = 0; t < tokens; ++t) // inputs that depend on each other, as real ones do
    {
        for (std::size_t c = 0; c < cols; ++c)
            x[c] = std::sin(static_cast<float>(t * (c % 16))) + 0.5f * std::sin(static_cast<float>(t * c % 997));
        for (std::size_t a = 0; a < cols; ++a)
            for (std::size_t b = 0; b < cols; ++b)
                gram[a * cols + b] += x[a] * x[b];
    }

//! [readme]
    jp::matrix_view<float const> const weights{w.data(), rows, cols}, inputs{gram.data(), cols, cols};
    jp::layer<> loss(weights, inputs); // squared error of the product over the tokens, and its gradient

    using clip = jp::clip_range<jp::minmax<>>; // both ends of each group's range are learned, too
    jp::tunable<jp::uniform<2, 8>, clip> two(weights, {}, {}, jp::group{64}); // the leading 2 of 8 bits
    auto const coarse = jp::tune(std::span(&two, 1), std::span(&loss, 1), jp::one_width(2), jp::signround_rate(200));

    jp::tunable<jp::uniform<8>, clip> eight(weights, {}, jp::leading(two.result()),
                                            {.reach = jp::offset_reach::cell_of(2, 8)});
    auto const fine = jp::tune(std::span(&eight, 1), std::span(&loss, 1), jp::one_width(8), jp::signround_rate(200));

    auto const parent = jp::pack<jp::bit_planes>(eight.result()); // parent.prefix(2) is `two`
//! [readme]
    std::printf("2 bits: learned rounding leaves %.2f of nearest's loss\n", coarse.after / coarse.before);
    std::printf("8 bits inside: %.0e of it\n", fine.after / coarse.before);
    std::printf("the same weight: %d\n", parent.prefix(2).at(5, 7) == two.result().at(5, 7));
}
