// SPDX-License-Identifier: BSD-3-Clause
#include "../laws/weights.hpp"
#include <doctest/doctest.h>
#include <jackplane/quantize/clip.hpp>
#include <cmath>
#include <limits>
using namespace jackplane;

TEST_CASE("clipped weights, quantized, give an output nearer to that of the weights; nothing grows")
{
    for (auto const& [rows, cols] : {std::pair<std::size_t, std::size_t>{8, 64}, {3, 100}, {5, 32}})
    {
        laws::sample const w = laws::weights(rows, cols, 1), gram = laws::correlated(cols, 2);
        laws::sample clipped = w, other = w;
        clip(clipped.view(), gram.view(), uniform<2>{}, minmax<>{}, group{32});
        clip(other.view(), gram.view(), uniform<2>{}, minmax<>{}, group{32}, {}, threads{3});
        CHECK(clipped.data == other.data);
        std::size_t grown = 0, changed = 0;
        for (std::size_t i = 0; i < w.data.size(); ++i)
        {
            grown += std::abs(clipped.data[i]) > std::abs(w.data[i]) || clipped.data[i] * w.data[i] < 0;
            changed += clipped.data[i] != w.data[i];
        }
        CHECK(grown == 0);
        CHECK(changed > 0);
        // the search sees the blocks on the diagonal alone
        laws::sample blocks = gram;
        for (std::size_t r = 0; r < cols; ++r)
            for (std::size_t c = 0; c < cols; ++c)
                if (r / 32 != c / 32)
                    blocks.data[r * cols + c] = 0;
        auto const after = quantize(clipped.view(), uniform<2>{}, minmax<>{}, group{32});
        auto const before = quantize(w.view(), uniform<2>{}, minmax<>{}, group{32});
        CHECK(laws::output_error(w, after, blocks) < 0.9 * laws::output_error(w, before, blocks));
    }
}

TEST_CASE("a limit of the largest weight alone changes nothing; what does not fit is an error")
{
    laws::sample w = laws::weights(3, 40, 1);
    laws::sample const was = w, gram = laws::correlated(40, 2), small = laws::correlated(39, 2);
    clip(w.view(), gram.view(), uniform<4>{}, minmax<>{}, group{16}, {.steps = 1});
    CHECK(w.data == was.data);
    CHECK_THROWS_WITH_AS(clip(w.view(), small.view(), uniform<4>{}, minmax<>{}, group{16}, {.name = "up"}),
                         "up: 40 columns, but a Gram matrix of 39 x 39", shape_error);
    w.data[87] = std::numeric_limits<float>::infinity();
    CHECK_THROWS_WITH_AS(clip(w.view(), gram.view(), uniform<4>{}, minmax<>{}, group{16}, {.name = "up"}),
                         doctest::Contains("up: weight at row 2, column 7"), value_error);
}

TEST_CASE("a limit whose scale is not held is not tried; a group that is lost anyway is an error that names it")
{
    laws::sample const gram = laws::correlated(40, 2);
    laws::sample w = laws::weights(3, 40, 1, 1);
    for (float& x : w.data) // the largest of every group is the smallest that half holds
        x = std::clamp(x, -1.0f, 1.0f) * 0.25f * 7 * 0x1p-14f;
    for (std::size_t row = 0; row < 3; ++row)
        for (std::size_t col = 0; col < 40; col += 16)
            w.data[row * 40 + col] = 7 * 0x1p-14f;
    laws::sample const was = w;
    clip(w.view(), gram.view(), uniform<4>{}, absmax{}, group{16});
    CHECK(w.data == was.data);
    clip<bfloat16>(w.view(), gram.view(), uniform<4>{}, absmax{}, group{16});
    CHECK(w.data != was.data);
    w = was;
    for (std::size_t col = 16; col < 32; ++col)
        w.data[40 + col] *= 0.25f;
    CHECK_THROWS_WITH_AS(clip(w.view(), gram.view(), uniform<4>{}, absmax{}, group{16}, {.name = "up"}),
                         doctest::Contains(" of group 1 in row 1 is below the smallest normal half"), value_error);
    CHECK_THROWS_AS(clip(matrix_view<float>{nullptr, 3, 40}, gram.view(), uniform<4>{}, absmax{}, group{16}),
                    shape_error);
}
