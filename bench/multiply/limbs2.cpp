// SPDX-License-Identifier: BSD-3-Clause
#include "activations.hpp"
#include "ours.hpp"

void bench::add_limbs2(options const& o, shape s) { add_layouts<jackplane::limbs<2>>(o, "limbs2", s); }
