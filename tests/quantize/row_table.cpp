// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>
#include <jackplane/quantize/row_table.hpp>
#include "../laws/codebook.hpp"
#include "../laws/weights.hpp"
#include <limits>
#include <string>
using namespace jackplane;

TYPE_TO_STRING_AS("row_table<1>", row_table<1>);
TYPE_TO_STRING_AS("row_table<2>", row_table<2>);
TYPE_TO_STRING_AS("row_table<3>", row_table<3>);
TYPE_TO_STRING_AS("row_table<4>", row_table<4>);
TEST_CASE_TEMPLATE_INVOKE(codebook_law, row_table<1>, row_table<2>, row_table<3>, row_table<4>);

namespace
{
    using view = matrix_view<float const>;

    template <class Q>
    double squared_error(view w, Q const& q, view importance)
    {
        double sum = 0;
        for (std::size_t row = 0; row < w.rows; ++row)
            for (std::size_t col = 0; col < w.cols; ++col)
            {
                double const error = double{w(row, col)} - double{q.at(row, col)};
                sum += error * error * double{importance(row, col)};
            }
        return sum;
    }

    // The least there is, of one row: every way to split the sorted weights into at most `runs` runs.
    double least_error(std::vector<std::pair<float, float>> const& sorted, std::size_t first, std::size_t runs)
    {
        if (first == sorted.size())
            return 0;
        if (runs == 0)
            return std::numeric_limits<double>::infinity();
        double least = std::numeric_limits<double>::infinity();
        for (std::size_t last = first + 1; last <= sorted.size(); ++last)
        {
            double mass = 0, moment = 0, error = 0;
            for (std::size_t i = first; i < last; ++i)
                mass += double{sorted[i].second}, moment += double{sorted[i].second} * double{sorted[i].first};
            for (std::size_t i = first; i < last; ++i)
            {
                double const off = double{sorted[i].first} - (mass > 0 ? moment / mass : 0);
                error += double{sorted[i].second} * off * off;
            }
            least = std::min(least, error + least_error(sorted, last, runs - 1));
        }
        return least;
    }
}

TEST_CASE("the values of a row are the best there are, weighted or not")
{
    for (std::size_t const cols : {std::size_t{1}, std::size_t{3}, std::size_t{5}, std::size_t{8}, std::size_t{11}})
        for (bool const weighted : {false, true})
        {
            laws::sample const w = laws::weights(6, cols, cols);
            laws::sample matters = laws::importance(6, cols, cols + 1);
            if (!weighted)
                std::fill(matters.data.begin(), matters.data.end(), 1.0f);
            auto const check = [&]<unsigned B>(row_table<B> book)
            {
                auto const q = quantize<float>(w.view(), book, {weighted ? std::as_const(matters).view() : view{}});
                double least = 0, scale = 0; // sum m w^2
                for (std::size_t row = 0; row < w.rows; ++row)
                {
                    std::vector<std::pair<float, float>> sorted;
                    for (std::size_t col = 0; col < cols; ++col)
                    {
                        sorted.emplace_back(w.view()(row, col), matters.view()(row, col));
                        scale += double{sorted.back().second} * std::pow(double{sorted.back().first}, 2);
                    }
                    std::sort(sorted.begin(), sorted.end());
                    least += least_error(sorted, 0, row_table<B>::size);
                }
                // A value is rounded to float, by 2^-24 of itself at most. (Away from a mean the error grows by the
                // square of the way alone.) Twice that, for the sums here.
                CHECK(squared_error(w.view(), q, matters.view()) <= least + 2 * 0x1p-48 * scale);
            };
            check(row_table<1>{});
            check(row_table<2>{});
            check(row_table<3>{});
        }
}

TEST_CASE("hand-made rows: two heaps, fewer values than entries, zeros")
{
    std::vector<float> const w{1, 3, 11, 13, 5, 5, -2, 5, 0, 0, 0, 0};
    auto const one = quantize<float>(view{w.data(), 3, 4}, row_table<1>{});
    CHECK(one.scales == aligned_vector<float>{2, 12, -2, 5, 0, 0});
    CHECK(one.codes == aligned_vector<code>{0, 0, 1, 1, 1, 1, 0, 1, 0, 0, 0, 0});
    auto const two = quantize(view{w.data(), 3, 4}, row_table<2>{});
    for (std::size_t i = 0; i < w.size(); ++i)
        CHECK(two.at(i / 4, i % 4) == w[i]);
    CHECK(std::is_sorted(two.scales.begin(), two.scales.begin() + 4,
                         [](half a, half b) { return to_float(a) < to_float(b); }));
    CHECK(quantize(view{w.data(), 0, 4}, row_table<2>{}).codes.empty());
    CHECK(quantize(view{w.data(), 4, 0}, row_table<2>{}).scales.size() == 16);
}

TEST_CASE("weights of importance 0 move no value, unless the row has no others")
{
    std::vector<float> const w{100, 1, 2, 9, -100, 3};
    std::vector<float> const matters{0, 1, 1, 1, 0, 1}, none(6, 0.0f);
    auto const q = quantize<float>(view{w.data(), 1, 6}, row_table<1>{}, {{matters.data(), 1, 6}});
    CHECK(q.scales == aligned_vector<float>{2, 9});
    CHECK(q.codes == aligned_vector<code>{1, 0, 0, 1, 0, 0});
    CHECK(quantize(view{w.data(), 1, 6}, row_table<2>{}, {{none.data(), 1, 6}}).scales ==
          quantize(view{w.data(), 1, 6}, row_table<2>{}).scales);
}

TEST_CASE("any thread count gives the same bytes")
{
    laws::sample const w = laws::weights(33, 255, 3), matters = laws::importance(1, 255, 4);
    auto const alone = quantize(w.view(), row_table<4>{}, {matters.view()});
    auto const many = quantize(w.view(), row_table<4>{}, {matters.view()}, threads{3});
    CHECK(alone.codes == many.codes);
    CHECK(alone.scales == many.scales);
}

TEST_CASE("bad input: where, and what")
{
    std::vector<float> w(12, 1.0f);
    w[7] = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_WITH_AS(quantize(view{w.data(), 3, 4}, row_table<2>{}, {{}, "q_proj"}),
                         "q_proj: weight at row 1, column 3 is nan", value_error);
    w[7] = 1e6f;
    CHECK_THROWS_WITH_AS(quantize(view{w.data(), 3, 4}, row_table<2>{}, {{}, "q_proj"}),
                         "q_proj: value 1000000 of row 1 is above the largest half, 65504; bfloat16 or float holds it",
                         value_error);
    std::vector<float> const few(3, 1.0f), negative{1, 1, -1, 1};
    CHECK_THROWS_AS(quantize(view{w.data(), 3, 4}, row_table<2>{}, {{few.data(), 1, 3}}), shape_error);
    CHECK_THROWS_WITH_AS(quantize<float>(view{w.data(), 3, 4}, row_table<2>{}, {{negative.data(), 1, 4}, "o"}),
                         "o: importance at row 0, column 2 is -1", value_error);
}

// What a subnormal value loses is at most 2^-25, 2^-11 of the smallest normal half: no more than rounding takes
// from the row's largest value. A row whose largest is subnormal has nothing to compare with.
TEST_CASE("a row whose largest value half does not hold is an error; small values beside a normal one are not")
{
    std::vector<float> w(12, 1e-6f);
    w[0] = -1, w[9] = 0.5f;
    CHECK_THROWS_WITH_AS(quantize(view{w.data(), 3, 4}, row_table<2>{}, {{}, "v_proj"}),
                         doctest::Contains("v_proj: value 9.99999997e-07 of row 1 is below the smallest normal half"),
                         value_error);
    auto const in_float = quantize<bfloat16>(view{w.data(), 3, 4}, row_table<2>{});
    CHECK(in_float.at(1, 2) == doctest::Approx(1e-6).epsilon(0.004)); // 8 bits
    std::fill(w.begin() + 4, w.begin() + 8, 0.0f);
    auto const q = quantize(view{w.data(), 3, 4}, row_table<2>{});
    CHECK(q.at(0, 0) == -1);
    CHECK(std::abs(q.at(0, 1) - 1e-6f) <= 0x1p-25f);
    CHECK(q.at(1, 1) == 0);
    std::vector<double> const tiny(4, 1e-60);
    CHECK_THROWS_AS(quantize<float>(matrix_view<double const>{tiny.data(), 1, 4}, row_table<2>{}), value_error);
}
