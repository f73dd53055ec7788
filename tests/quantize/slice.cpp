// SPDX-License-Identifier: BSD-3-Clause
#include <cmath>
#include "../laws/slice.hpp"
using namespace jackplane;

TYPE_TO_STRING_AS("truncate_centred", truncate_centred);
TYPE_TO_STRING_AS("extra_precision", extra_precision);
TYPE_TO_STRING_AS("round_clamp", round_clamp);

TEST_CASE_TEMPLATE_INVOKE(slice_law, truncate_centred);
TEST_CASE_TEMPLATE_INVOKE(slice_law, extra_precision);
TEST_CASE_TEMPLATE_INVOKE(slice_law, round_clamp);

TEST_CASE("slices are what their definitions say, in real numbers")
{
    laws::for_each_width([](unsigned from, unsigned to)
    {
        double const cell = std::exp2(from - to);
        for (unsigned q = 0; q < 1u << from; ++q)
        {
            // truncate_centred: the floor, standing for the mean of all codes of its cell
            double const floor = std::floor(q / cell);
            CHECK(truncate_centred{}(q, from, to) == floor);
            double mean = 0;
            for (unsigned k = 0; k < 1u << (from - to); ++k)
                mean += (floor * cell + k) / cell;
            CHECK(truncate_centred{}.value(static_cast<unsigned>(floor), from, to) == mean);

            // MatQuant: S(q, to) = clamp(floor(q / 2^d + 1/2), 0, 2^to - 1) * 2^d, without the clamp in Extra-Precision
            double const rounded = std::floor(q / cell + 0.5);
            CHECK(extra_precision{}(q, from, to) == rounded);
            CHECK(extra_precision{}.value(static_cast<unsigned>(rounded), from, to) == rounded * cell);
            double const clamped = std::min(rounded, std::exp2(to) - 1);
            CHECK(round_clamp{}(q, from, to) == clamped);
            CHECK(round_clamp{}.value(static_cast<unsigned>(clamped), from, to) == clamped * cell);
        }
    });
}

TEST_CASE("the bounds are reached: no smaller one would do")
{
    auto worst = [](auto rule, unsigned to)
    {
        double error = 0;
        for (unsigned q = 0; q < 256; ++q)
            error = std::max(error, std::abs(static_cast<double>(rule.value(rule(q, 8, to), 8, to)) - q));
        return error;
    };
    for (unsigned to = 1; to < 8; ++to)
    {
        double const cell = std::exp2(8 - to);
        CHECK(worst(truncate_centred{}, to) == (cell - 1) / 2);
        CHECK(worst(extra_precision{}, to) == cell / 2);
        CHECK(worst(round_clamp{}, to) == cell - 1);
    }
}

TEST_CASE("what each slice reads and keeps")
{
    for (unsigned to = 1; to <= 8; ++to)
    {
        CHECK(truncate_centred::bits_read(8, to) == to);
        CHECK(truncate_centred::bits_kept(8, to) == to);
        CHECK(extra_precision::bits_read(8, to) == std::min(8u, to + 1));
        CHECK(extra_precision::bits_kept(8, to) == std::min(8u, to + 1));
        CHECK(round_clamp::bits_read(8, to) == std::min(8u, to + 1));
        CHECK(round_clamp::bits_kept(8, to) == to);
    }
}
