// SPDX-License-Identifier: BSD-3-Clause
#include <vector>
#include <doctest/doctest.h>
#include <jackplane/core/tensor.hpp>
#if __has_include(<xtensor/views/xview.hpp>)
#include <xtensor/views/xview.hpp>
#else
#include <xtensor/xview.hpp>
#endif
using namespace jackplane;

TEST_CASE("a row-major matrix and its view share elements")
{
    matrix<float> m{{1, 2, 3}, {4, 5, 6}};
    matrix_view<float> const v = view_of(m);
    CHECK(v.rows == 2);
    CHECK(v.cols == 3);
    CHECK(v.stride == 3);
    CHECK(v(1, 2) == 6);
    v(0, 1) = 20;
    CHECK(m(0, 1) == 20);
}

TEST_CASE("constants stay constant")
{
    matrix<double> const m{{1, 2}, {3, 4}};
    static_assert(std::is_same_v<decltype(view_of(m)), matrix_view<double const>>);
    CHECK(view_of(m)(1, 0) == 3);
}

TEST_CASE("single rows and columns, whose stride xtensor sets to 0")
{
    matrix<float> row{{1, 2, 3, 4}}, column{{1}, {2}, {3}}, one{{7}};
    CHECK(view_of(row).stride == 4);
    CHECK(view_of(row)(0, 3) == 4);
    CHECK(view_of(column).stride == 1);
    CHECK(view_of(column)(2, 0) == 3);
    CHECK(view_of(one)(0, 0) == 7);
    matrix<float> empty = matrix<float>::from_shape({3, 0});
    CHECK(view_of(empty).rows == 3);
    CHECK(view_of(empty).cols == 0);
}

TEST_CASE("rows of a larger matrix keep its stride")
{
    xt::xtensor<float, 2> m{{0, 1, 2, 3}, {4, 5, 6, 7}, {8, 9, 10, 11}};
    auto part = xt::view(m, xt::range(1, 3), xt::range(1, 3));
    matrix_view<float> const v = view_of(part);
    CHECK(v.stride == 4);
    CHECK(v(0, 0) == 5);
    CHECK(v(1, 1) == 10);
}

TEST_CASE("what the type leaves open is looked at: an array that is no row-major matrix is an error")
{
    xt::xtensor<float, 2, xt::layout_type::dynamic> either({2, 2}, xt::layout_type::row_major);
    either(0, 1) = 5;
    CHECK(view_of(either)(0, 1) == 5);
    either.resize({2, 2}, xt::layout_type::column_major);
    CHECK_THROWS_WITH_AS(view_of(either), doctest::Contains("columns lie 2 elements apart"), shape_error);
}

TEST_CASE("functions take matrices of xtensor")
{
    auto const sum = [](matrix_view<float const> m)
    {
        float all = 0;
        for (std::size_t row = 0; row < m.rows; ++row)
            for (float const x : m.row(row))
                all += x;
        return all;
    };
    matrix<float> m{{1, 2, 3}, {4, 5, 6}};
    auto const part = xt::view(m, xt::all(), xt::range(1, 3));
    CHECK(sum(m) == 21);
    CHECK(sum(part) == 16);
    using columns = xt::xtensor<float, 2, xt::layout_type::column_major>;
    static_assert(std::is_constructible_v<matrix_view<float>, columns&>); // ... to say what is wrong: checks/misuse.cpp
    static_assert(!std::is_convertible_v<matrix<float> const&, matrix_view<float>>);
    static_assert(!std::is_convertible_v<matrix<float>, matrix_view<float const>>); // it would point into a temporary
    static_assert(!std::is_convertible_v<matrix<double>&, matrix_view<float>>);
    static_assert(!std::is_convertible_v<xt::xtensor<float, 1>&, matrix_view<float>>); // a vector: std::span
}

TEST_CASE("tensor_of brings a view into xtensor, without a copy")
{
    std::vector<float> storage{1, 2, 3, 4, 5, 6};
    auto t = tensor_of(matrix_view<float>{storage.data(), 2, 3});
    t(1, 0) = 40;
    CHECK(storage[3] == 40);
    matrix<float> const doubled = t * 2.0f;
    CHECK(doubled(1, 0) == 80);
    CHECK(view_of(t).data == storage.data());
    CHECK(view_of(t).stride == 3);
    CHECK_THROWS_AS(tensor_of(matrix_view<float>{storage.data(), 2, 2, 3}), shape_error);
    CHECK(tensor_of(matrix_view<float>{storage.data(), 1, 2, 3})(0, 1) == 2);
    CHECK(tensor_of(matrix_view<float const>{storage.data(), 3, 2})(2, 1) == 6);
}

template <class M>
concept viewed = requires(M&& m) { view_of(std::forward<M>(m)); };
static_assert(viewed<matrix<float>&> && viewed<matrix<float> const&>);
static_assert(!viewed<matrix<float>> && !viewed<matrix<float> const>); // a view would point into a temporary
