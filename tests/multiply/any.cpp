// SPDX-License-Identifier: BSD-3-Clause
#include <jackplane/multiply/any.hpp>
#include "subjects.hpp"

using namespace jackplane;

TEST_CASE("a matrix whose format is known at run time only gives the product of what it holds")
{
    auto const x = laws::vector(65, laws::input::bell, 1);
    exact::prepared ready;
    exact::prepare(x, ready);
    auto const a = pack<bit_planes>(subjects::random({33, 65}, uniform<8>{}, minmax{}, group{64}, 2));
    auto const b = pack<planes<4>>(subjects::random({33, 65}, nf4{}, absmax{}, group{64}, 2));
    auto product = [&](any_packed const& m, unsigned bits, auto const&... more)
    {
        std::vector<float> y(33);
        multiply(m, bits, x, y, more...);
        return y;
    };
    CHECK(laws::same_bits(product(a, 3), laws::times(a.prefix(3), x)));
    CHECK(laws::same_bits(product(a, 8, threads{2}), laws::times(a, x)));
    CHECK(laws::same_bits(product(b, 4), laws::times(b, x)));
    std::vector<float> y(33);
    multiply(any_packed(a), 2, ready, y);
    CHECK(laws::same_bits(y, laws::times(a.prefix(2), x)));
    CHECK_THROWS_WITH_AS(product(b, 3), "no 3-bit prefix here; readable widths: 4", width_error);
    std::span<float> const no_y(static_cast<float*>(nullptr), 33);
    CHECK_THROWS_WITH_AS(multiply(any_packed(a), 2, x, no_y), "y: 1 x 33 without data", shape_error);
}
