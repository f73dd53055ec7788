// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <functional>
#include <vector>
#include "target.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // Where a long run stands, in plain numbers that are easy to store.
    struct run_state
    {
        std::size_t steps = 0; // that are done
        std::vector<double> numbers;
        std::vector<std::vector<float>> arrays;
    };

    // How a run is kept: `save` is told where it stands every so many steps. A run with the same arguments that goes on
    // `from` there ends the same, bit for bit.
    struct checkpoint
    {
        std::size_t every = 0; // steps; 0: never
        std::function<void(run_state const&)> save{};
        run_state const* from = nullptr; // none, or of no steps: from the beginning

        std::size_t done() const noexcept { return from ? from->steps : 0; }
        // Whether it wants to know, behind so many steps.
        bool due(std::size_t steps) const { return save && every > 0 && steps % every == 0; }
    };
}
