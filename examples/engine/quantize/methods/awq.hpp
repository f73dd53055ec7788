// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../job.hpp"

namespace engine
{
    // To the nearest code, after columns and what makes their inputs were balanced and weights clipped: see
    // layer_balancer.
    struct awq
    {
        static constexpr method_facts facts{
            .name = "awq", .about = "columns of large inputs scaled up first", .looks_at = sight::layers};

        void options(auto&&) {}
        void run(job& j) const
        {
            j.balance_for(j.settings.bits, true);
            j.quantize_to_codes(false);
        }
    };
}
