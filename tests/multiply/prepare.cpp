// SPDX-License-Identifier: BSD-3-Clause
// Preparing on several threads, and views of some of the vectors that were prepared.
#include <jackplane/core/team.hpp>
#include <jackplane/multiply/activation/bf16.hpp>
#include <jackplane/multiply/jobs.hpp>
#include <functional>
#include "laws/activation.hpp"
#include "subjects.hpp"

using namespace jackplane;

namespace
{
    constexpr std::size_t prepared_cols = 83, matrix_rows = 37;

    auto matrix_of_83()
    {
        return pack<bit_planes>(subjects::random({matrix_rows, prepared_cols}, uniform<8>{}, minmax{}, group{32}, 2));
    }
    template <class T>
    std::vector<T> vectors_to_prepare(std::size_t vectors)
    {
        std::vector<T> x;
        for (float const v : laws::vector(vectors * prepared_cols, laws::input::outlier, 1))
            x.push_back(from_float<T>(v));
        return x;
    }
    template <class M, class X>
    std::vector<float> product_with(M const& a, X const& ready)
    {
        std::vector<float> y(ready.vectors() * matrix_rows);
        multiply(a, ready, matrix_view<float>{y.data(), ready.vectors(), matrix_rows});
        return y;
    }
    template <class X>
    void check_same_x(X const& ready, X const& expected)
    {
        exact_view const a = ready.floats(), b = expected.floats();
        CHECK(a.vectors == b.vectors);
        CHECK(a.batch_invariant == b.batch_invariant);
        CHECK(laws::same_bits({a.x, a.vectors * a.blocks * block::cols}, {b.x, b.vectors * b.blocks * block::cols}));
        CHECK(laws::same_bits({a.sums, a.vectors * a.blocks}, {b.sums, b.vectors * b.blocks}));
    }
    // Everywhere another split, the last one backwards and vector by vector.
    template <class Run>
    void with_every_split(Run&& run)
    {
        for (unsigned const count : {1u, 2u, 3u, 7u})
            run(threads{count});
        run(team(2));
        auto backwards = [](std::size_t tasks, std::function<void(std::size_t)> const& task)
        {
            while (tasks-- > 0)
                task(tasks);
        };
        run(pool{backwards, 1000});
    }
}

TEST_CASE_TEMPLATE("vectors that threads share: the bytes of one thread", A, exact, batch_invariant, limbs<1>, limbs<2>,
                   limbs<3>, bf16)
{
    auto const a = matrix_of_83();
    A const how;
    for (std::size_t const n : {0u, 1u, 3u, 4u, 5u, 8u, 9u, 13u, 33u})
    {
        auto const x = vectors_to_prepare<float>(n);
        auto const narrow = vectors_to_prepare<half>(n);
        matrix_view<float const> const all{x.data(), n, prepared_cols};
        matrix_view<half const> const rounded{narrow.data(), n, prepared_cols};
        std::vector<std::size_t> backwards(n);
        for (std::size_t i = 0; i < n; ++i)
            backwards[i] = n - 1 - i;
        typename A::prepared expected, of_half, of_list, ready;
        how.prepare(all, expected);
        how.prepare(rounded, of_half);
        how.prepare(all, backwards, of_list);
        auto const y = product_with(a.prefix(5), expected), y_list = product_with(a.prefix(5), of_list);
        auto const y_half = product_with(a.prefix(5), of_half);
        auto const check = [&](typename A::prepared const& wanted, std::vector<float> const& wanted_y)
        {
            check_same_x(ready, wanted);
            if constexpr (requires { A::count; })
                CHECK(laws::same_limbs<A::count>(ready.view(), wanted.view()));
            CHECK(laws::same_bits(product_with(a.prefix(5), ready), wanted_y));
        };
        with_every_split(
            [&](auto const& policy)
            {
                how.prepare(all, ready, policy);
                check(expected, y);
                how.prepare(rounded, ready, policy);
                check(of_half, y_half);
                how.prepare(all, backwards, ready, policy);
                check(of_list, y_list);
                std::vector<float> at_once(n * matrix_rows);
                multiply(a.prefix(5), all, matrix_view<float>{at_once.data(), n, matrix_rows}, how, policy);
                CHECK(laws::same_bits(at_once, y));
            });
    }
}

TEST_CASE("what cannot be prepared is an error before any thread starts")
{
    limbs<1>::prepared ready;
    auto const never = [](std::size_t, auto const&) { CHECK(false); };
    auto const x = vectors_to_prepare<float>(4);
    std::vector<std::size_t> const far{0, 4};
    matrix_view<float const> const all{x.data(), 4, prepared_cols};
    CHECK_THROWS_WITH_AS(limbs<1>{}.prepare(all, far, ready, never), "x: row 4 of 4", shape_error);
    CHECK_THROWS_WITH_AS(limbs<1>{48}.prepare(all, ready, never),
                         "activation groups of 48 columns; there are 32, 64 and 128", shape_error);
    exact::prepared floats;
    CHECK_THROWS_WITH_AS(exact::prepare(matrix_view<float const>{nullptr, 1, prepared_cols}, floats, never),
                         "x: 1 x 83 without data", shape_error);
}

TEST_CASE_TEMPLATE("some of the vectors, without a copy: the bits of those alone", A, exact, batch_invariant, limbs<1>,
                   limbs<2>, limbs<3>, bf16)
{
    constexpr std::size_t step = []
    {
        if constexpr (requires { A::tile; })
            return A::tile;
        return std::size_t{1};
    }();
    auto const a = matrix_of_83();
    auto const table =
        pack<planes<4>>(subjects::random({matrix_rows, prepared_cols}, nf4{}, absmax{}, group{64}, 3)); // fp32 x
    A const how;
    for (std::size_t const n : {0u, 1u, 4u, 7u, 8u, 9u, 12u, 16u, 27u})
    {
        auto const x = vectors_to_prepare<float>(n);
        typename A::prepared ready, alone;
        how.prepare(matrix_view<float const>{x.data(), n, prepared_cols}, ready);
        for (std::size_t first = 0; first <= n; first += step)
            for (std::size_t last = first; last <= n; last = last == n ? n + 1 : std::min(last + step, n))
            {
                auto const some = ready.rows(first, last);
                static_assert(prepared<std::remove_const_t<decltype(some)>>);
                REQUIRE(some.vectors() == last - first);
                CHECK(some.cols() == prepared_cols);
                how.prepare(matrix_view<float const>{x.data() + first * prepared_cols, last - first, prepared_cols},
                            alone);
                auto const check = [&](auto const& m)
                {
                    auto const y = product_with(m, alone);
                    CHECK(laws::same_bits(product_with(m, some), y));
                    std::vector<float> of_job(y.size());
                    multiply_each(threads{2},
                                  job{m, some, matrix_view<float>{of_job.data(), last - first, matrix_rows}});
                    CHECK(laws::same_bits(of_job, y));
                };
                check(a.prefix(4));
                check(table);
            }
        CHECK_THROWS_AS(ready.rows(0, n + 1), shape_error);
        CHECK_THROWS_AS(ready.rows(n + step, n + step), shape_error);
    }
}

TEST_CASE("integers lie in tiles: a view of them says where it may begin")
{
    auto const x = vectors_to_prepare<float>(20);
    limbs<1>::prepared bytes;
    limbs<3>::prepared ready;
    limbs<1>{}.prepare(matrix_view<float const>{x.data(), 20, prepared_cols}, bytes);
    limbs<3>{}.prepare(matrix_view<float const>{x.data(), 20, prepared_cols}, ready);
    CHECK(ready.rows(4, 12).vectors() == 8);
    CHECK(bytes.rows(16, 20).vectors() == 4);
    CHECK_THROWS_WITH_AS(bytes.rows(4, 12),
                         "vectors 4 to 12 of 20: a view of them begins at a multiple of 8 and ends at one or with the "
                         "last",
                         shape_error);
    CHECK_THROWS_WITH_AS(ready.rows(8, 4),
                         "vectors 8 to 4 of 20: a view of them begins at a multiple of 4 and ends at one or with the "
                         "last",
                         shape_error);
}

template <class X>
concept lends_rows = requires(X&& x)
{
    std::forward<X>(x).rows(0, 1);
};
static_assert(lends_rows<exact::prepared&> && lends_rows<bf16::prepared&> && lends_rows<limbs<2>::prepared const&>);
static_assert(!lends_rows<exact::prepared> && !lends_rows<bf16::prepared> && !lends_rows<limbs<2>::prepared>);
template <class X>
concept job_of_rows = requires(X& x, packed<bit_planes> const& a, std::vector<float>& y)
{
    job{a, x.rows(0, 1), y};
};
static_assert(!job_of_rows<exact::prepared>); // the view would be gone
