// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../pack/packed_model.hpp"
#include "../read/source.hpp"
#include "methods.hpp"
#include "settings.hpp"
#include <optional>

namespace engine
{
    struct quantize_result
    {
        packed_model packed;                // without layers where the settings name blocks
        std::vector<block_matrix> blocks{}; // of the layers, in place of planes
        std::optional<model> balanced{};    // the weights that were quantized, where they are not those of the source
        width_reports losses{};             // of methods that learn: of each layer and width, then of the scales
    };

    // The width that matters most.
    unsigned narrowest(any_method const& how, quantize_settings const& s);
    // Whether a calibration text is read.
    bool needs_calibration(method_facts const& of, quantize_settings const& s);
    // Whether weights may stand beside the planes before the others are quantized.
    bool may_leave(any_method const& how);
    // Throws where what is asked, known without a look at any weight, cannot be done. beside: weights stand beside the
    // planes, which ones may be open yet.
    void expect_possible(any_method const& how, quantize_settings const& s, bool beside);

    // Quantizes the linear layers of a dense model, one layer in memory at a time where the method looks at no more.
    // The output head stays dense (quantize_head).
    // Methods that look at layers see what the part of the model before a matrix, quantized already, makes of the
    // calibration text. Throws value_error that names tensor, row, column.
    quantize_result quantize(model_source const& source, any_method const& how, quantize_settings const& s = {},
                             run_options const& run = {});
}
