// SPDX-License-Identifier: BSD-3-Clause
#include "laws/linear_map.hpp"
#include "subjects.hpp"

using namespace jackplane;
using subjects::both;
using subjects::prefix;
using subjects::whole;

using residual = both<prefix<4, bit_planes, uniform<8>, minmax<integer_zero>>, whole<planes<2>, uniform<2>, absmax>>;
using nested = both<residual, whole<planes<4>, nf4, absmax>>;
TEST_CASE_TEMPLATE_INVOKE(linear_map_law, residual, nested);

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
    auto const subject = nested::make({65, 127}, group{32}, 3);
    auto const x = laws::vector(127, laws::input::bell, 4);
    std::vector<float> y(65), split(65);
    multiply<fp64, scalar>(subject.map, x, y);
    multiply<fp64, scalar>(subject.map, x, split, threads{3});
    CHECK(laws::same_bits(y, split));
    CHECK(laws::first_wrong(laws::product(subject.exact, x), y) == 65);
}
