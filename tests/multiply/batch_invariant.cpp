// SPDX-License-Identifier: BSD-3-Clause
#include "laws/batch_invariant.hpp"
#include "sparse_subjects.hpp"

using namespace jackplane;
using subjects::prefixes;
using subjects::whole;

namespace
{
    template <class Maps, class Activation>
    struct seat
    {
        using maps = Maps;
        using activation = Activation;
    };
}

// one-bit planes at every width, tables of all rows and of each, planes that no butterfly merges, sums
using every_width = prefixes<bit_planes, uniform<8>, minmax<integer_zero>>;
using one_table = whole<planes<4>, nf4, absmax>;
using row_table_of_8 = subjects::tables<planes<2, 1>, 3>;
using three_unaligned = prefixes<planes<1, 2>, uniform<3>, minmax<real_zero>, float>;
using both_maps = subjects::both<whole<planes<2>, uniform<2>, absmax>, subjects::sparse<half, std::uint16_t, 5>>;
TEST_CASE_TEMPLATE_INVOKE(batch_invariant_law, seat<every_width, batch_invariant>, seat<one_table, batch_invariant>,
                          seat<row_table_of_8, batch_invariant>, seat<three_unaligned, batch_invariant>,
                          seat<both_maps, batch_invariant>);
// and limbs where they are multiplied as integers
TEST_CASE_TEMPLATE_INVOKE(batch_invariant_law, seat<every_width, limbs<1>>, seat<every_width, limbs<3>>);

TEST_CASE("batch_invariant gives the bits that exact gives alone, and leaves nothing behind in a prepared x")
{
    auto const subject = every_width::make({37, 129}, group{32}, 1, 4);
    auto const x = laws::vector(2 * 129, laws::input::bell, 1);
    matrix_view<float const> const two{x.data(), 2, 129};
    std::vector<float> y(2 * 37), again(2 * 37), expected(2 * 37);
    matrix_view<float> const to{y.data(), 2, 37};
    multiply(subject.map, two, to, batch_invariant{});
    for (std::size_t n = 0; n < 2; ++n)
        CHECK(laws::same_bits(std::span(y).subspan(n * 37, 37),
                              laws::times(subject.map, std::vector<float>(two.row(n).begin(), two.row(n).end()))));
    batch_invariant::prepared ready;
    batch_invariant::prepare(two, ready);
    std::fill(again.begin(), again.end(), 0.0f);
    for (std::size_t first = 0; first < 37; first += 5)
        multiply_rows(subject.map, ready, matrix_view<float>{again.data(), 2, 37}, first,
                      std::min<std::size_t>(first + 5, 37));
    CHECK(laws::same_bits(again, y));

    exact::prepare(two, ready);
    multiply(subject.map, ready, to);
    multiply(subject.map, two, matrix_view<float>{expected.data(), 2, 37});
    CHECK(laws::same_bits(y, expected));
}
