// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../job/job.hpp"

namespace engine
{
    // The weights themselves learn, all at once, from the cross-entropy of the calibration text: see train_weights.
    struct qat
    {
        static constexpr method_facts facts =
            learner("qat", "weights learn, all at once", "3e-4, in units of the weights", sight::model);
        // Its rate: in units of the weights; by default 3e-4. More steps overfit a short text:
        // examples/results/one_width.md.
        tuning_settings tuning{.steps = 40};

        void options(auto&& to)
        {
            width_options(to, tuning);
            training_options(to, tuning);
        }
        void check(auto&&, auto&& refuse) const
        {
            check_lambdas(tuning.widths, tuning.lambdas, tuning.teacher, refuse);
        }
        void run(job& j) const;
    };
}
