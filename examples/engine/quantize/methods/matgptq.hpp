// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../job/job.hpp"

namespace engine
{
    // GPTQ with codes of 8 bits, each the best for what it means at several widths (arXiv 2602.03537).
    struct matgptq
    {
        static constexpr method_facts facts =
            compensating("matgptq", "as gptq, each code of 8 bits the best for several --widths", true);
        std::vector<unsigned> widths{2, 3, 4, 5, 6, 8};
        std::vector<float> lambdas{}; // weights of the widths' errors; none: all the same
        bool search_scale = false;

        void options(auto&& to)
        {
            to(option_of::widths, widths);
            to(option_of::lambdas, lambdas);
            to(option_of::search_scale, search_scale);
        }
        void check(auto&&, auto&& refuse) const { check_lambdas(widths, lambdas, 0, refuse); }
        void run(job& j) const;
    };
}
