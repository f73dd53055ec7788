// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>
#include <jackplane/quantize/quantized.hpp>
#include <jackplane/quantize/refine.hpp>
#include <jackplane/quantize/row_table.hpp>
#include "../laws/broken_codes.hpp"
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

TEST_CASE("an offset is in units of the weights: scale * decode(code) + offset")
{
    quantized<uniform<4>, half, offset_zero<half>> const q{
        {}, 1, 4, group_grid::of({2}, 4), {0, 15, 5, 8}, {from_float<half>(2), from_float<half>(-0.5f)},
        {{from_float<half>(-3)}, {from_float<half>(0.25f)}}};
    float const expected[] = {-3, 27, -2.25f, -3.75f};
    for (std::size_t i = 0; i < 4; ++i)
        CHECK(q.at(0, i) == expected[i]);
    CHECK(q.zero_at(0, 3) == 0.25f);
}

TEST_CASE_TEMPLATE("offsets that cannot be are errors, too", Z, offset_zero<half>, offset_zero<bfloat16>,
                   offset_zero<float>)
{
    laws::refuses_broken_codes<uniform<4>, half, Z>("codes", [](auto const& q) { q.expect_whole(); });
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

TEST_CASE_TEMPLATE("codes that cannot be are errors that say what is wrong, wherever they are taken", Z, no_zero,
                   integer_zero, real_zero)
{
    using Q4 = uniform<4, 8>;
    laws::refuses_broken_codes<uniform<4>, half, Z>("codes", [](auto const& q) { q.expect_whole(); });
    laws::refuses_broken_codes<nf4, bfloat16, Z>("w", [](auto const& q) { q.expect_whole("w"); });
    laws::refuses_broken_codes<uniform<8>, float, Z>("w", [](auto const& q) { q.expect_whole("w"); });
    laws::refuses_broken_codes<Q4, half, Z>("codes", [](auto const& q) { leading(q); });
    laws::refuses_broken_codes<uniform<1>, float, Z>("codes", [](auto const& q)
    {
        std::vector<float> out(q.rows < 100 ? q.rows * q.cols : 0);
        dequantize(q, {q.rows < 100 ? out.data() : nullptr, q.rows, q.cols});
    });
    laws::sample const w = laws::weights(3, 10, 1);
    laws::refuses_broken_codes<Q4, half, Z>("up", [&](auto const& q)
    {
        leading_bits<half, Z> const coarse{4, q.grid, q.codes, q.scales, q.zeros};
        auto const wanted = matrix_view<float const>{w.data.data(), q.rows, q.cols};
        if (q.rows * q.cols == 30)
            refine(wanted, uniform<8>{}, coarse, independent{}, "up");
        else
            coarse.expect_inside(8, q.rows, q.cols, "up");
    });
}

TEST_CASE("a table of values a row: as many scales as values, groups of one")
{
    quantized<row_table<2>, float> q{{}, 2, 3, {1, 4, false}, {0, 1, 2, 3, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8}, {}};
    CHECK_NOTHROW(q.expect_whole());
    CHECK(q.at(1, 0) == 8);
    auto few = q;
    few.scales.pop_back();
    CHECK_THROWS_AS(few.expect_whole(), shape_error);
    auto wide = q;
    wide.codes[4] = 4;
    CHECK_THROWS_WITH_AS(wide.expect_whole(), "codes: the code at row 1, column 1 is 4, the largest of 2 bits is 3",
                         value_error);
    auto other = q;
    other.grid = group_grid::of({1}, 3);
    other.scales.resize(6);
    CHECK_THROWS_AS(other.expect_whole(), shape_error);
}

TEST_CASE("leading codes of another size than they say")
{
    auto q = laws::whole_codes<uniform<2, 8>, half, no_zero>();
    auto coarse = leading(q);
    CHECK_THROWS_WITH_AS(coarse.expect_inside(2, 3, 10, "up"), "up: codes of 2 bits inside codes of 2", width_error);
    coarse.bits = 1;
    CHECK_THROWS_WITH_AS(coarse.expect_inside(4, 3, 10, "up"),
                         "up: the code at row 0, column 2 is 2, the largest of 1 bits is 1", value_error);
}
