// SPDX-License-Identifier: BSD-3-Clause
#include "activations.hpp"
#include "ours.hpp"

void bench::add_bf16(options const& o, shape s) { add_layouts<jackplane::bf16>(o, "bf16", s); }
