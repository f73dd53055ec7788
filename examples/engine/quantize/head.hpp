// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "quantize_model.hpp"

namespace engine
{
    // The output head of a model whose layers are quantized, dense until now, becomes a parent of 8 bits, each weight
    // to the nearest code: lm_head, or the embedding where they are tied (one matrix, then, for its rows and for the
    // product). Whatever learned before saw a dense head. Throws value_error that names tensor, row, column.
    void quantize_head(packed_model& m, scheme range, jackplane::group group);
}
