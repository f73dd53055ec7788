// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <functional>
#include <vector>
#include "target.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // The state of a long run, in plain numbers that are easy to store.
    struct run_state
    {
        std::size_t steps = 0; // done
        std::vector<double> numbers;
        std::vector<std::vector<float>> arrays;
    };

    // How a run is stored: `save` gets its state every so many steps. A run with the same arguments that resumes `from`
    // that state ends the same, bit for bit.
    struct checkpoint
    {
        std::size_t every = 0; // steps; 0: never
        std::function<void(run_state const&)> save{};
        run_state const* from = nullptr; // none, or of no steps: from the beginning

        std::size_t done() const noexcept { return from ? from->steps : 0; }
        // Whether `save` is due after so many steps.
        bool due(std::size_t steps) const { return save && every > 0 && steps % every == 0; }
    };
}
