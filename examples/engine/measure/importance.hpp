// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/progress.hpp>
#include <jackplane/core/team.hpp>
#include <jackplane/store/gguf/imatrix.hpp>
#include "../read/source.hpp"
#include "calibration.hpp"

namespace engine
{
    // What llama.cpp's quantizer weighs the columns of a matrix by: the sums over all tokens of the text of the squared
    // inputs of each linear layer in the dense model, by the matrices' names in a GGUF file (describe/gguf/layout.hpp);
    // of experts one sum each, over the tokens that go to it. The matrix that makes logits is among them, as
    // "output.weight" or, where it is the embedding, "token_embd.weight". Reads a layer at a time.
    jackplane::gguf::importance_matrix importance_of(model_source const& source, calibration_text const& text,
                                                     jackplane::progress const& progress = {},
                                                     jackplane::team const& workers = jackplane::team{});
}
