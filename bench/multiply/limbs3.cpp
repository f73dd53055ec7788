// SPDX-License-Identifier: BSD-3-Clause
#include "activations.hpp"
#include "ours.hpp"

void bench::add_limbs3(options const& o, shape s) { add_layouts<jackplane::limbs<3>>(o, "limbs3", s); }
