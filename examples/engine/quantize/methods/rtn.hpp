// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../job/job.hpp"

namespace engine
{
    // Scales from the range of the group, weights to the nearest code.
    struct rtn
    {
        static constexpr method_facts facts{.name = "rtn", .about = "round to nearest"};

        void options(auto&&) {}
        void run(job& j) const { j.quantize_to_codes(false); }
    };
}
