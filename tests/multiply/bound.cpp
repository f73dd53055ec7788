// SPDX-License-Identifier: BSD-3-Clause
// |y - exact| <= (groups + 8) eps sum |scale| (|decode| + |zero|) |x|, on every ragged shape, group and width.
#include "subjects.hpp"

using namespace jackplane;

template <class P, class S>
void check_bound(unsigned seed)
{
    for (laws::shape const s : laws::ragged_shapes)
        for (std::size_t g = 0; g < laws::all_groups.size(); ++g)
        {
            CAPTURE(s.rows);
            CAPTURE(s.cols);
            CAPTURE(g);
            auto const q = subjects::random<S>(s, uniform<8>{}, P{}, laws::all_groups[g], seed);
            auto const a = pack<bit_planes>(q);
            for (unsigned bits = 1; bits <= 8; ++bits)
            {
                CAPTURE(bits);
                // every width meets every kind of x in some shape and group
                auto const kind = laws::all_inputs[(bits + g + s.rows) % laws::all_inputs.size()];
                auto const x = laws::vector(s.cols, kind, bits);
                auto const expected = laws::product(laws::twin_of(q, bits), x);
                CHECK(laws::first_wrong(expected, laws::times(a.prefix(bits), x)) == s.rows);
            }
        }
}
TEST_CASE("error bound: real zeros") { check_bound<minmax<real_zero>, half>(1); }
TEST_CASE("error bound: integer zeros") { check_bound<minmax<integer_zero>, float>(2); }
TEST_CASE("error bound: symmetric") { check_bound<full_range, bfloat16>(3); }

TEST_CASE("error bound: one group over a long row")
{
    auto const q = subjects::random<float>({3, 40000}, uniform<8>{}, minmax<real_zero>{}, group::per_row(), 4);
    auto const a = pack<bit_planes>(q);
    for (laws::input const kind : laws::all_inputs)
    {
        auto const x = laws::vector(q.cols, kind, 5);
        CHECK(laws::first_wrong(laws::product(laws::twin_of(q), x), laws::times(a, x)) == q.rows);
    }
}
