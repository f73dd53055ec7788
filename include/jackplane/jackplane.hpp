// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// Everything, in the order of the data's way. store/ (files; needs nlohmann-json) and core/tensor.hpp (xtensor) are
// included by who wants them.
#include "core/version.hpp"          // the number of this version
#include "core/concepts.hpp"         // every word of the library, on one page
#include "core/view.hpp"             // matrix_view: what functions take; aligned_vector: what owners hold
#include "core/parallel.hpp"         // how work is split over threads
#include "core/team.hpp"             // threads that stay from one product to the next
#include "core/progress.hpp"         // how long jobs tell where they are
#include "core/checkpoint.hpp"       // how they go on where they were killed
#include "quantize/quantize.hpp"     // weights -> codes: codebook, scale, group, rounding, sweep
#include "quantize/row_table.hpp"    // codes that number the values of their own row
#include "quantize/slice.hpp"        // what a code means at a narrower width
#include "quantize/refine.hpp"       // more bits inside the cells of fewer
#include "loss/layer.hpp"            // what a layer loses by quantized weights, from its calibration inputs
#include "loss/pinned.hpp"           // a few weights stay what they are while the others are tuned
#include "loss/difference.hpp"       // whether a gradient is one
#include "tune/tune.hpp"             // learned rounding and clipping, for one width or several
#include "integrate/integrate.hpp"   // what each weight costs a loss, along the way to the quantized ones
#include "integrate/taylor.hpp"      // what slope and curvature at its beginning say of that
#include "allocate/allocate.hpp"     // which width for which layer
#include "pack/pack.hpp"             // codes -> bit planes, and their prefixes
#include "pack/any_packed.hpp"       // a packed matrix whose format only a file knows
#include "recipes.hpp"               // names that people know
#include "detach/choose.hpp"         // the weights that matter most, by some score
#include "detach/detach.hpp"         // the few weights that matter, beside the planes
#include "detach/outliers.hpp"       // how many may leave which matrix
#include "detach/pursuit.hpp"        // which, and what values make up for the errors of the others
#include "multiply/limbs.hpp"        // x as integers: 1, 2 or 3 bytes of each
#include "multiply/bf16.hpp"         // x as bfloat16
#include "multiply/multiply.hpp"     // planes times vectors
#include "multiply/sparse.hpp"       // csr times vectors
#include "multiply/dense_sparse.hpp" // both in one map
#include "multiply/any.hpp"          // the same for any_packed
