// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <cmath>
#include <vector>
#include <doctest/doctest.h>
#include <jackplane/quantize/scale_range.hpp>
#include "../laws/weights.hpp"
using namespace jackplane;

// v_proj x 10^-k and o_proj x 10^k leave the function alone. An error is at most the scale: half a step of rounding,
// half a step where the zero is rounded, and half a step where a scale of 8 bits is; 64 bell-shaped weights span 4.5
// standard deviations and 255 steps.
TEST_CASE("weights of any magnitude keep their relative error where the storage type holds their scales")
{
    for (int k = 0; k <= 30; ++k)
    {
        laws::sample w = laws::weights(1, 640, 3, 1);
        for (float& x : w.data)
            x = static_cast<float>(double{x} * std::pow(10.0, -k));
        auto const error = [&]<class S>(S)
        {
            auto const q = quantize<S>(w.view(), uniform<8>{}, minmax{}, group{64});
            double off = 0, all = 0;
            for (std::size_t i = 0; i < w.data.size(); ++i)
                off += std::pow(double{w.data[i]} - double{q.at(0, i)}, 2), all += std::pow(double{w.data[i]}, 2);
            return std::sqrt(off / all);
        };
        CAPTURE(k);
        CHECK(error(bfloat16{}) < 0.01);
        CHECK(error(float{}) < 0.01);
        bool const held = scales_of(w.view(), uniform<8>{}, minmax{}, group{64}).held_by<half>();
        CHECK(held == (k <= 2));
        if (held)
            CHECK(error(half{}) < 0.01);
        else
            CHECK_THROWS_AS(error(half{}), value_error);
    }
}

TEST_CASE("the scales of a matrix are told before it is quantized: which storage type holds them")
{
    laws::sample w = laws::weights(5, 70, 3, 1);
    std::fill(w.data.begin() + 32, w.data.begin() + 64, 0.0f); // group 1 of row 0 does not count
    auto const exact = quantize<float>(w.view(), uniform<4>{}, absmax{}, group{32});
    float smallest = 1e9f, largest = 0;
    for (float const s : exact.scales)
        if (s != 0)
            smallest = std::min(smallest, s), largest = std::max(largest, s);
    auto const told = scales_of(w.view(), uniform<4>{}, absmax{}, group{32});
    CHECK(told.smallest == smallest);
    CHECK(told.largest == largest);
    CHECK(told.held_by<half>());
    CHECK(scales_of(w.view(), uniform<4>{}, absmax{}, group::per_tensor()).smallest == largest);

    w.data[3 * 70 + 66] = 1e6f;
    CHECK_FALSE(scales_of(w.view(), uniform<4>{}, absmax{}, group{32}).held_by<half>());
    CHECK(scales_of(w.view(), uniform<4>{}, absmax{}, group{32}).held_by<bfloat16>());
    CHECK_THROWS_WITH_AS(
        quantize(w.view(), uniform<4>{}, absmax{}, group{32}, nearest{}, independent{}, {.name = "up"}),
        doctest::Contains("up: scale "), value_error);
    std::fill(w.data.begin(), w.data.end(), 0.0f);
    CHECK(scales_of(w.view(), uniform<4>{}, absmax{}, group{32}).held_by<half>());
    w.data[7] = 1e-44f; // its scale is 0 in float
    CHECK_FALSE(scales_of(w.view(), uniform<4>{}, absmax{}, group{32}).held_by<float>());
    CHECK_THROWS_WITH_AS(
        quantize<float>(w.view(), uniform<4>{}, absmax{}, group{32}, nearest{}, independent{}, {.name = "up"}),
        doctest::Contains("group 0 in row 0 is below the smallest normal float"), value_error);
    std::vector<double> const tiny(10, 1e-60);
    CHECK_THROWS_AS(quantize<float>(matrix_view<double const>{tiny.data(), 1, 10}, uniform<4>{}, absmax{}, group{}),
                    value_error);
}
