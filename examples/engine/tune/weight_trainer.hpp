// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../quantize/quantize_model.hpp"
#include <span>
#include <vector>

namespace engine
{
    // Quantization-aware training: the linear weights of the whole model learn, by the cross-entropy of the calibration
    // text read through the quantized weights; ranges are those of the weights as they become, slopes pass straight
    // through. With several widths the Matryoshka objective (arXiv 2502.06786, QAT base). m: the dense model. Gives the
    // parents of the layers' matrices, in the order of the table.
    std::vector<jackplane::any_packed> train_weights(model const& m, quantize_settings const& s,
                                                     std::vector<width_report>* report = nullptr,
                                                     jackplane::progress const& tell = {});

    // The codes of a quantized model stay, the scales learn, each as a part of what it is, by the cross-entropy of the
    // calibration text: EfficientQAT's second phase (arXiv 2407.11062). One width: the scales of the parents. Several:
    // each width gets scales of its own. m: its layers are parents of 8 bits.
    void train_scales(packed_model& m, quantize_settings const& s, std::vector<width_report>* report = nullptr,
                      jackplane::progress const& tell = {});
}
