// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/progress.hpp>
#include "../keep/kept_runs.hpp"
#include "../measure/calibration.hpp"
#include "../tune/settings.hpp"
#include <cstddef>
#include <functional>
#include <vector>

namespace engine
{
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
