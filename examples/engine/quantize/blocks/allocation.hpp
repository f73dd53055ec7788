// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/progress.hpp>
#include "../../measure/calibration.hpp"
#include "../../read/model.hpp"
#include <cstdint>
#include <span>
#include <vector>

namespace engine
{
    // A type for each matrix of the layers: of all choices with at most `average` bits a weight, that of least loss.
    // The Post-quantization Integral predicts the losses, once for each type, with all matrices in it. Matrices of one
    // tensor of a GGUF file share a type. Rows that are no whole number of blocks take type_for's. importance: of each
    // matrix, or none. Throws value_error where the smallest types need more.
    std::vector<std::uint32_t> allocate_types(model const& dense, std::span<std::uint32_t const> types, double average,
                                              std::span<std::vector<float> const> importance,
                                              calibration_text const& text, jackplane::progress const& tell);
}
