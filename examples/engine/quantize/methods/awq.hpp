// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../job/job.hpp"

namespace engine
{
    // To the nearest code, after channels were scaled and weights clipped (arXiv 2306.00978): see layer_balancer.
    struct awq
    {
        static constexpr method_facts facts{.name = "awq",
                                            .about = "columns of large inputs scaled up first, weights clipped",
                                            .looks_at = sight::layers};

        void options(auto&&) {}
        void run(job& j) const
        {
            j.balance_for(j.settings.bits, true);
            j.quantize_to_codes(false);
        }
    };
}
