// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>
#include <jackplane/quantize/quantized.hpp>
#include "../laws/weights.hpp"
using namespace jackplane;

TEST_CASE("the formula: scale * (decode(code) - zero), in hand-made numbers")
{
    quantized<uniform<4>, float, std::uint8_t> q{
        {}, 2, 3, group_grid::of({2}, 3), {0, 15, 5, 8, 9, 7}, {2, 0.5f, -1, 0}, {3, 0, 8, 1}};
    float const expected[] = {-6, 24, 2.5f, 0, -1, 0};
    for (std::size_t i = 0; i < 6; ++i)
        CHECK(q.at(i / 3, i % 3) == expected[i]);
    CHECK(q.scale_at(1, 0) == -1);
    CHECK(q.zero_at(1, 0) == 8);

    quantized<uniform<4>, half> const symmetric{{}, 1, 2, group_grid::of({2}, 2), {0, 15}, {from_float<half>(0.5f)},
                                                {}};
    CHECK(symmetric.at(0, 0) == -4);
    CHECK(symmetric.at(0, 1) == 3.5f);
    CHECK(symmetric.zero_at(0, 1) == 8);

    quantized<nf4, bfloat16, half> const table{{}, 1, 2, group_grid::of({9}, 2), {15, 7}, {from_float<bfloat16>(2)},
                                                    {from_float<half>(0.25f)}};
    CHECK(table.at(0, 0) == 1.5f);
    CHECK(table.at(0, 1) == -0.5f);
}

TEST_CASE("dequantize writes at() everywhere, also into a strided view, and nothing else")
{
    quantized<uniform<8>, float> q{
        {}, 5, 7, group_grid::of({3}, 7), aligned_vector<code>(35), aligned_vector<float>(15), {}};
    laws::sequence next{1};
    for (code& c : q.codes)
        c = static_cast<code>(next());
    for (float& s : q.scales)
        s = next.bell();
    std::vector<float> out(5 * 10, 77.0f);
    dequantize(q, {out.data(), 5, 7, 10});
    for (std::size_t row = 0; row < 5; ++row)
        for (std::size_t col = 0; col < 10; ++col)
            CHECK(out[row * 10 + col] == (col < 7 ? q.at(row, col) : 77.0f));
    CHECK_THROWS_WITH_AS(dequantize(q, {out.data(), 7, 5}), "dequantize 5 x 7 into 7 x 5", shape_error);
}
