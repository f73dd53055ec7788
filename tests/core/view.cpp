// SPDX-License-Identifier: BSD-3-Clause
#include <array>
#include <cstdint>
#include <numeric>
#include <doctest/doctest.h>
#include <jackplane/core/view.hpp>
using namespace jackplane;

TEST_CASE("a view finds elements by row and column")
{
    std::vector<int> storage(5 * 7);
    std::iota(storage.begin(), storage.end(), 0);
    matrix_view<int> const whole{storage.data(), 5, 7};
    CHECK(whole.stride == 7);
    CHECK(whole(3, 2) == 23);

    matrix_view<int> const part{storage.data() + 8, 3, 4, 7}; // rows 1..3, columns 1..4
    CHECK(part(0, 0) == 8);
    CHECK(part(2, 3) == 25);
    CHECK(part.row(1).size() == 4);
    CHECK(part.row(1)[0] == 15);
    part(1, 0) = -1;
    CHECK(storage[15] == -1);
}

TEST_CASE("a view of constants comes from any view, not the other way")
{
    int storage[6]{0, 1, 2, 3, 4, 5};
    matrix_view<int const> const v = matrix_view<int>{storage, 2, 2, 3};
    CHECK(v(1, 1) == 4);
    CHECK(v.stride == 3);
    static_assert(!std::is_convertible_v<matrix_view<int const>, matrix_view<int>>);
    static_assert(!std::is_convertible_v<matrix_view<int>, matrix_view<float>>);
}

TEST_CASE("a view of constants is a constant expression")
{
    static constexpr float values[]{1, 2, 3, 4, 5, 6};
    constexpr matrix_view<float const> v{values, 2, 3};
    static_assert(v(1, 0) == 4 && v.row(1)[2] == 6);
    CHECK(matrix_view<float>{}.rows == 0);
}

namespace
{
    template <class Shape>
    struct bare_array // as little of one as a matrix asks for
    {
        std::vector<float> all;
        Shape sizes;
        float* data() { return all.data(); }
        float const* data() const { return all.data(); }
        Shape const& shape() const { return sizes; }
    };
    using bare_matrix = bare_array<std::array<int, 2>>;
    using bare_any = bare_array<std::vector<std::size_t>>;
}

TEST_CASE("an array that has a shape and data is a matrix")
{
    bare_matrix a{{1, 2, 3, 4, 5, 6}, {2, 3}};
    matrix_view<float> const v = a;
    CHECK(v.rows == 2);
    CHECK(v.cols == 3);
    CHECK(v.stride == 3);
    v(1, 0) = 40;
    bare_matrix const& constant = a;
    CHECK(view_of(constant)(1, 0) == 40);
    static_assert(std::is_same_v<decltype(view_of(constant)), matrix_view<float const>>);
    static_assert(std::is_same_v<decltype(view_of(v)), matrix_view<float>>);
    static_assert(matrix_like<bare_matrix> && matrix_like<matrix_view<float> const>);
    static_assert(!matrix_like<std::vector<float>>);
}

TEST_CASE("an array that tells at run time how many dimensions it has is a matrix when asked")
{
    bare_any a{{1, 2, 3, 4, 5, 6}, {3, 2}};
    CHECK(view_of(a)(2, 1) == 6);
    static_assert(!std::is_convertible_v<bare_any&, matrix_view<float>>); // it may be a vector, which is a std::span
    a.sizes = {1, 2, 3};
    CHECK_THROWS_WITH_AS(view_of(a), "a matrix has 2 dimensions, this array has 3", shape_error);
    a.sizes = {6};
    CHECK_THROWS_WITH_AS(view_of(a), "a matrix has 2 dimensions, this array has 1", shape_error);
}

TEST_CASE_TEMPLATE("owners begin on a cache line, whatever their size", T, std::byte, std::uint16_t, float, double)
{
    for (std::size_t n = 1; n < 200; n += 13)
    {
        aligned_vector<T> const v(n), copy = v;
        CHECK(reinterpret_cast<std::uintptr_t>(v.data()) % 64 == 0);
        CHECK(reinterpret_cast<std::uintptr_t>(copy.data()) % 64 == 0);
    }
}

TEST_CASE("a size that overflows is an error, not a small array")
{
    CHECK_THROWS_AS(cache_line_allocator<double>{}.allocate(SIZE_MAX / 4), shape_error);
}

TEST_CASE("a view without memory for all its elements is an error")
{
    float values[12]{};
    auto const check = [](matrix_view<float> m, char const* message)
    { CHECK_THROWS_WITH_AS(expect_whole(m, "up"), message, shape_error); };
    check({nullptr, 3, 4}, "up: 3 x 4 without data");
    check({values, 3, 4, 3}, "up: rows of 4 elements begin 3 apart");
    check({values, 4, 3, SIZE_MAX / 16 + 1}, // where row 4 would be row 0 again
          text("up: 4 x ", SIZE_MAX / 16 + 1, " elements do not fit in memory").c_str());
    CHECK_THROWS_WITH_AS(expect_whole(matrix_view<float>{values, SIZE_MAX / 4, 4}, "up"),
                         doctest::Contains("elements do not fit in memory"), shape_error);
    for (auto const& m : {matrix_view<float>{values, 3, 4}, {values, 2, 4, 7}, {values, 1, 12, 0}, {nullptr, 0, 5},
                          {nullptr, 5, 0}, {}})
        CHECK_NOTHROW(expect_whole(m, "up"));
}

TEST_CASE("allocators of all types are one")
{
    cache_line_allocator<double> const rebound{cache_line_allocator<float>{}};
    CHECK(rebound == cache_line_allocator<double>{});
    aligned_vector<float> a(3, 1.0f), b;
    float const* const before = a.data();
    b = std::move(a);
    CHECK(b.data() == before); // moved, not copied
}

static_assert(ceil_div(0, 16) == 0 && ceil_div(1, 16) == 1 && ceil_div(16, 16) == 1 && ceil_div(17, 16) == 2);
static_assert(ceil_div(SIZE_MAX, 2) == SIZE_MAX / 2 + 1); // n + step - 1 would overflow
static_assert(round_up(0, 32) == 0 && round_up(31, 32) == 32 && round_up(33, 32) == 64);
