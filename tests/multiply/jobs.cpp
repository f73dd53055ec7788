// SPDX-License-Identifier: BSD-3-Clause
// Several products in one parallel region: the bits of single ones, for any list and any number of threads.
#include <jackplane/core/team.hpp>
#include <jackplane/multiply/activation/bf16.hpp>
#include <jackplane/multiply/jobs.hpp>
#include <functional>
#include "subjects.hpp"

using namespace jackplane;

namespace
{
    auto matrix(std::size_t rows, std::size_t cols, std::uint64_t seed)
    {
        return pack<bit_planes>(subjects::random({rows, cols}, uniform<8>{}, minmax{}, group{32}, seed));
    }
    template <class A>
    auto prepare(A how, std::size_t vectors, std::size_t cols, std::uint64_t seed = 9)
    {
        auto const x = laws::vector(vectors * cols, laws::input::outlier, seed);
        typename A::prepared ready;
        how.prepare(matrix_view<float const>{x.data(), vectors, cols}, ready);
        return ready;
    }
    matrix_view<float> in_rows(std::vector<float>& y, std::size_t rows)
    {
        return {y.data(), rows, rows == 0 ? 0 : y.size() / rows};
    }

    // run(policy) for several, all of which split otherwise
    template <class Run>
    void with_policies(Run&& run)
    {
        run(serial{});
        for (unsigned const count : {2u, 3u, 7u})
            run(threads{count});
        run(team(2));
        auto backwards = [](std::size_t tasks, std::function<void(std::size_t)> const& task)
        {
            while (tasks-- > 0)
                task(tasks);
        };
        run(pool{backwards, 1000}); // each panel is a piece
    }
}

TEST_CASE_TEMPLATE("three matrices of different formats share an x: the bits of single products", A, exact, limbs<1>,
                   limbs<2>, bf16)
{
    auto const q = matrix(83, 70, 1), k = matrix(17, 70, 2);
    auto const v = pack<planes<4>>(subjects::random({1, 70}, nf4{}, absmax{}, group{64}, 3));
    for (std::size_t const n : {1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u})
    {
        auto const ready = prepare(A{}, n, 70);
        for (unsigned const bits : {8u, 5u, 2u})
        {
            std::vector<float> a(n * 83), b(n * 17), c(n), yq(n * 83), yk(n * 17), yv(n);
            multiply(q.prefix(bits), ready, in_rows(a, n));
            multiply(k, ready, in_rows(b, n));
            multiply(v, ready, in_rows(c, n));
            with_policies([&](auto const& policy)
            {
                for (std::vector<float>* const y : {&yq, &yk, &yv})
                    std::fill(y->begin(), y->end(), 7.0f);
                multiply_each(policy, job{q.prefix(bits), ready, in_rows(yq, n)}, job{k, ready, in_rows(yk, n)},
                              job{v, ready, in_rows(yv, n)});
                CHECK(laws::same_bits(yq, a));
                CHECK(laws::same_bits(yk, b));
                CHECK(laws::same_bits(yv, c));
            });
        }
    }
}

TEST_CASE("one vector is a span, or anything that makes one; the arch and the sum are the caller's")
{
    auto const a = matrix(33, 65, 1);
    auto const ready = prepare(exact{}, 1, 65);
    std::vector<float> expected(33), y(33);
    multiply<scalar, fp64>(a, ready, expected);
    multiply_each<scalar, fp64>(threads{2}, job{a, ready, y});
    CHECK(laws::same_bits(y, expected));
    multiply(a, ready, expected);
    std::fill(y.begin(), y.end(), 3.0f);
    multiply_each(serial{}, job{a, ready, std::span(y)});
    CHECK(laws::same_bits(y, expected));
}

TEST_CASE("lists of jobs: none, one, eight; experts without a token")
{
    std::vector<std::size_t> const tokens{3, 0, 1, 9, 0, 2, 1, 4}; // of each expert
    std::vector<decltype(matrix(1, 1, 1))> experts;
    std::vector<limbs<1>::prepared> ready;
    std::vector<std::vector<float>> y, expected;
    for (std::size_t e = 0; e < tokens.size(); ++e)
    {
        experts.push_back(matrix(17 + 22 * (e % 4), 40, e));
        ready.push_back(prepare(limbs<1>{32}, tokens[e], 40, e));
        expected.emplace_back(tokens[e] * experts[e].rows());
        if (tokens[e] != 0)
            multiply(experts[e].prefix(3), ready[e], in_rows(expected[e], tokens[e]));
        y.emplace_back(expected[e].size());
    }
    using one = job<decltype(experts[0].prefix(3)), limbs<1>::prepared>;
    std::vector<one> list;
    multiply_each(threads{2}, list);
    multiply_each(threads{2});
    for (std::size_t e = 0; e < tokens.size(); ++e)
    {
        // a stack of one height, of which no row is written
        list.push_back(tokens[e] == 0 ? one{experts[e].prefix(3), ready[e], {y[0].data(), 5, experts[e].rows()}}
                                      : one{experts[e].prefix(3), ready[e], in_rows(y[e], tokens[e])});
        if (e != 0 && e + 1 != tokens.size())
            continue;
        with_policies([&](auto const& policy)
        {
            for (std::vector<float>& each : y)
                std::fill(each.begin(), each.end(), 7.0f);
            multiply_each(policy, list);
            for (std::size_t i = 0; i < list.size(); ++i)
                CHECK(laws::same_bits(y[i], expected[i]));
        });
    }
    std::vector<float> other(17), of_other(17);
    auto const alone = prepare(exact{}, 1, 40);
    multiply(experts[0], alone, of_other);
    for (std::vector<float>& each : y)
        std::fill(each.begin(), each.end(), 7.0f);
    multiply_each(threads{3}, std::span<one const>(list).first(4), job{experts[0], alone, other},
                  std::span(list).subspan(4)); // lists and jobs in one call
    CHECK(laws::same_bits(other, of_other));
    for (std::size_t i = 0; i < list.size(); ++i)
        CHECK(laws::same_bits(y[i], expected[i]));
}

TEST_CASE("matrices whose types are known at run time: variants of jobs")
{
    auto const a = matrix(40, 33, 1);
    auto const b = pack<planes<4>>(subjects::random({20, 33}, nf4{}, absmax{}, group{64}, 2));
    auto const ready = prepare(limbs<2>{}, 2, 33);
    using either = std::variant<job<decltype(a.prefix(4)), limbs<2>::prepared>,
                                job<std::remove_const_t<decltype(b)>, limbs<2>::prepared>>;
    std::vector<float> ya(80), yb(40), ea(80), eb(40);
    multiply(a.prefix(4), ready, in_rows(ea, 2));
    multiply(b, ready, in_rows(eb, 2));
    std::array<either, 2> const list{job{b, ready, in_rows(yb, 2)}, job{a.prefix(4), ready, in_rows(ya, 2)}};
    multiply_each(threads{3}, list);
    CHECK(laws::same_bits(ya, ea));
    CHECK(laws::same_bits(yb, eb));
    std::fill(ya.begin(), ya.end(), 0.0f);
    multiply_each(serial{}, list[1]);
    CHECK(laws::same_bits(ya, ea));
}

TEST_CASE("alpha, bias, rows that vectors go to, and y that is added to")
{
    std::size_t const rows = 83, vectors = 3;
    auto const a = matrix(rows, 65, 1);
    auto const ready = prepare(limbs<2>{}, vectors, 65);
    std::vector<float> plain(vectors * rows);
    multiply(a, ready, in_rows(plain, vectors));
    auto const bias = laws::vector(rows, laws::input::bell, 3);
    std::vector<std::size_t> const to{4, 0, 2};
    auto const before = laws::vector(5 * rows, laws::input::bell, 4);
    for (bool const add : {false, true})
        for (float const alpha : {1.0f, -0.25f}) // exact, fused with the sum or not
            for (std::span<float const> const b : {std::span<float const>{}, std::span(bias)})
            {
                auto expected = before;
                for (std::size_t n = 0; n < vectors; ++n)
                    for (std::size_t r = 0; r < rows; ++r)
                    {
                        float const of = alpha * plain[n * rows + r], one = b.empty() ? of : of + b[r];
                        float& y = expected[to[n] * rows + r];
                        y = add ? y + one : one;
                    }
                with_policies([&](auto const& policy)
                {
                    auto y = before;
                    multiply_each(policy, job{a, ready, in_rows(y, 5), {alpha, b, to, add}});
                    CHECK(laws::same_bits(y, expected));
                });
            }
    auto added = before, expected = before;
    multiply_add(a, ready, matrix_view<float>{expected.data(), vectors, rows});
    multiply_each(threads{2}, job{a, ready, matrix_view<float>{added.data(), vectors, rows}, {.add = true}});
    CHECK(laws::same_bits(added, expected));
}

TEST_CASE("any alpha gives the same bits for any split")
{
    auto const a = matrix(83, 65, 1);
    auto const ready = prepare(exact{}, 1, 65);
    auto const bias = laws::vector(83, laws::input::bell, 3);
    std::vector<float> expected(83), y(83);
    multiply_each(serial{}, job{a, ready, expected, {.alpha = 0.3f, .bias = bias}});
    with_policies([&](auto const& policy)
    {
        multiply_each(policy, job{a, ready, y, {.alpha = 0.3f, .bias = bias}});
        CHECK(laws::same_bits(y, expected));
    });
}

TEST_CASE_TEMPLATE("more vectors than are multiplied at once: the bits of one product", A, exact, limbs<1>, limbs<2>,
                   bf16)
{
    auto const a = matrix(35, 40, 1);
    auto const table = pack<planes<2, 1>>(quantize(laws::weights(35, 40, 2).view(), row_table<3>{}));
    for (std::size_t const n : {63u, 64u, 65u, 256u, 257u, 264u, 265u, 520u, 525u})
    {
        auto const ready = prepare(A{}, n, 40);
        std::vector<float> expected(n * 35), y(n * 35);
        auto const check = [&](auto const& m)
        {
            multiply(m, ready, in_rows(expected, n));
            std::fill(y.begin(), y.end(), 7.0f);
            multiply_each(threads{2}, job{m, ready, in_rows(y, n)});
            CHECK(laws::same_bits(y, expected));
        };
        check(a.prefix(4));
        check(table);
    }
}

TEST_CASE("a job may be kept: it reads the x that is prepared then, and shares the planes")
{
    auto const x = laws::vector(40, laws::input::bell, 1);
    exact::prepared ready;
    std::vector<float> y(20);
    job const kept{matrix(20, 40, 5), ready, y}; // of a temporary
    exact::prepare(x, ready);
    multiply_each(serial{}, kept);
    CHECK(laws::same_bits(y, laws::times(matrix(20, 40, 5), x)));
}

TEST_CASE("jobs that do not fit are an error that names them, before any y is written")
{
    auto const a = matrix(20, 40, 1);
    auto const ready = prepare(exact{}, 2, 40), narrow = prepare(exact{}, 2, 39);
    std::vector<float> fits(40), wrong(200);
    auto const refused = [&](char const* error, auto const& bad)
    {
        std::fill(fits.begin(), fits.end(), 7.0f);
        CHECK_THROWS_WITH_AS(multiply_each(threads{2}, job{a, ready, in_rows(fits, 2)}, bad), error, shape_error);
        CHECK(fits == std::vector<float>(40, 7.0f));
    };
    matrix_view<float> const y{wrong.data(), 2, 20};
    std::vector<std::size_t> const one{0}, far{0, 5};
    std::vector<float> const bias(19);
    refused("job 1: a matrix of 20 x 40 times x of 39 into y of 20", job{a, narrow, y});
    refused("job 1: a matrix of 20 x 40 times x of 40 into y of 19",
            job{a, ready, matrix_view<float>{wrong.data(), 2, 19}});
    refused("job 1: 2 x and 3 y", job{a, ready, matrix_view<float>{wrong.data(), 3, 20}});
    refused("job 1: 2 x go to 1 rows of y", job{a, ready, y, {.to_rows = one}});
    refused("job 1: an x goes to row 5 of 2 y", job{a, ready, y, {.to_rows = far}});
    refused("job 1: a bias of 19 for 20 rows", job{a, ready, y, {.bias = bias}});
    refused("job 1: y: 2 x 20 without data", job{a, ready, matrix_view<float>{nullptr, 2, 20}});
    refused("job 1: y: rows of 20 elements begin 19 apart", job{a, ready, matrix_view<float>{wrong.data(), 2, 20, 19}});
    job const fine{a, ready, y};
    refused("job 3: 2 x and 1 y", std::vector{fine, fine, job{a, ready, matrix_view<float>{wrong.data(), 1, 20}}});
}

template <class X>
concept takes_temporary = requires(X&& x, packed<bit_planes> const& a, std::vector<float>& y) {
    job{a, std::forward<X>(x), y};
};
static_assert(takes_temporary<exact::prepared&> && !takes_temporary<exact::prepared>);
