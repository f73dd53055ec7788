// SPDX-License-Identifier: BSD-3-Clause
// The laws of a product for other layouts, codebooks, scales and zeros.
#include "laws/dense_map.hpp"
#include "laws/linear_map.hpp"
#include "subjects.hpp"

using namespace jackplane;
using subjects::offsets;
using subjects::prefixes;
using subjects::whole;

// wider planes, mixed planes, planes that no butterfly merges
using bytes_in_one = whole<planes<8>, uniform<8>, absmax, bfloat16>;
using nibbles = prefixes<planes<4, 4>, uniform<8>, full_range>;
using pair_planes = prefixes<planes<2, 2, 2, 2>, uniform<8>, minmax<integer_zero>, float>;
using mixed_planes = prefixes<planes<4, 2, 2>, uniform<8>, mse_search<minmax<integer_zero>>>;
using unaligned = prefixes<planes<1, 2, 4>, uniform<7>, minmax<real_zero>, float>;
TEST_CASE_TEMPLATE_INVOKE(linear_map_law, bytes_in_one, nibbles, pair_planes, mixed_planes, unaligned);
TEST_CASE_TEMPLATE_INVOKE(dense_map_law, bytes_in_one, nibbles, pair_planes, mixed_planes, unaligned);

// other codebooks
using four_bits = prefixes<planes<2, 2>, uniform<4>, minmax<integer_zero>>;
using two_bits = whole<planes<2>, uniform<2>, minmax<real_zero>, bfloat16>;
using one_bit = whole<planes<1>, uniform<1>, full_range>;
using normal_float = whole<planes<4>, nf4, absmax>;
using small_float = whole<planes<2, 2>, fp4, minmax<real_zero>>;
TEST_CASE_TEMPLATE_INVOKE(linear_map_law, four_bits, two_bits, one_bit, normal_float, small_float);
TEST_CASE_TEMPLATE_INVOKE(dense_map_law, four_bits, two_bits, one_bit, normal_float, small_float);

// zeros in units of the weights
using four_and_offset = offsets<planes<4>, uniform<4>, half>; // GGUF's Q4_1
using eight_and_offset = offsets<bit_planes, uniform<8>, float, float>;
using unaligned_and_offset = offsets<planes<1, 2, 2>, uniform<5>, bfloat16>;
using float_and_offset = offsets<planes<4>, nf4, half>;
TEST_CASE_TEMPLATE_INVOKE(linear_map_law, four_and_offset, eight_and_offset, unaligned_and_offset, float_and_offset);
TEST_CASE_TEMPLATE_INVOKE(dense_map_law, four_and_offset, eight_and_offset, unaligned_and_offset, float_and_offset);

// values of each row's own
using row_of_16 = subjects::tables<planes<4>, 4>;
using row_of_8 = subjects::tables<planes<2, 1>, 3, float>;
using row_of_4 = subjects::tables<planes<2>, 2, bfloat16>;
TEST_CASE_TEMPLATE_INVOKE(linear_map_law, row_of_16, row_of_8, row_of_4);
TEST_CASE_TEMPLATE_INVOKE(dense_map_law, row_of_16, row_of_8, row_of_4);
