// SPDX-License-Identifier: BSD-3-Clause
#include <jackplane/multiply/any.hpp>
#include <jackplane/multiply/sparse.hpp>
#include "subjects.hpp"

using namespace jackplane;

namespace
{
    constexpr std::size_t count_of_x = 3, rows_of_y = 33, cols_of_x = 65;
    // As any_packed is one, whose products examples/store.cpp and the engine compile: a minute less.
    using of_two = std::variant<packed<bit_planes, uniform<8>, half, integer_zero>, packed<planes<4>, nf4>>;

    auto bits8()
    {
        return pack<bit_planes>(subjects::random({rows_of_y, cols_of_x}, uniform<8>{}, minmax{}, group{64}, 2));
    }
    auto table() { return pack<planes<4>>(subjects::random({rows_of_y, cols_of_x}, nf4{}, absmax{}, group{64}, 2)); }

    // One of a variant gives what it gives alone, through every entry.
    template <class Any, class M, class X>
    void check_every_entry(Any const& m, M const& a, X const& x, std::size_t vectors)
    {
        std::vector<float> y(vectors * rows_of_y, 7.0f), expected(y);
        matrix_view<float> const to{y.data(), vectors, rows_of_y}, of{expected.data(), vectors, rows_of_y};
        unsigned const bits = a.view().bits;
        multiply(a, x, of);
        multiply(m, bits, x, to);
        CHECK(laws::same_bits(y, expected));
        multiply(m, bits, x, to, threads{2});
        CHECK(laws::same_bits(y, expected));
        multiply_add(a, x, of);
        multiply_add(m, bits, x, to);
        CHECK(laws::same_bits(y, expected));
        multiply_rows(a, x, of, 5, rows_of_y);
        multiply_rows(m, bits, x, to, 5, 16);
        multiply_rows(m, bits, x, to, 16, rows_of_y);
        CHECK(laws::same_bits(y, expected));
        if constexpr (prepared<X>)
        {
            multiply_each(serial{}, job{a, x, of, {.alpha = 2}});
            std::vector<any_job<Any, X>> list;
            list.push_back(job_of(m, bits, x, to, {.alpha = 2}));
            multiply_each(threads{2}, list);
            CHECK(laws::same_bits(y, expected));
            CHECK(takes_integers(m, x) == takes_integers(a, x));
        }
    }
}

TEST_CASE("a matrix whose format is known at run time only gives the product of what it holds")
{
    auto const x = laws::vector(cols_of_x, laws::input::bell, 1);
    exact::prepared ready;
    exact::prepare(x, ready);
    auto const a = bits8();
    auto const b = table();
    auto product = [&](of_two const& m, unsigned bits, auto const&... more)
    {
        std::vector<float> y(rows_of_y);
        multiply(m, bits, x, y, more...);
        return y;
    };
    CHECK(laws::same_bits(product(a, 3), laws::times(a.prefix(3), x)));
    CHECK(laws::same_bits(product(a, 8, threads{2}), laws::times(a, x)));
    CHECK(laws::same_bits(product(b, 4), laws::times(b, x)));
    std::vector<float> y(rows_of_y);
    multiply(of_two(a), 2, ready, y);
    CHECK(laws::same_bits(y, laws::times(a.prefix(2), x)));
    CHECK_THROWS_WITH_AS(product(b, 3), "no 3-bit prefix here; readable widths: 4", width_error);
    std::span<float> const no_y(static_cast<float*>(nullptr), rows_of_y);
    CHECK_THROWS_WITH_AS(multiply(of_two(a), 2, x, no_y), "y: 1 x 33 without data", shape_error);
}

TEST_CASE("it has every entry that a packed matrix has: for one x and several, prepared or not")
{
    auto const x = laws::vector(count_of_x * cols_of_x, laws::input::bell, 1);
    auto const a = bits8();
    auto const b = table();
    of_two const first = a, second = b;
    for (std::size_t const vectors : {std::size_t{1}, count_of_x})
    {
        matrix_view<float const> const all{x.data(), vectors, cols_of_x};
        auto const check = [&](auto const& from)
        {
            check_every_entry(first, a.prefix(3), from, vectors);
            check_every_entry(first, a.prefix(8), from, vectors);
            check_every_entry(second, b.prefix(4), from, vectors);
        };
        check(all);
        exact::prepared floats;
        exact::prepare(all, floats);
        check(floats);
        limbs<1>::prepared integers;
        limbs<1>{}.prepare(all, integers);
        check(integers);
    }
}

TEST_CASE("it prepares x by the activation that is named, and rounds y to 16 bits")
{
    auto const x = laws::vector(count_of_x * cols_of_x, laws::input::bell, 1);
    matrix_view<float const> const all{x.data(), count_of_x, cols_of_x};
    auto const a = bits8();
    of_two const m = a;
    std::vector<float> y(count_of_x * rows_of_y), expected(y);
    matrix_view<float> const to{y.data(), count_of_x, rows_of_y}, of{expected.data(), count_of_x, rows_of_y};
    multiply(a.prefix(4), all, of, limbs<1>{32});
    multiply(m, 4, all, to, limbs<1>{32});
    CHECK(laws::same_bits(y, expected));
    multiply(m, 4, all, to, limbs<1>{32}, threads{2});
    CHECK(laws::same_bits(y, expected));
    std::vector<half> narrow(count_of_x * rows_of_y), rounded(narrow);
    multiply(a.prefix(4), all, matrix_view<half>{rounded.data(), count_of_x, rows_of_y});
    multiply(m, 4, all, matrix_view<half>{narrow.data(), count_of_x, rows_of_y});
    CHECK(narrow == rounded);
}

TEST_CASE("at a width it is a linear map: alone, and in a sum with a sparse part")
{
    auto const x = laws::vector(cols_of_x, laws::input::bell, 1);
    auto const a = bits8();
    of_two const m = a;
    any_prefixed const four(m, 4);
    static_assert(linear_map<any_prefixed<of_two>> && dense_map<any_prefixed<of_two>>);
    CHECK(four.at(32, 64) == a.prefix(4).at(32, 64));
    triplet const some[] = {{0, 0, 1.0f}, {3, 64, -2.0f}};
    csr<> const sparse(rows_of_y, cols_of_x, some);
    CHECK(laws::same_bits(laws::times(sum(four, sparse), x), laws::times(sum(a.prefix(4), sparse), x)));
    CHECK_THROWS_WITH_AS(any_prefixed(m, 9), "no 9-bit prefix here; readable widths: 1, 2, 3, 4, 5, 6, 7, 8",
                         width_error);
}
