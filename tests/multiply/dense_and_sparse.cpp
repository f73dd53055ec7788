// SPDX-License-Identifier: BSD-3-Clause
// Planes and a sparse part in one map.
#include "sparse_subjects.hpp"

using namespace jackplane;
using halves = subjects::sparse<half, std::uint16_t, 8>;

using nibbles_with_zeros = subjects::prefixes<planes<4, 4>, uniform<8>, minmax<integer_zero>>;
using dense_and_sparse = subjects::both<nibbles_with_zeros, halves>;
TEST_CASE_TEMPLATE_INVOKE(linear_map_law, dense_and_sparse);

TEST_CASE_TEMPLATE("any prepared x gives the dense product plus the sparse one", A, exact, limbs<1>, limbs<3>)
{
    laws::shape const s{65, 192};
    auto const dense = pack<bit_planes>(subjects::random(s, uniform<8>{}, minmax{}, group{64}, 1));
    auto const few = halves::make(s, {}, 2).map;
    auto const x = laws::vector(s.cols, laws::input::bell, 3);
    A const how{};
    typename A::prepared ready;
    how.prepare(std::span<float const>(x), ready);
    std::vector<float> y(s.rows), parts(s.rows), split(s.rows);
    multiply(sum(dense.prefix(4), few), ready, std::span<float>(y));
    multiply(dense.prefix(4), ready, std::span<float>(parts));
    multiply_add(few, ready, std::span<float>(parts));
    CHECK(laws::same_bits(y, parts));
    multiply(sum(dense.prefix(4), few), ready, std::span<float>(split), threads{3});
    CHECK(laws::same_bits(y, split));

    // the sparse part reads the floats themselves
    std::vector<float> alone(s.rows);
    multiply(few, ready, std::span<float>(alone));
    CHECK(laws::same_bits(alone, laws::times(few, x)));
}
