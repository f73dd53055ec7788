// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <vector>
#include "tunable.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // One width of the sum that is minimized.
    struct objective_term
    {
        unsigned bits;
        float weight = 1;     // lambda; 0: this width is not read
        unsigned teacher = 0; // the width that it is distilled from (co-distillation); 0: the loss's own target
    };

    // The Matryoshka objective: sum over widths of lambda_r times the loss of the weights as `rule` reads them there
    // (Nair et al., "Matryoshka Quantization", arXiv 2502.06786, eq. 7). One term alone: a matrix for one width, or, of
    // fewer bits than its codes, Single-Precision MatQuant. A term with a teacher is co-distillation (section 5.2): the
    // teacher is held fixed in each step; the loss must be a teachable_loss.
    template <slice Slice = truncate_centred>
    struct objective
    {
        std::vector<objective_term> terms;
        Slice rule{};
    };
    template <slice Slice>
    objective(std::vector<objective_term>, Slice) -> objective<Slice>;

    // That width alone.
    inline objective<> one_width(unsigned bits) { return {{{bits, 1}}, {}}; }
}
