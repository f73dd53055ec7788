// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../job/job.hpp"

namespace engine
{
    // Scales from the range of the group, weights to the nearest code.
    struct rtn
    {
        static constexpr method_facts facts{.name = "rtn", .about = "round to nearest", .blocks = block_scales::usual};

        void options(auto&&) {}
        void options_in_blocks(auto&&) {}
        void run(job& j) const { j.quantize_to_codes(false); }
    };
}
