// SPDX-License-Identifier: BSD-3-Clause
// A leveled codebook is multiplied by its levels: sums of them are whole numbers, which a plain loop over the codes
// must give, too. The laws of kernels know bounds alone here, for its steps are no whole numbers.
#include <jackplane/multiply/multiply.hpp>
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/overlapping.hpp>
#include <doctest/doctest.h>
#include <cmath>
#include <cstdint>
#include <vector>

using namespace jackplane;

namespace
{
    using book_of_levels = overlapping<8>;
    enum class filled
    {
        at_random,
        with_largest // all codes and all x: what a sum of 16 bits must have room for
    };

    // Zeros at every width are the value of level 0, so that only levels are left; x is whole, and so is its scale.
    template <class L, class How>
    void check_levels(std::size_t rows, std::size_t cols, std::size_t vectors, filled how_filled)
    {
        bool const random = how_filled == filled::at_random;
        std::uint32_t state = static_cast<std::uint32_t>(rows * 31 + cols + vectors);
        auto const next = [&] { return (state = state * 1664525u + 1013904223u) >> 16; };
        quantized<book_of_levels, half, real_zero> q{{}, rows, cols, group_grid::of(group{64}, cols), {}, {}, {}};
        for (std::size_t i = 0; i < rows * cols; ++i)
            q.codes.push_back(static_cast<code>(random ? next() : 255));
        q.scales.assign(q.grid.scales(rows), from_float<half>(1.0f));

        std::vector<float> x(vectors * cols), y(vectors * rows);
        for (std::size_t i = 0; i < x.size(); ++i)
        {
            bool const first = i % cols % 32 == 0; // the largest of every group: its scale is 1
            x[i] = first || !random ? 127 : static_cast<float>(next() % 255) - 127;
            if (!random && i / cols % 2 != 0)
                x[i] = -127;
        }
        matrix_view<float const> const all{x.data(), vectors, cols};
        How how;
        if constexpr (requires { how.group; })
            how.group = 32;
        typename How::prepared ready;
        how.prepare(all, ready);

        for (unsigned bits = 1; bits <= 8; ++bits)
        {
            q.zeros.assign(q.scales.size(), from_float<half>(book_of_levels::base_at(bits)));
            REQUIRE(to_float(q.zeros.front()) == book_of_levels::base_at(bits));
            auto const packed = pack<L>(q);
            if (!packed.readable(bits))
                continue;
            y.assign(y.size(), 0.0f);
            multiply(packed.prefix(bits), ready, matrix_view<float>{y.data(), vectors, rows});
            unsigned wrong = 0;
            for (std::size_t n = 0; n < vectors; ++n)
                for (std::size_t row = 0; row < rows; ++row)
                {
                    std::int64_t sum = 0;
                    for (std::size_t col = 0; col < cols; ++col)
                        sum += std::int64_t{book_of_levels::level_at(unsigned{q.codes[row * cols + col]} >> (8 - bits),
                                                                     bits)} *
                               static_cast<std::int64_t>(x[n * cols + col]);
                    double const found = static_cast<double>(y[n * rows + row]) / book_of_levels::step_at(bits);
                    wrong += !(std::abs(found - static_cast<double>(sum)) < 0.5);
                }
            CHECK_MESSAGE(wrong == 0, L::count, " planes, ", bits, " bits, ", rows, " x ", cols, ", ", vectors,
                          " vectors");
        }
    }
    template <class L, class How>
    void check_all()
    {
        for (std::size_t const vectors : {1u, 2u, 5u, 9u, 40u})
            for (filled const f : {filled::at_random, filled::with_largest})
            {
                check_levels<L, How>(16, 64, vectors, f);
                check_levels<L, How>(35, 250, vectors, f);
                check_levels<L, How>(5, 31, vectors, f);
            }
    }
}

TEST_CASE("levels: sums are those of a loop over the codes, at every width")
{
    check_all<bit_planes, limbs<1>>();
    check_all<bit_planes, limbs<3>>();
    check_all<bit_planes, exact>();
    check_all<planes<4, 4>, limbs<1>>();
    check_all<planes<4, 4>, limbs<2>>();
    check_all<planes<8>, limbs<1>>();
    check_all<planes<2, 2, 4>, exact>();
}
