// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/pack/pack.hpp>
#include "linear_map.hpp"

TEST_CASE_TEMPLATE_DEFINE("dense_map", Subject, dense_map_law)
{
    using namespace laws;
    static_assert(jackplane::dense_map<decltype(Subject::make(shape{1, 1}, jackplane::group{}, 0, 0).map)>);

    SUBCASE("at(row, col) is the weight of its twin, rounded after each of the two operations")
    {
        for_some_shapes<Subject>([](auto const& subject)
        {
            std::size_t wrong = 0;
            for (std::size_t row = 0; row < subject.exact.rows; ++row)
                for (std::size_t col = 0; col < subject.exact.cols; ++col)
                {
                    std::size_t const i = row * subject.exact.cols + col;
                    exact_number const weight = subject.exact.weight[i];
                    exact_number const first = subject.exact.first.empty() ? weight : subject.exact.first[i];
                    exact_number const error = std::abs(weight - subject.map.at(row, col));
                    wrong += !(error <= half_eps * std::abs(weight) +
                                            (half_eps + half_eps * half_eps) * std::abs(first) + 0x1p-150L);
                }
            CHECK(wrong == 0);
        });
    }
    SUBCASE("dequantize writes at(), and no thread count changes it")
    {
        for_some_shapes<Subject>([](auto const& subject)
        {
            std::size_t const rows = subject.exact.rows, cols = subject.exact.cols;
            std::vector<float> expected, out(rows * (cols + 3), 9.0f);
            jackplane::matrix_view<float> const view{out.data(), rows, cols, cols + 3};
            for (std::size_t row = 0; row < rows; ++row)
            {
                for (std::size_t col = 0; col < cols; ++col)
                    expected.push_back(subject.map.at(row, col));
                expected.insert(expected.end(), 3, 9.0f);
            }
            jackplane::dequantize(subject.map, view);
            CHECK(same_bits(out, expected));
            std::fill(out.begin(), out.end(), 9.0f);
            jackplane::dequantize(subject.map, view, jackplane::threads{3});
            CHECK(same_bits(out, expected));
        });
    }
    SUBCASE("a view of another shape is an error with the numbers")
    {
        auto const subject = Subject::make({17, 33}, jackplane::group{32}, 1, Subject::widths().front());
        std::vector<float> out(17 * 33);
        CHECK_THROWS_WITH_AS(jackplane::dequantize(subject.map, {out.data(), 33, 17}),
                             "dequantize 17 x 33 into 33 x 17", jackplane::shape_error);
    }
}
