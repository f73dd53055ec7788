// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../job/origin.hpp"

namespace engine
{
    // Learned clipping alone (arXiv 2308.13137).
    struct omniquant
    {
        static constexpr method_facts facts =
            learner("omniquant", "clipping alone is learned", "0.01, in logits");
        tuning_settings tuning{}; // its rate: in logits; by default 0.01

        void options(auto&& to)
        {
            layer_options(to, tuning);
        }
        void check(auto&& given, auto&& refuse) const { check_widths(tuning, given, refuse); }
        void run(job& j) const
        {
            auto const rate = [this](std::size_t steps) { return jackplane::constant{tuning.rate_or(0.01f), steps}; };
            j.tune_layers(tuning, origin_of(*this, j),
                          learning{.groups = learning::of_groups::logits_of_range,
                                   .weights_learn = false,
                                   .step = {jackplane::adam{}},
                                   .rate = rate});
        }
    };
}
