// SPDX-License-Identifier: BSD-3-Clause
#include <jackplane/detach/csr.hpp>
#include <doctest/doctest.h>
#include <cmath>
#include <limits>
#include <vector>

using namespace jackplane;

namespace
{
    constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
    constexpr float infinity = std::numeric_limits<float>::infinity();

    // row 0 ends with the last column, row 1 is empty, row 2 holds a zero, row 3 is empty
    std::vector<triplet> const some{{0, 1, 0.5f}, {0, 6, -3.0f}, {2, 0, 0.1f}, {2, 3, 0.0f}, {2, 4, 1e-6f}};

    template <class T, class I>
    struct numbers
    {
        using value = T;
        using index = I;
    };
}

TEST_CASE_TEMPLATE("triplets become rows, their values rounded once", N, numbers<half, std::uint16_t>,
                   numbers<half, std::uint32_t>, numbers<bfloat16, std::uint16_t>, numbers<bfloat16, std::uint32_t>,
                   numbers<float, std::uint16_t>, numbers<float, std::uint32_t>)
{
    using T = typename N::value;
    using I = typename N::index;
    csr<T, I> const a(4, 7, some);
    CHECK(a.rows() == 4);
    CHECK(a.cols() == 7);
    CHECK(a.nonzeros() == 5);
    CHECK(bytes_read(a) == 5 * (sizeof(T) + sizeof(I)) + 5 * 4);

    auto const& v = a.view();
    CHECK(std::vector(v.row_pointers, v.row_pointers + 5) == std::vector<std::uint32_t>{0, 2, 2, 5, 5});
    CHECK(std::vector(v.columns, v.columns + 5) == std::vector<I>{1, 6, 0, 3, 4});
    for (std::size_t i = 0; i < 5; ++i)
        CHECK(to_float(v.values[i]) == to_float(from_float<T>(some[i].value)));

    for (std::size_t row = 0; row < 4; ++row)
        for (std::size_t col = 0; col < 7; ++col)
        {
            float expected = 0;
            for (triplet const& w : some)
                if (w.row == row && w.col == col)
                    expected = to_float(from_float<T>(w.value));
            CHECK(a.at(row, col) == expected);
        }

    // the same from arrays of somebody else
    std::vector<T> const values(v.values, v.values + 5);
    std::vector<I> const columns(v.columns, v.columns + 5);
    std::vector<std::uint32_t> const row_pointers(v.row_pointers, v.row_pointers + 5);
    csr<T, I> const b(4, 7, values, columns, row_pointers, nullptr);
    CHECK(b.view().values == values.data());
    CHECK(b.nonzeros() == 5);
    CHECK(b.at(2, 4) == a.at(2, 4));
}

TEST_CASE("no rows, no columns, no weights")
{
    CHECK(csr<>().rows() == 0);
    CHECK(csr<>().cols() == 0);
    CHECK(csr<>().nonzeros() == 0);
    CHECK(bytes_read(csr<>()) == 4);
    CHECK(csr<>(0, 5, {}).cols() == 5);
    CHECK(csr<>(5, 0, {}).rows() == 5);
    csr<> const none(3, 4, {});
    CHECK(none.nonzeros() == 0);
    CHECK(none.at(2, 3) == 0);
}

TEST_CASE("a copy shares the arrays and keeps them")
{
    csr<> copy;
    half const* values = nullptr;
    {
        csr<> const a(4, 7, some);
        values = a.view().values;
        copy = a;
        CHECK(copy.owner() == a.owner());
        CHECK(a.owner().use_count() == 2);
    }
    CHECK(copy.view().values == values);
    CHECK(copy.owner().use_count() == 1);
    CHECK(copy.at(0, 6) == -3);
}

TEST_CASE("indices of 16 bits reach 65536 columns")
{
    triplet const last{0, 65535, 2.0f};
    CHECK(csr<>(1, 65536, {&last, 1}).at(0, 65535) == 2);
    CHECK_THROWS_WITH_AS(csr<>(1, 65537, {&last, 1}, "down"), "down: 65537 columns do not fit in indices of 16 bits",
                         shape_error);
    triplet const beyond{0, 70000, 2.0f};
    csr<half, std::uint32_t> const wide(1, 70001, {&beyond, 1});
    CHECK(wide.at(0, 70000) == 2);
    CHECK(wide.at(0, 70000 - 65536) == 0);
}

TEST_CASE("triplets that are no matrix are an error with the numbers")
{
    auto make = [](std::vector<triplet> const& all) { csr<>(3, 5, all, "gate"); };
    CHECK_THROWS_WITH_AS(make({{1, 5, 1}}), "gate: row 1, column 5 is outside 3 x 5", shape_error);
    CHECK_THROWS_WITH_AS(make({{0, 0, 1}, {3, 0, 1}}), "gate: row 3, column 0 is outside 3 x 5", shape_error);
    CHECK_THROWS_WITH_AS(make({{0, 0, 1}, {0, 0, 2}}), "gate: row 0, column 0 is there twice", shape_error);
    CHECK_THROWS_WITH_AS(make({{1, 4, 1}, {1, 4, 2}}), "gate: row 1, column 4 is there twice", shape_error);
    CHECK_THROWS_WITH_AS(make({{1, 4, 1}, {1, 2, 2}}),
                         "gate: row 1, column 2 comes after row 1, column 4", shape_error);
    CHECK_THROWS_WITH_AS(make({{2, 0, 1}, {1, 4, 2}}),
                         "gate: row 1, column 4 comes after row 2, column 0", shape_error);
    CHECK_THROWS_WITH_AS(make({{0, 3, not_a_number}}), "gate: weight at row 0, column 3 is nan", value_error);
    CHECK_THROWS_WITH_AS(make({{0, 3, -infinity}}), "gate: weight at row 0, column 3 is -inf", value_error);
    CHECK_THROWS_WITH_AS(
        make({{0, 3, 65520}}),
        "gate: weight 65520 at row 0, column 3 is above the largest half, 65504; bfloat16 or float holds it",
        value_error);
    CHECK_THROWS_WITH_AS(make({{0, 3, 1}, {2, 1, 1e-6f}}),
                         "gate: weight 9.99999997e-07 at row 2, column 1 is below the smallest normal half, "
                         "6.10351562e-05; bfloat16 or float holds it", value_error);
    CHECK_THROWS_AS(make({{2, 1, -1e-9f}}), value_error); // would be 0
    CHECK_THROWS_AS(make({{2, 1, 1}, {2, 3, 1e-9f}}), value_error);
    CHECK_THROWS_WITH_AS(make({{1, 1, 1e-6f}, {1, 2, -5e-6f}, {1, 3, 2e-6f}, {2, 0, 1}}),
                         doctest::Contains("gate: weight -4.99999987e-06 at row 1, column 2 is below"), value_error);
    CHECK_NOTHROW(make({{0, 0, 0}, {0, 1, -0.0f}, {1, 1, 1e-6f}, {1, 2, -0x1p-14f}, {2, 2, 3 * 0x1p-24f}})); // exact
    CHECK_THROWS_WITH_AS(csr<>(3, 5, std::vector<triplet>{{0, 9, 1}}),
                         "sparse weights: row 0, column 9 is outside 3 x 5", shape_error);
    triplet const large{0, 3, 65520};
    CHECK(csr<bfloat16>(3, 5, {&large, 1}).at(0, 3) == 65536);
    triplet const small{0, 3, 1e-30f};
    CHECK(csr<bfloat16>(3, 5, {&small, 1}).at(0, 3) == doctest::Approx(1e-30).epsilon(0.004)); // 8 bits
    CHECK(csr<float>(3, 5, {&small, 1}).at(0, 3) == 1e-30f);
    CHECK_THROWS_WITH_AS(csr<>(SIZE_MAX, 5, {}, "gate"), doctest::Contains("rows do not fit in memory"), shape_error);
    CHECK_THROWS_AS((csr<>(SIZE_MAX, 5, std::span<half const>{}, {}, {}, nullptr)), shape_error);
}

template <class M>
concept has_view = requires(M&& m) { std::forward<M>(m).view(); };
static_assert(has_view<csr<>&> && has_view<csr<> const&> && !has_view<csr<>> && !has_view<csr<> const>);

TEST_CASE("arrays that are no matrix are an error with the numbers")
{
    using pointers = std::vector<std::uint32_t>;
    auto make = [](std::vector<float> const& values, std::vector<std::uint16_t> const& columns, pointers const& rows)
    { csr<float>(3, 5, values, columns, rows, nullptr, "up"); };
    CHECK_NOTHROW(make({1, 2, 3}, {0, 4, 2}, {0, 2, 2, 3}));
    CHECK_THROWS_WITH_AS(make({1, 2, 3}, {0, 4}, {0, 2, 2, 3}),
                         "up: 3 values, 2 columns and 4 row pointers for 3 rows", shape_error);
    CHECK_THROWS_WITH_AS(make({1, 2, 3}, {0, 4, 2}, {0, 2, 3}),
                         "up: 3 values, 3 columns and 3 row pointers for 3 rows", shape_error);
    CHECK_THROWS_WITH_AS(make({1, 2, 3}, {0, 4, 2}, {0, 2, 2, 4}),
                         "up: row pointers go from 0 to 4, there are 3 values",
                         shape_error);
    CHECK_THROWS_WITH_AS(make({1, 2, 3}, {0, 4, 2}, {1, 2, 2, 3}),
                         "up: row pointers go from 1 to 3, there are 3 values",
                         shape_error);
    CHECK_THROWS_WITH_AS(make({1, 2, 3}, {0, 4, 2}, {0, 2, 1, 3}),
                         "up: row pointers of row 1 are 2 and 1", shape_error);
    CHECK_THROWS_WITH_AS(make({1, 2, 3}, {0, 4, 2}, {0, 9, 9, 3}),
                         "up: row pointers of row 0 are 0 and 9", shape_error);
    CHECK_THROWS_WITH_AS(make({1, 2, 3}, {0, 5, 2}, {0, 2, 2, 3}), "up: row 0, column 5 is outside 3 x 5", shape_error);
    CHECK_THROWS_WITH_AS(make({1, 2, 3}, {4, 4, 2}, {0, 2, 2, 3}), "up: row 0, column 4 is there twice", shape_error);
    CHECK_THROWS_WITH_AS(make({1, 2, 3}, {4, 1, 2}, {0, 2, 2, 3}), "up: row 0, column 1 comes after row 0, column 4",
                         shape_error);
    CHECK_THROWS_WITH_AS(make({1, 2, not_a_number}, {0, 4, 2}, {0, 2, 2, 3}),
                         "up: weight at row 2, column 2 is nan", value_error);
}
