// SPDX-License-Identifier: BSD-3-Clause
#include "../laws/weights.hpp"
#include <doctest/doctest.h>
#include <jackplane/quantize/balance.hpp>
#include <jackplane/quantize/quantize.hpp>
#include <cmath>
#include <limits>
#include <vector>
using namespace jackplane;

namespace
{
    struct scaled // quantized with its columns scaled, and scaled back
    {
        quantized<uniform<3>, half, integer_zero> of;
        std::vector<float> scales;
        float at(std::size_t row, std::size_t col) const { return of.at(row, col) / scales[col]; }
    };
    scaled quantize_scaled(laws::sample w, std::span<float const> scales)
    {
        multiply_columns(w.view(), scales);
        return {quantize(w.view(), uniform<3>{}, minmax<>{}, group{32}), {scales.begin(), scales.end()}};
    }
}

TEST_CASE("scales grow with the inputs, around 1; ratio 0 scales nothing")
{
    std::vector<float> const inputs{0.25f, 4, 1, 0};
    for (float const s : channel_scales(inputs, 0))
        CHECK(s == 1);
    auto const half_way = channel_scales(std::span(inputs).first(3), 0.5f);
    CHECK(half_way[0] == doctest::Approx(0.5));
    CHECK(half_way[1] == doctest::Approx(2));
    CHECK(half_way[2] == doctest::Approx(1));
    auto const dead = channel_scales(inputs, 0.5f); // 1e-4 .. 2
    CHECK(dead[3] == doctest::Approx(1e-4 / std::sqrt(2e-4)));
    CHECK(channel_scales({}, 0.5f).empty());
    std::vector<float> const bad{1, std::numeric_limits<float>::quiet_NaN()};
    CHECK_THROWS_WITH_AS(channel_scales(bad, 0.5f), doctest::Contains("input 1 has magnitude"), value_error);
}

TEST_CASE("columns up and rows down leave the product of two matrices")
{
    laws::sample first = laws::weights(6, 9, 1), second = laws::weights(4, 6, 2);
    laws::sample const a = first, b = second;
    auto const scales = channel_scales(std::vector<float>{1, 2, 0.5f, 8, 3, 1}, 0.75f);
    divide_rows(first.view(), scales);
    multiply_columns(second.view(), scales);
    for (std::size_t row = 0; row < 4; ++row)
        for (std::size_t col = 0; col < 9; ++col)
        {
            double before = 0, after = 0;
            for (std::size_t k = 0; k < 6; ++k)
            {
                before += double{b.view()(row, k)} * double{a.view()(k, col)};
                after += double{second.view()(row, k)} * double{first.view()(k, col)};
            }
            CHECK(after == doctest::Approx(before).epsilon(1e-5));
        }
    CHECK_THROWS_WITH_AS(divide_rows(first.view(), std::span(scales).first(5)), "6 rows, 5 scales", shape_error);
    CHECK_THROWS_WITH_AS(multiply_columns(second.view(), std::span(scales).first(5)), "6 columns, 5 scales",
                         shape_error);
}

TEST_CASE(
    "where a few inputs are large, balanced weights give a better output; the search takes the best of its ratios")
{
    constexpr std::size_t n = 64;
    laws::sample const w = laws::weights(16, n, 1);
    laws::sample gram{n, n, aligned_vector<float>(n * n)};
    std::vector<float> magnitudes(n);
    for (std::size_t i = 0; i < n; ++i)
    {
        magnitudes[i] = i % 16 == 3 ? 20.0f : 1.0f;
        gram.data[i * n + i] = magnitudes[i] * magnitudes[i];
    }
    std::vector<double> errors;
    auto const error_of = [&](std::span<float const> scales)
    {
        errors.push_back(laws::output_error(w, quantize_scaled(w, scales), gram));
        return errors.back();
    };
    balance_report const best = balance(magnitudes, error_of);
    REQUIRE(errors.size() == 20);
    CHECK(best.before == errors[0]);
    CHECK(best.after == *std::min_element(errors.begin(), errors.end()));
    CHECK(best.after < 0.7 * best.before);
    CHECK(best.ratio > 0);
    CHECK(laws::output_error(w, quantize_scaled(w, best.scales), gram) == best.after);
}
