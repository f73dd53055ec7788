// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../job/job.hpp"

namespace engine
{
    // Scales by a search for the least squared error.
    struct mse
    {
        static constexpr method_facts facts{.name = "mse", .about = "search the scale of least error"};

        void options(auto&&) {}
        void run(job& j) const { j.quantize_to_codes(true); }
    };
}
