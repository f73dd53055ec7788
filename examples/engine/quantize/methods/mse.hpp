// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../job/job.hpp"

namespace engine
{
    // Scales by a search for the least squared error.
    struct mse
    {
        static constexpr method_facts facts{
            .name = "mse", .about = "search the scale of least error", .blocks = block_scales::searched};

        void options(auto&&) {}
        void options_in_blocks(auto&&) {}
        void run(job& j) const { j.quantize_to_codes(true); }
    };
}
