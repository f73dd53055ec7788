// SPDX-License-Identifier: BSD-3-Clause
#include "activations.hpp"
#include "ours.hpp"

void bench::add_limbs1(options const& o, shape s) { add_layouts<jackplane::limbs<1>>(o, "limbs1", s); }
