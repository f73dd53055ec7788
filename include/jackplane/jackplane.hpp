// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// Everything, in the order of the data's way. store/ (files; needs nlohmann-json) and core/tensor.hpp (xtensor) are
// included separately.
#include "core/version.hpp"              // the number of this version
#include "core/concepts.hpp"             // every concept of the library, on one page
#include "core/view.hpp"                 // matrix_view: what functions take; aligned_vector: what owners hold
#include "core/parallel.hpp"             // how work is split over threads
#include "core/team.hpp"                 // threads that stay from one product to the next
#include "core/progress.hpp"             // how long jobs report their progress
#include "core/checkpoint.hpp"           // how they resume where they were killed
#include "quantize/quantize.hpp"         // weights -> codes: codebook, scale, group, rounding, sweep
#include "quantize/overlapping.hpp"      // the codebook of parents whose finer codes reach beyond the cells of 2 bits
#include "quantize/row_table.hpp"        // a table of values for each row
#include "quantize/slice.hpp"            // what a code means at a narrower width
#include "quantize/refine.hpp"           // more bits inside the cells of fewer
#include "quantize/levels.hpp"           // codes by scales that are given
#include "loss/layer.hpp"                // the squared error of a quantized layer over its calibration inputs
#include "loss/pinned.hpp"               // a few weights stay fixed while the others are tuned
#include "loss/difference.hpp"           // checks a gradient
#include "tune/tune.hpp"                 // learned rounding and clipping, for one width or several
#include "tune/tunable_codes.hpp"        // learned rounding by scales that are given
#include "integrate/integrate.hpp"       // what quantizing each weight adds to a loss
#include "integrate/taylor.hpp"          // the same from gradient and curvature at the weights (Taylor)
#include "allocate/allocate.hpp"         // which width for which layer
#include "pack/pack.hpp"                 // codes -> bit planes, and their prefixes
#include "pack/contiguous.hpp"           // a copy of what a view of columns shows
#include "pack/row.hpp"                  // one row of them, decoded
#include "pack/row_cache.hpp"            // planes that grow by a row at a time: keys
#include "pack/column_cache.hpp"         // the same by columns: values
#include "pack/any_packed.hpp"           // a packed matrix whose format is known at run time
#include "recipes.hpp"                   // common formats by name
#include "detach/choose.hpp"             // the weights that matter most, by some score
#include "detach/detach.hpp"             // the few weights that matter, in a sparse part
#include "detach/outliers.hpp"           // how many outliers each matrix may have
#include "detach/pursuit.hpp"            // a sparse part fitted to the errors of the others
#include "multiply/activation/limbs.hpp" // x as integers: 1, 2 or 3 bytes of each
#include "multiply/activation/bf16.hpp"  // x as bfloat16
#include "multiply/multiply.hpp"         // planes times vectors
#include "multiply/columns.hpp"          // sums of cached columns by weights
#include "multiply/sparse.hpp"           // csr times vectors
#include "multiply/dense_sparse.hpp"     // both in one map
#include "multiply/any.hpp"              // the same for any_packed and other variants
#include "multiply/jobs.hpp"             // several products in one parallel region
#include "multiply/experts.hpp"          // a layer of experts: gate and up of those that were chosen
