// SPDX-License-Identifier: BSD-3-Clause
#include "activations.hpp"
#include "ours.hpp"

void bench::add_brain(options const& o, shape s) { add_layouts<jackplane::brain>(o, "brain", s); }
