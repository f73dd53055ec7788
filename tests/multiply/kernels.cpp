// SPDX-License-Identifier: BSD-3-Clause
// The kernels of best_arch: arch.cmake compiles this once for every arch. Formats are few, and narrow where they can be:
// each width of each is machine code of its own.
#include "laws/kernel.hpp"

using namespace jackplane;
using laws::format;
using laws::seat;

// One-bit planes have every width; the others, every way to merge planes, and with more limbs every width of fields.
template <class How, unsigned... W>
using codes = seat<format<planes<W...>>, How>; // scales in half, zeros in bytes
TEST_CASE_TEMPLATE_INVOKE(kernel_law, codes<limbs<1>, 1, 1, 1, 1, 1, 1, 1, 1>, codes<exact, 1, 1, 1, 1, 1, 1, 1, 1>,
                          codes<limbs<2>, 2, 2, 2, 2>, codes<limbs<3>, 4, 4>, codes<limbs<1>, 2, 2, 4>,
                          codes<limbs<2>, 8>, codes<limbs<3>, 2>);

// Zeros in half or none; scales in float and bfloat16; planes that do not merge; tables.
using real_zeros = format<planes<4>, float, half>;
using no_zeros = format<planes<4>, bfloat16, no_zero>;
using unaligned = format<planes<1, 2, 4>, float, no_zero>;
using normal_float = format<planes<4>, half, no_zero, nf4>;
using small_float = format<planes<2, 2>, half, half, fp4>;
TEST_CASE_TEMPLATE_INVOKE(kernel_law, seat<real_zeros, limbs<1>>, seat<real_zeros, limbs<3>>, seat<no_zeros, limbs<2>>,
                          seat<no_zeros, exact>, seat<unaligned, limbs<1>>, seat<normal_float, limbs<1>>,
                          seat<normal_float, exact>, seat<small_float, limbs<1>>, seat<small_float, limbs<3>>);
