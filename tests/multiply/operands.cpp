// SPDX-License-Identifier: BSD-3-Clause
// What x and y may be: the same product whatever holds them.
#include <jackplane/multiply/dense_sparse.hpp>
#include "sparse_subjects.hpp"

using namespace jackplane;

namespace
{
    constexpr std::size_t x_count = 3, y_rows = 37, x_cols = 65;

    struct maps // of every kind, of one shape
    {
        packed<planes<2, 1, 1>, uniform<4>, half, integer_zero> a =
            pack<planes<2, 1, 1>>(subjects::random({y_rows, x_cols}, uniform<4>{}, minmax{}, group{32}, 2));
        csr<> sparse{y_rows, x_cols, subjects::scattered(y_rows, x_cols, 9, 3)};

        template <class Each>
        void each(Each&& check) const
        {
            check(a);
            check(a.prefix(3));
            check(sparse);
            check(sum(a.prefix(2), sparse));
            check(dense_sparse(a.prefix(4), sparse));
        }
    };
    // [x_count, y_rows]: each vector alone, prepared by hand
    template <class Arch = best_arch, class How = exact, class M>
    std::vector<float> one_by_one(M const& a, std::vector<float> const& x, How const& how = {})
    {
        std::vector<float> y(x_count * y_rows, 7.0f);
        for (std::size_t n = 0; n < x_count; ++n)
        {
            typename How::prepared ready;
            how.template prepare<Arch>(std::span(x).subspan(n * x_cols, x_cols), ready);
            multiply<Arch>(a, ready, std::span(y).subspan(n * y_rows, y_rows));
        }
        return y;
    }
}

TEST_CASE("several vectors need no preparing by hand, whoever shares the rows and whatever the activation")
{
    auto const x = laws::vector(x_count * x_cols, laws::input::bell, 1);
    matrix_view<float const> const all{x.data(), x_count, x_cols};
    maps{}.each(
        [&](auto const& m)
        {
            auto const of = [&]<class How>(How const& how)
            {
                typename How::prepared ready;
                how.prepare(all, ready);
                std::vector<float> expected(x_count * y_rows), y(x_count * y_rows, 7.0f), split(y);
                multiply(m, ready, matrix_view<float>{expected.data(), x_count, y_rows});
                multiply(m, all, matrix_view<float>{y.data(), x_count, y_rows}, how);
                multiply(m, all, matrix_view<float>{split.data(), x_count, y_rows}, how, threads{2});
                CHECK(laws::same_bits(y, expected));
                CHECK(laws::same_bits(split, expected));
                if constexpr (!std::same_as<How, exact>)
                    if (!std::same_as<How, bf16>) // each vector has the bits that it has alone
                        CHECK(laws::same_bits(y, one_by_one(m, x, how)));
                return expected;
            };
            of(limbs<1>{});
            of(limbs<3>{32});
            of(bf16{});
            auto const expected = of(exact{});
            std::vector<float> y(x_count * y_rows, 7.0f), added(y);
            matrix_view<float> const to{added.data(), x_count, y_rows};
            multiply(m, all, matrix_view<float>{y.data(), x_count, y_rows}, threads{3});
            CHECK(laws::same_bits(y, expected));
            std::fill(added.begin(), added.end(), 0.0f);
            multiply_add(m, all, to);
            CHECK(laws::same_bits(added, expected));
            std::fill(added.begin(), added.end(), 0.0f);
            multiply_rows(m, all, to, 0, 16);
            multiply_rows(m, all, to, 16, y_rows);
            CHECK(laws::same_bits(added, expected));
        });
}

TEST_CASE("one vector is any contiguous range")
{
    auto const values = laws::vector(x_cols, laws::input::bell, 2);
    float x[x_cols];
    std::array<float, x_cols> array{};
    std::copy(values.begin(), values.end(), x);
    std::copy(values.begin(), values.end(), array.begin());
    std::vector<double> const wide(values.begin(), values.end());
    maps{}.each(
        [&](auto const& m)
        {
            auto const expected = laws::times(m, values);
            float y[y_rows] = {};
            std::array<float, y_rows> other{};
            aligned_vector<float> aligned(y_rows);
            auto const check = [&](auto const& from)
            {
                multiply(m, from, y, threads{2});
                multiply(m, from, other);
                multiply(m, from, std::span(aligned));
                CHECK(laws::same_bits(y, expected));
                CHECK(laws::same_bits(other, expected));
                CHECK(laws::same_bits(aligned, expected));
                std::fill(other.begin(), other.end(), 0.0f);
                multiply_add(m, from, other);
                CHECK(laws::same_bits(other, expected));
                aligned.assign(y_rows, 0.0f);
                multiply_rows(m, from, aligned, 0, y_rows);
                CHECK(laws::same_bits(aligned, expected));
            };
            check(x);
            check(array);
            check(values);
            check(wide); // each a float
            check(std::span<float const>(x));
            check(std::span<float, x_cols>(x));
        });
}

TEST_CASE_TEMPLATE("16-bit y, of one vector and of several: float sums, rounded once", T, half, bfloat16
#if JACKPLANE_FLOAT16
                   ,
                   native_half
#endif
)
{
    auto const x = laws::vector(x_count * x_cols, laws::input::bell, 1);
    std::vector<T> narrow;
    std::vector<float> same;
    for (float const v : x)
    {
        narrow.push_back(from_float<T>(v));
        same.push_back(to_float(narrow.back()));
    }
    matrix_view<T const> const all{narrow.data(), x_count, x_cols};
    maps{}.each(
        [&](auto const& m)
        {
            std::vector<float> sums(x_count * y_rows);
            multiply(m, matrix_view<float const>{same.data(), x_count, x_cols},
                     matrix_view<float>{sums.data(), x_count, y_rows});
            constexpr std::size_t apart = y_rows + 2; // rows of y are not adjacent
            std::vector<T> y(x_count * apart, T{});
            multiply(m, all, matrix_view<T>{y.data(), x_count, y_rows, apart}, threads{2});
            std::size_t wrong = 0;
            for (std::size_t n = 0; n < x_count; ++n)
                for (std::size_t row = 0; row < apart; ++row)
                    wrong += y[n * apart + row] != (row < y_rows ? from_float<T>(sums[n * y_rows + row]) : T{});
            CHECK(wrong == 0);
            std::vector<T> one(y_rows), expected;
            for (float const v : laws::times(m, std::vector<float>(same.begin(), same.begin() + x_cols)))
                expected.push_back(from_float<T>(v));
            multiply(m, std::span(narrow).first(x_cols), one);
            CHECK(one == expected);
        });
}

#if JACKPLANE_FLOAT16
TEST_CASE("the compiler's binary16 is the library's: as number, as weight")
{
    std::size_t wrong = 0;
    for (unsigned bits = 0; bits < 0x10000; ++bits)
    {
        half const h{static_cast<std::uint16_t>(bits)};
        auto const native = std::bit_cast<native_half>(h);
        wrong += std::bit_cast<std::uint32_t>(to_float(h)) != std::bit_cast<std::uint32_t>(to_float(native));
        wrong += is_finite(h) != is_finite(native);
        if (is_finite(h)) // to_float against the compiler's own conversion, and back
        {
            wrong += to_float(native) != static_cast<float>(native);
            wrong += std::bit_cast<half>(from_float<native_half>(to_float(native))) != h;
        }
    }
    CHECK(wrong == 0);
    laws::sample const w = laws::weights(5, 40, 1);
    std::vector<half> halves;
    std::vector<native_half> natives;
    for (float const v : w.data)
    {
        halves.push_back(from_float<half>(v));
        natives.push_back(from_float<native_half>(v));
    }
    auto const a = quantize(matrix_view<half>{halves.data(), 5, 40}, uniform<4>{}, minmax{}, group{32});
    auto const b = quantize(matrix_view<native_half>{natives.data(), 5, 40}, uniform<4>{}, minmax{}, group{32});
    CHECK(a.codes == b.codes);
    CHECK(a.scales == b.scales);
}
#endif

TEST_CASE("sizes that do not fit are told, and leave y as it was")
{
    maps const all;
    std::vector<float> const x(x_count * x_cols, 1.0f);
    std::vector<float> y(x_count * y_rows, 7.0f);
    auto const before = y;
    all.each(
        [&](auto const& m)
        {
            matrix_view<float const> const several{x.data(), x_count, x_cols};
            CHECK_THROWS_WITH_AS(multiply(m, several, y), "3 x and 1 y", shape_error);
            CHECK_THROWS_WITH_AS(multiply(m, several, y, limbs<1>{}), "3 x and 1 y", shape_error);
            CHECK_THROWS_WITH_AS(multiply(m, x, std::span(y).first(y_rows)),
                                 "a matrix of 37 x 65 times x of 195 into y of 37", shape_error);
            std::vector<half> narrow(y_rows + 1);
            CHECK_THROWS_WITH_AS(multiply(m, std::span(x).first(x_cols), narrow),
                                 "a matrix of 37 x 65 times x of 65 into y of 38", shape_error);
            matrix_view<half> const nowhere{nullptr, x_count, y_rows};
            CHECK_THROWS_WITH_AS(multiply(m, several, nowhere), "y: 3 x 37 without data", shape_error);
            CHECK_THROWS_WITH_AS(multiply_rows(m, several, matrix_view<float>{y.data(), x_count, y_rows}, 0,
                                               y_rows + 1),
                                 "rows 0 to 38 of 37", shape_error);
        });
    CHECK(y == before);
}

namespace
{
    struct doubled // somebody's map, which takes one vector of floats
    {
        std::size_t n;
        std::size_t rows() const { return n; }
        std::size_t cols() const { return n; }
        friend void multiply_add(doubled const&, std::span<float const> x, std::span<float> y)
        {
            for (std::size_t i = 0; i < x.size(); ++i)
                y[i] += 2 * x[i];
        }
    };
}
TEST_CASE("a map of somebody else takes what every map takes")
{
    auto const x = laws::vector(x_count * 33, laws::input::coarse, 2);
    std::vector<float> y(x.size()), expected;
    for (float const v : x)
        expected.push_back(2 * v);
    matrix_view<float const> const several{x.data(), x_count, 33};
    matrix_view<float> const to{y.data(), x_count, 33};
    multiply(doubled{33}, several, to, threads{2});
    CHECK(y == expected);
    limbs<1>::prepared ready; // holds the floats, too
    limbs<1>{}.prepare(several, ready);
    multiply(doubled{33}, ready, to);
    CHECK(y == expected);
    multiply(sum(doubled{33}, doubled{33}), several, to);
    for (float& v : expected)
        v *= 2;
    CHECK(y == expected);
    std::vector<half> narrow(33);
    multiply(doubled{33}, std::span(x).first(33), narrow);
    CHECK(to_float(narrow[1]) == to_float(from_float<half>(2 * x[1])));
}
