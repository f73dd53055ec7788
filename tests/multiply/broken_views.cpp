// SPDX-License-Identifier: BSD-3-Clause
// Views of x and y that anybody may have filled in, at every entry of a product.
#include <jackplane/multiply/dense_sparse.hpp>
#include "laws/broken_views.hpp"
#include "subjects.hpp"

using namespace jackplane;

namespace
{
    constexpr std::size_t batch = 3, height = 37, width = 65;

    template <class Activation>
    void expect_x_looked_at(Activation how)
    {
        auto const check = [&]<class T>(T)
        {
            auto const prepare = [&](matrix_view<T> x)
            {
                typename Activation::prepared ready;
                how.prepare(x, ready);
                how.prepare(matrix_view<T const>(x), ready);
            };
            laws::refuses_broken_views<T>(batch, width, "x", prepare);
        };
        check(0.0f);
        check(half{});
        check(bfloat16{});
    }

    // All that takes y as a view, for one matrix.
    template <class M, class X>
    void expect_y_looked_at(M const& a, X const& x)
    {
        auto const check = [](auto&& product) { laws::refuses_broken_views<float>(batch, height, "y", product); };
        check([&](matrix_view<float> y) { multiply(a, x, y); });
        check([&](matrix_view<float> y) { multiply(a, x, y, threads{2}); });
        check([&](matrix_view<float> y) { multiply<scalar, fp64>(a, x, y); });
        check([&](matrix_view<float> y) { multiply_add(a, x, y); });
        check([&](matrix_view<float> y) { multiply_add(a, x, y, threads{2}); });
        check([&](matrix_view<float> y) { multiply_rows(a, x, y, 0, height); });
        check([&](matrix_view<float> y) { multiply_rows(a, x, y, 7, 7); });
    }
}

TEST_CASE("no activation reads an x without memory")
{
    expect_x_looked_at(exact{});
    expect_x_looked_at(limbs<1>{});
    expect_x_looked_at(limbs<2>{32});
    expect_x_looked_at(limbs<3>{128});
    expect_x_looked_at(bf16{});
}

TEST_CASE("no product writes to a y without memory")
{
    auto const numbers = laws::vector(batch * width, laws::input::bell, 1);
    matrix_view<float const> const x{numbers.data(), batch, width};
    auto const a = pack<planes<2, 1, 1>>(subjects::random({height, width}, uniform<4>{}, minmax{}, group{32}, 2));
    auto const table = pack<planes<4>>(subjects::random({height, width}, nf4{}, absmax{}, group{32}, 3));
    triplet const some[] = {{0, 0, 1.0f}, {3, 64, -2.0f}, {36, 5, 0.5f}};
    csr<> const sparse(height, width, some);
    auto const all = [&](auto const& ready)
    {
        expect_y_looked_at(a, ready);
        expect_y_looked_at(a.prefix(3), ready);
        expect_y_looked_at(table, ready);
        expect_y_looked_at(sparse, ready);
        expect_y_looked_at(sum(a.prefix(2), table), ready);
        expect_y_looked_at(dense_sparse(a.prefix(4), sparse), ready);
    };
    exact::prepared floats;
    exact::prepare(x, floats);
    all(floats);
    limbs<2>::prepared integers;
    limbs<2>{}.prepare(x, integers);
    all(integers);
}

TEST_CASE("a y of another shape is written to by no product")
{
    auto const a = pack<planes<2, 1, 1>>(subjects::random({height, width}, uniform<4>{}, minmax{}, group{32}, 2));
    auto const numbers = laws::vector(batch * width, laws::input::bell, 1);
    exact::prepared ready;
    exact::prepare(matrix_view<float const>{numbers.data(), batch, width}, ready);
    std::vector<float> y((batch + 1) * (height + 1), 7.0f);
    auto const before = y;
    CHECK_THROWS_WITH_AS(multiply(a, ready, matrix_view<float>{y.data(), batch + 1, height}), "3 x and 4 y",
                         shape_error);
    CHECK_THROWS_WITH_AS(multiply(a, ready, matrix_view<float>{y.data(), batch, height + 1}),
                         "a matrix of 37 x 65 times x of 65 into y of 38", shape_error);
    CHECK(y == before);
}

TEST_CASE("one vector: a span without memory")
{
    auto const a = pack<planes<2, 2>>(subjects::random({height, width}, uniform<4>{}, absmax{}, group{32}, 2));
    triplet const some[] = {{0, 0, 1.0f}, {3, 64, -2.0f}};
    csr<> const sparse(height, width, some);
    dense_sparse const both(a.prefix(2), sparse);
    std::vector<float> const values(width, 1.0f);
    std::span<float const> const x = values, no_x(static_cast<float const*>(nullptr), width);
    std::vector<float> to(height);
    std::span<float> const y = to, no_y(static_cast<float*>(nullptr), height);
    std::span<half> const no_halves(static_cast<half*>(nullptr), height);

    auto const refused = [](char const* error, auto&& product) { CHECK_THROWS_WITH_AS(product(), error, shape_error); };
    char const* const x_error = "x: 1 x 65 without data";
    char const* const y_error = "y: 1 x 37 without data";
    auto const all = [&](auto const& m)
    {
        refused(x_error, [&] { multiply(m, no_x, y); });
        refused(x_error, [&] { multiply_add(m, no_x, y); });
        refused(y_error, [&] { multiply(m, x, no_y); });
        refused(y_error, [&] { multiply_add(m, x, no_y); });
        refused(y_error, [&] { multiply(m, x, no_halves); });
    };
    all(a);
    all(a.prefix(2));
    all(sparse);
    refused(x_error, [&] { multiply_rows(sparse, no_x, y, 0, height); });
    refused(y_error, [&] { multiply_rows(sparse, x, no_y, 0, height); });
    exact::prepared ready;
    exact::prepare(x, ready);
    refused(y_error, [&] { multiply_rows(both, ready, no_y, 0, height); });
}
