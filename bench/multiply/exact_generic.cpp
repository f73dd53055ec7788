// SPDX-License-Identifier: BSD-3-Clause
#include "activations.hpp"
#include "ours.hpp"
#include <jackplane/multiply/arch/batches.hpp>

// The kernels for a machine of which only xsimd knows: what the house's own tags add.
void bench::add_exact_generic(options const& o, shape s)
{
    using generic = jackplane::simd<xsimd::default_arch>;
    add_layout<jackplane::bit_planes, jackplane::uniform<8>, jackplane::exact, generic>(o, "1x8", "exact_generic", s);
}
