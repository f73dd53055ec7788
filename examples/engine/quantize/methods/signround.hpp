// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../../pack/nested_model.hpp"
#include "../job/origin.hpp"

namespace engine
{
    // Learned rounding and clipping: the output of each layer is fitted to that in the dense model (arXiv 2309.05516).
    struct signround
    {
        static constexpr method_facts facts =
            with_blocks(learner("signround", "rounding and clipping are learned, layer by layer",
                                "1/iters, in steps of the codes"));
        static constexpr effort efforts[]{{"light", 50, 15, 128, 5e-3f, 5e-3f}, // AutoRound's (its documentation)
                                          {"best", 1000, 300, 512, 2e-3f, 1e-3f}};

        // its rate: in steps of the codes; by default 1 / steps
        tuning_settings tuning{.overlap = true};
        // layer_wise: not from the outputs of whole layers but, matrix after matrix, from the Gram matrix of its
        // inputs; from_feedback: then starting at the codes and scales of GPTQ.
        bool layer_wise = false, from_feedback = false;
        // Of the same model: its codes, cut to the first width, stay, with their scales and groups; the other
        // widths are tuned inside their cells.
        given_model inside{};

        void options(auto&& to)
        {
            layer_options(to, tuning);
            to(option_of::reach, tuning.reach);
            to(option_of::no_clipping, tuning.learn_clipping);
            to(option_of::own_range, tuning.own_range);
            to(option_of::no_overlap, tuning.overlap);
            to(option_of::search_scale, tuning.search_scale);
            to(option_of::inside, inside);
            to(option_of::layer_wise, layer_wise);
            to(option_of::from_feedback, from_feedback);
        }
        void options_in_blocks(auto&& to)
        {
            training_options(to, tuning);
            block_options(to, tuning);
        }
        void check(auto&& given, auto&& refuse) const
        {
            struct pair
            {
                char const *name, *beside, *why; // unread beside the other
            };
            static constexpr pair pairs[]{
                {"--batch", "--layer-wise", "takes all windows at once"},
                {"--own-range", "--lambda", "gives all widths the range of 8 bits"},
                {"--no-overlap", "--lambda", "lets every code change"},
                {"--no-overlap", "--layer-wise", "always divides the cells of coarser codes"},
                {"--group-size", "--inside", "keeps the groups of that file"},
                {"--own-range", "--inside", "keeps the ranges of that file"},
                {"--no-clipping", "--inside", "keeps the ranges of that file"},
                {"--mse", "--inside", "keeps the ranges of that file"},
                {"--iters", "--inside", "keeps the first width; --finer-iters are of the others"}};
            for (auto const& [name, beside, why] : pairs)
                if (given(name) && given(beside))
                    refuse(name, text("has no effect here: ", beside, " ", why));
            check_widths(tuning, given, refuse);
            if (given("--no-overlap") && (tuning.widths.front() != 2 || tuning.widths.back() == 2))
                refuse("--no-overlap", "has no effect here: --widths do not begin at 2 bits and go on");
        }
        bool keeps_codes() const { return !inside.name.empty(); }
        void expect_possible(quantize_settings const& s, bool beside) const;
        void run(job& j) const;
    };
}
