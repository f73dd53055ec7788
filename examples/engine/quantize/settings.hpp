// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/progress.hpp>
#include "../keep/kept_runs.hpp"
#include "../measure/calibration.hpp"
#include "../read/gguf/block_matrix.hpp"
#include "../tune/settings.hpp"
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace engine
{
    // Matrices in blocks of a GGUF file, in place of planes.
    struct block_settings
    {
        std::vector<std::uint32_t> types{};           // of each matrix of the layers; empty: planes
        std::vector<std::vector<float>> importance{}; // of each: a weight for each column, by which scales are searched
                                                      // (entries of the head and the embedding are not read)
        std::vector<block_matrix> given{};            // of each: scales that stay, codes to start from; empty: none

        bool asked() const noexcept { return !types.empty(); }
    };

    // What is asked of every method; what one method alone reads stands in its own type (methods/).
    struct quantize_settings
    {
        scheme range = scheme::asymmetric;
        jackplane::group group{64};
        slice_rule slice{};
        unsigned bits = 8;              // of the parent; 8 in eight planes, 4 or 2 in one, 3 in two
        bool balance = false;           // of methods that look at layers: see layer_balancer
        calibration_text calibration{}; // for methods that look at activations
        scale_settings scales{};        // learned after the method
        // Of every matrix of the layers: places (row * cols + column, ascending) of weights that stand beside the
        // planes, where these hold 0. Empty: none.
        std::vector<std::vector<std::size_t>> beside{};
        // Of every tuned weight: see information_of. Empty: taken from the calibration text by methods that need it.
        std::vector<float> information{};

        block_settings blocks{};

        code_settings codes() const { return {range, group, slice}; }
    };

    // How a run goes, whatever it makes.
    struct run_options
    {
        jackplane::progress tell{};
        std::function<void(width_report const&)> report{}; // as soon as it is known
        kept_runs kept{};
    };
}
