// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/progress.hpp>
#include "calibration.hpp"
#include "packed_model.hpp"
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace llama
{
    enum class method
    {
        rtn, // scales from the range of the group, weights to the nearest code
        mse, // scales by a search for the least squared error
        gptq // scales as rtn; each weight makes up for the errors before it, as the calibration text weighs them
    };
    enum class scheme
    {
        symmetric,  // absmax
        asymmetric, // minmax with an integer zero
        full_range  // signed scales
    };

    struct quantize_settings
    {
        method how = method::rtn;
        scheme range = scheme::asymmetric;
        jackplane::group group{64};
        slice_rule slice{};
        unsigned bits = 8;            // of the parent; 8 in eight planes, 4 or 2 in one
        bool include_lm_head = false; // an untied one; to the nearest code whatever the method
        calibration_text calibration{}; // for gptq
        bool by_activation = false;     // gptq: columns of large inputs first
        bool search_scale = false;      // gptq: scales as mse
    };

    struct tensor_report
    {
        std::string name;
        std::size_t rows, cols;
        double relative_error; // |w^ - w| / |w| at the parent's width, Frobenius norms
    };

    // Quantizes the linear layers of a Hugging Face folder, one layer in memory at a time. gptq looks at what the part
    // of the model before a matrix, quantized already, makes of the calibration text. Throws value_error that names
    // tensor, row and column.
    packed_model quantize_model(std::filesystem::path const& folder, quantize_settings const& s,
                                std::vector<tensor_report>* report = nullptr, jackplane::progress const& tell = {});
}
