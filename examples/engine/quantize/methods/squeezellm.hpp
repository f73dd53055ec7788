// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../job/job.hpp"

namespace engine
{
    // A table of values for each row, by k-means with the squared gradients of the calibration text (the Fisher
    // information) as importance (arXiv 2306.07629). 2, 3 or 4 bits.
    struct squeezellm
    {
        static constexpr method_facts facts{.name = "squeezellm",
                                            .about = "values of each row's own, for --bits 4, 3 or 2",
                                            .looks_at = sight::model,
                                            .scales = false,
                                            .unread = "no gradient tells its weights apart, and they count alike for "
                                                      "the values of their rows"};

        void options(auto&&) {}
        void expect_possible(quantize_settings const& s, bool) const
        {
            JACKPLANE_EXPECTS(2 <= s.bits && s.bits <= 4, jackplane::width_error,
                              "values of each row's own are for 4, 3 or 2 bits (--bits), not ", s.bits);
        }
        void run(job& j) const;
    };
}
