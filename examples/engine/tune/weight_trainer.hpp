// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/progress.hpp>
#include "../keep/kept_runs.hpp"
#include "../keep/run_origin.hpp"
#include "../measure/calibration.hpp"
#include "../pack/packed_model.hpp"
#include "settings.hpp"

namespace engine
{
    // What a run over the whole model learns from, where it is kept (origin: of all that decides it, but for the
    // model), and who hears of it.
    struct training_run
    {
        calibration_text const& text;
        run_origin origin;
        kept_runs kept{};
        jackplane::progress tell{};
    };

    // Quantization-aware training: the linear weights of the whole model learn, by the cross-entropy of the calibration
    // text read through the quantized weights; ranges are those of the weights as they become, slopes pass straight
    // through. With several widths the Matryoshka objective (arXiv 2502.06786, QAT base). m: the dense model. Gives the
    // parents of the layers' matrices, in the order of the table.
    tuned_matrices train_weights(model const& m, code_settings const& codes, tuning_settings const& t,
                                 training_run const& run);

    // The codes of a quantized model stay, the scales learn, each as a part of what it is, by the cross-entropy of the
    // calibration text: EfficientQAT's second phase (arXiv 2407.11062). One width: the scales of the parents. Several:
    // each width gets scales of its own. m: its layers are parents of 8 bits, with scales of this scheme.
    width_reports train_scales(packed_model& m, scheme range, scale_settings const& t, training_run const& run);
}
