// SPDX-License-Identifier: BSD-3-Clause
#include "laws/linear_map.hpp"
#include "subjects.hpp"

using namespace jackplane;
using subjects::both;
using subjects::prefixes;
using subjects::whole;

using residual = both<prefixes<planes<4, 4>, uniform<8>, minmax<integer_zero>>, whole<planes<2>, uniform<2>, absmax>>;
using nested = both<residual, whole<planes<4>, nf4, absmax>>;
TEST_CASE_TEMPLATE_INVOKE(linear_map_law, residual, nested);

namespace
{
    struct identity // a map that knows nothing of our policies
    {
        std::size_t n;
        std::size_t rows() const { return n; }
        std::size_t cols() const { return n; }
        friend void multiply_add(identity const&, std::span<float const> x, std::span<float> y)
        {
            for (std::size_t i = 0; i < x.size(); ++i)
                y[i] += x[i];
        }
    };
    static_assert(linear_map<identity>);
}
TEST_CASE("a linear map of somebody else multiplies, alone and in a sum")
{
    auto const a = whole<planes<2>, uniform<2>, absmax>::make({33, 33}, group{64}, 1).map;
    auto const x = laws::vector(33, laws::input::bell, 2);
    CHECK(laws::times(identity{33}, x) == x);
    auto expected = laws::times(a, x);
    for (std::size_t i = 0; i < x.size(); ++i)
        expected[i] += x[i];
    CHECK(laws::times(sum(a, identity{33}), x) == expected);
    std::vector<float> y(33);
    multiply<scalar, fp64>(sum(a, identity{33}), x, y, threads{2});
}

TEST_CASE("matrices of two shapes have no sum")
{
    auto of = [](std::size_t rows, std::size_t cols)
    { return whole<planes<2>, uniform<2>, absmax>::make({rows, cols}, group{64}, 1).map; };
    CHECK_THROWS_WITH_AS(sum(of(3, 5), of(3, 6)), "sum of 3 x 5 and 3 x 6", shape_error);
    CHECK_THROWS_AS(sum(of(3, 5), of(4, 5)), shape_error);
    CHECK_THROWS_AS(sum(sum(of(3, 5), of(3, 5)), of(5, 3)), shape_error);
}

TEST_CASE("parts of a sum take the policies that were asked for")
{
    auto const subject = nested::make({65, 127}, group{32}, 3, 4);
    auto const x = laws::vector(127, laws::input::bell, 4);
    std::vector<float> y(65), split(65);
    multiply<scalar, fp64>(subject.map, x, y);
    multiply<scalar, fp64>(subject.map, x, split, threads{3});
    CHECK(laws::same_bits(y, split));
    CHECK(laws::first_wrong(laws::product(subject.exact, x), y) == 65);

    std::vector<float> by_hand(65);
    std::span<float const> const values(x);
    multiply_add<scalar, fp64>(subject.map.first().first(), values, by_hand);
    multiply_add<scalar, fp64>(subject.map.first().second(), values, by_hand);
    multiply_add<scalar, fp64>(subject.map.second(), values, by_hand);
    CHECK(laws::same_bits(y, by_hand));
    CHECK(!laws::same_bits(y, laws::times(subject.map, x))); // the default rounds elsewhere
}
