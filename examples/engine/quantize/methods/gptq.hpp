// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../job/job.hpp"

namespace engine
{
    // Scales from the range of the group; each column makes up for the errors of those before it, by the Gram matrix of
    // the inputs (arXiv 2210.17323).
    struct gptq
    {
        static constexpr method_facts facts =
            with_blocks(compensating("gptq", "each weight makes up for the errors before it"));
        bool by_activation = false; // columns of large inputs first
        bool search_scale = false;

        void options(auto&& to)
        {
            to(option_of::search_scale, search_scale);
            to(option_of::by_activation, by_activation);
        }
        void options_in_blocks(auto&& to) { to(option_of::by_activation, by_activation); }
        void run(job& j) const
        {
            jackplane::feedback_options const feedback{.by_activation = by_activation};
            j.balance_for(j.settings.bits);
            j.quantize_to_codes(search_scale, &feedback);
        }
    };
}
