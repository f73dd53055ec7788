// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../job/origin.hpp"

namespace engine
{
    // GPTQ coarse to fine: the finer bits, inside the cells of the coarser ones, make up for errors, too.
    struct nested_gptq
    {
        static constexpr method_facts facts = learner("nested-gptq", "gptq at --widths, coarse to fine");
        tuning_settings tuning{};

        void options(auto&& to)
        {
            to(option_of::widths, tuning.widths);
            to(option_of::own_range, tuning.own_range);
            to(option_of::search_scale, tuning.search_scale);
        }
        void run(job& j) const { j.tune_layers(tuning, origin_of(*this, j), matrix_learning{.feedback = true}); }
    };
}
