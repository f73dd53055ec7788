// SPDX-License-Identifier: BSD-3-Clause
// Vectors prepared by a list of rows: as if they had been copied.
#include <jackplane/multiply/activation/bf16.hpp>
#include "subjects.hpp"

using namespace jackplane;

namespace
{
    constexpr std::size_t source_rows = 7, source_cols = 83;

    template <class T, class A>
    void check(A how)
    {
        std::vector<T> x;
        for (float const v : laws::vector(source_rows * source_cols, laws::input::outlier, 1))
            x.push_back(from_float<T>(v));
        matrix_view<T const> const all{x.data(), source_rows, source_cols};
        auto const a = pack<bit_planes>(subjects::random({33, source_cols}, uniform<8>{}, minmax{}, group{32}, 2));
        typename A::prepared ready, expected;
        for (std::vector<std::size_t> const& rows :
             {std::vector<std::size_t>{}, {6}, {0, 1, 2, 3, 4, 5, 6}, {5, 2, 5, 5, 0, 1, 3, 6, 2}})
        {
            std::vector<T> copied;
            for (std::size_t const row : rows)
                copied.insert(copied.end(), all.row(row).begin(), all.row(row).end());
            how.prepare(all, rows, ready);
            how.prepare(matrix_view<T const>{copied.data(), rows.size(), source_cols}, expected);
            CHECK(ready.vectors() == rows.size());
            CHECK(ready.cols() == source_cols);
            std::size_t const blocks = ready.floats().blocks * rows.size();
            std::size_t const floats = blocks * block::cols;
            CHECK(laws::same_bits({ready.floats().x, floats}, {expected.floats().x, floats}));
            CHECK(laws::same_bits({ready.floats().sums, blocks}, {expected.floats().sums, blocks}));
            std::vector<float> y(rows.size() * 33), same(y.size());
            multiply(a.prefix(5), ready, matrix_view<float>{y.data(), rows.size(), 33});
            multiply(a.prefix(5), expected, matrix_view<float>{same.data(), rows.size(), 33});
            CHECK(laws::same_bits(y, same));
        }
        std::vector<std::size_t> const wrong{0, 7};
        CHECK_THROWS_WITH_AS(how.prepare(all, wrong, ready), "x: row 7 of 7", shape_error);
        CHECK_THROWS_WITH_AS(how.prepare(matrix_view<T const>{nullptr, 1, source_cols}, wrong, ready),
                             "x: 1 x 83 without data", shape_error);
        CHECK(ready.vectors() == 9); // what could not be prepared left it alone
    }
}

TEST_CASE_TEMPLATE("rows of a list, in its order and as often", A, exact, limbs<1>, limbs<2>, limbs<3>, bf16)
{
    check<float>(A{});
    check<half>(A{});
    check<bfloat16>(A{});
}

TEST_CASE("rows of an array, by the kernels of another arch")
{
    auto const x = laws::vector(source_rows * source_cols, laws::input::bell, 3);
    std::vector<std::size_t> const rows{3, 3};
    limbs<2>::prepared ready;
    limbs<2>{32}.prepare<scalar>(matrix_view<float const>{x.data(), source_rows, source_cols}, rows, ready);
    CHECK(ready.vectors() == 2);
    CHECK(laws::same_bits({ready.floats().x, source_cols}, std::span(x).subspan(3 * source_cols, source_cols)));
}
