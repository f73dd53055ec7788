// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../job/origin.hpp"

namespace engine
{
    // The weights and scales of a layer learn, from its output in the dense model; then all scales, end to end (arXiv
    // 2407.11062). One width.
    struct efficientqat
    {
        static constexpr method_facts facts = []
        {
            method_facts f = learner("efficientqat", "weights and scales learn, layer by layer",
                                           "1e-3, in units of the weights");
            f.scale_steps = 60;
            return f;
        }();
        tuning_settings tuning{}; // its rate: in units of the weights (and scales ten times that, in parts of
                                  // themselves); by default 1e-3

        void options(auto&& to)
        {
            to(option_of::widths, tuning.widths);
            training_options(to, tuning);
            block_options(to, tuning);
        }
        void check(auto&&, auto&& refuse) const
        {
            if (tuning.widths.size() != 1)
                refuse("--widths",
                       text(facts.name, " learns one width, not ", tuning.widths.size(), "; name it, as --widths 3"));
        }
        void expect_possible(quantize_settings const&, bool) const
        {
            JACKPLANE_EXPECTS(tuning.widths.size() == 1, jackplane::width_error, "EfficientQAT learns one width, not ",
                              tuning.widths.size());
        }
        void run(job& j) const
        {
            float const first = tuning.rate_or(1e-3f);
            j.tune_layers(
                tuning, origin_of(*this, j),
                learning{.groups = learning::of_groups::scale_and_zero, // scales learn as a part of what they are
                         .what = jackplane::learns::weights,
                         .clip_rate = 10,
                         .step = {jackplane::adam{}},
                         .rate = [=](std::size_t steps) {
                             return jackplane::cosine{first, steps, first / 20};
                         }});
        }
    };
}
