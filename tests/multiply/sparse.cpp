// SPDX-License-Identifier: BSD-3-Clause
// Sparse times vector: within 4 eps sum |a x|, the law of linear maps. Beside dense planes: dense_and_sparse.cpp.
#include "sparse_subjects.hpp"

using namespace jackplane;
using subjects::scattered;
using subjects::sparse;
using subjects::subject_of;

namespace
{
    // The definition, the kernel of this unit, and those of lower archs that its flags allow.
    template <class Body>
    void for_archs(Body&& body)
    {
        body(scalar{});
        body(best_arch{});
        if constexpr (avx2::supported())
            body(avx2{});
        if constexpr (avx512::supported())
            body(avx512{});
    }
}

using halves = sparse<half, std::uint16_t, 8>;
using halves_wide = sparse<half, std::uint32_t, 3>;
using bf16_floats = sparse<bfloat16, std::uint16_t, 20>;
using floats_wide = sparse<float, std::uint32_t, 2>;
TEST_CASE_TEMPLATE_INVOKE(linear_map_law, halves, halves_wide, bf16_floats, floats_wide);

TEST_CASE_TEMPLATE("every arch: all ragged shapes within the bound", S, halves, halves_wide, bf16_floats, floats_wide)
{
    for (laws::shape const s : laws::ragged_shapes)
        for (laws::input const kind : laws::all_inputs)
        {
            CAPTURE(s.rows);
            CAPTURE(s.cols);
            auto const subject = S::make(s, {}, s.rows);
            auto const x = laws::vector(s.cols, kind, s.cols);
            auto const expected = laws::product(subject.exact, x);
            for_archs([&](auto arch)
            {
                auto const y = laws::times<decltype(arch)>(subject.map, x);
                CHECK(laws::first_wrong(expected, y) == s.rows);
            });
        }
}

TEST_CASE("every arch: rows that end at, before and after what a kernel takes at once")
{
    std::vector<std::size_t> const lengths{0,   1,    31, 32,  33,   0,  0,    7,    8,    9, 63,  64,
                                           65,  1024, 0,  1,   1025, 40, 1023, 2048, 2047, 1, 900, 125,
                                           124, 5000, 0,  992, 32,   1,  511,  513,  512,  1, 480, 32,
                                           1,   0,    0,  0};
    std::size_t const cols = 5000;
    laws::sequence next{5};
    std::vector<triplet> weights;
    for (std::size_t row = 0; row < lengths.size(); ++row)
        for (std::size_t i = 0; i < lengths[row]; ++i)
            weights.push_back({row, i * cols / lengths[row], next.bell()});
    auto const subject = subject_of<half, std::uint16_t>(lengths.size(), cols, weights);
    for (laws::input const kind : laws::all_inputs)
    {
        auto const x = laws::vector(cols, kind, 6);
        auto const expected = laws::product(subject.exact, x);
        for_archs([&](auto arch)
        {
            auto const y = laws::times<decltype(arch)>(subject.map, x);
            CHECK(laws::first_wrong(expected, y) == lengths.size());
        });
    }
}

TEST_CASE("half: every exponent, subnormals, both zeros")
{
    std::vector<triplet> weights;
    for (unsigned bits = 0; bits < 0x7c00; bits += 31)
        for (unsigned const sign : {0u, 0x8000u})
            weights.push_back({weights.size(), 0, to_float(half{static_cast<std::uint16_t>(bits | sign)})});
    csr<> const a(weights.size(), 1, weights);
    for_archs([&](auto arch)
    {
        auto const y = laws::times<decltype(arch)>(a, {1.0f});
        std::size_t wrong = 0;
        for (std::size_t row = 0; row < y.size(); ++row)
            wrong += y[row] != weights[row].value;
        CHECK(wrong == 0);
    });
}

TEST_CASE("any split gives the same bits, and x and y may lie anywhere")
{
    constexpr std::array<laws::shape, 4> shapes{{{1, 65}, {129, 127}, {1023, 63}, {2000, 300}}};
    for (laws::shape const s : shapes)
    {
        auto const a = halves::make(s, {}, 3).map;
        auto const x = laws::vector(s.cols, laws::input::outlier, 4);
        std::vector<float> x_off(x.size() + 1);
        std::copy(x.begin(), x.end(), x_off.begin() + 1);
        std::span<float const> const off = std::span(x_off).subspan(1);
        for_archs([&](auto arch)
        {
            using Arch = decltype(arch);
            auto const expected = laws::times<Arch>(a, x);
            std::vector<float> y(s.rows);
            for (unsigned count = 1; count <= 7; ++count)
            {
                multiply<Arch>(a, x, std::span<float>(y), threads{count});
                CHECK(laws::same_bits(y, expected));
            }
            auto backwards = [](std::size_t tasks, auto const& task)
            {
                for (std::size_t i = tasks; i-- > 0;)
                    task(i);
            };
            for (std::size_t const tasks : {2u, 3u, 100u, 5000u})
            {
                multiply<Arch>(a, x, std::span<float>(y), pool{backwards, tasks});
                CHECK(laws::same_bits(y, expected));
            }
            for (std::size_t const step : {1u, 3u, 4u, 50u})
            {
                std::vector<float> y_off(s.rows + 1, 3.0f);
                std::span<float> const rows = std::span(y_off).subspan(1);
                std::fill(rows.begin(), rows.end(), 0.0f);
                for (std::size_t first = 0; first < s.rows; first += step)
                    multiply_rows<Arch>(a, off, rows, first, std::min(first + step, s.rows));
                CHECK(laws::same_bits(rows, expected));
                CHECK(y_off[0] == 3.0f);
            }
        });
    }
}

TEST_CASE("rows are cut where the non-zeros are")
{
    // the last tenth of the rows has all the weights
    std::size_t const rows = 1000, cols = 100;
    std::vector<triplet> weights;
    for (std::size_t row = 900; row < rows; ++row)
        for (std::size_t col = 0; col < cols; ++col)
            weights.push_back({row, col, 1.0f});
    csr<> const a(rows, cols, weights);
    std::vector<float> const x(cols, 1.0f);
    std::vector<float> y(rows);
    auto first_half = [](std::size_t n, auto const& body) { body(std::size_t{0}, n / 2); };
    multiply_add(a, x, std::span<float>(y), first_half);
    // 10000 weights and 1000 rows: half of that is reached at row 900 + (5500 - 900) / 101
    auto const done = static_cast<std::size_t>(std::count(y.begin(), y.end(), 100.0f));
    CHECK(done >= 45);
    CHECK(done <= 46);
}

TEST_CASE("NaN or Inf in x gives NaN in every y that has a weight there, and in no other")
{
    constexpr float infinity = std::numeric_limits<float>::infinity();
    std::size_t const rows = 50, cols = 70;
    auto weights = scattered(rows, cols, 6, 7);
    for (std::size_t i = 0; i < weights.size(); i += 5)
        weights[i].value = 0; // stored, so it is no excuse
    csr<> const a(rows, cols, weights);
    for (float const bad : {std::numeric_limits<float>::quiet_NaN(), infinity, -infinity})
        for (std::size_t const place : {0u, 1u, 31u, 32u, 69u})
            for_archs([&](auto arch)
            {
                std::vector<float> x(cols, 0.5f);
                x[place] = bad;
                auto const y = laws::times<decltype(arch)>(a, x);
                std::vector<bool> reads(rows, false);
                for (triplet const& w : weights)
                    if (w.col == place)
                        reads[w.row] = true;
                std::size_t wrong = 0;
                for (std::size_t row = 0; row < rows; ++row)
                    wrong += std::isnan(y[row]) != reads[row];
                CHECK(wrong == 0);
            });
}

TEST_CASE("several vectors: each as if it were alone")
{
    laws::shape const s{65, 129};
    auto const a = halves::make(s, {}, 2).map;
    for (std::size_t const vectors : {1u, 2u, 5u})
    {
        laws::sample const x = laws::weights(vectors, s.cols, 4);
        exact::prepared ready;
        exact::prepare(x.view(), ready);
        std::vector<float> y(vectors * (s.rows + 3), 9.0f);
        matrix_view<float> const view{y.data(), vectors, s.rows, s.rows + 3};
        multiply(a, ready, view, threads{2});
        for (std::size_t n = 0; n < vectors; ++n)
        {
            auto const row = x.view().row(n);
            CHECK(laws::same_bits(view.row(n), laws::times(a, std::vector<float>(row.begin(), row.end()))));
            CHECK(y[n * (s.rows + 3) + s.rows] == 9.0f);
        }
    }
}

TEST_CASE("x and y of 16 bits")
{
    auto const a = halves::make({33, 65}, {}, 2).map;
    std::vector<bfloat16> x;
    for (float const v : laws::vector(65, laws::input::bell, 3))
        x.push_back(from_float<bfloat16>(v));
    std::vector<float> wide;
    for (bfloat16 const v : x)
        wide.push_back(to_float(v));
    std::vector<half> y(33);
    multiply(a, x, std::span<half>(y));
    auto const expected = laws::times(a, wide);
    for (std::size_t row = 0; row < y.size(); ++row)
        CHECK(y[row] == from_float<half>(expected[row]));
}

TEST_CASE("rows that are not there are an error with the numbers")
{
    csr<> const a(33, 8, {});
    std::vector<float> const x(8);
    std::vector<float> y(33);
    std::span<float> const all(y);
    CHECK_THROWS_WITH_AS(multiply_rows(a, x, all, 0, 34), "rows 0 to 34 of 33", shape_error);
    CHECK_THROWS_WITH_AS(multiply_rows(a, x, all, 2, 1), "rows 2 to 1 of 33", shape_error);
    CHECK_NOTHROW(multiply_rows(a, x, all, 33, 33));
    CHECK_THROWS_AS(multiply_rows(a, x, all.first(32), 0, 1), shape_error);
    CHECK_THROWS_AS(multiply_add(a, std::vector<float>(9), all), shape_error);
    CHECK_THROWS_WITH_AS(multiply_add(a, x, matrix_view<float>{y.data(), 2, 33}), "1 x and 2 y", shape_error);
}
