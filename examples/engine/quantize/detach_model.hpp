// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/progress.hpp>
#include "quantize_model.hpp"
#include "../measure/sensitivity.hpp"
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace engine
{
    // Which weights of a model stand beside the planes, and as what. ReQuant (arXiv 2503.01901) is outliers by
    // "adaptive" and significant weights by "pqi", restored.
    struct detach_settings
    {
        double outliers = 0;    // percent of the layers' weights that leave before the others are quantized
        double significant = 0; // percent that come back after it, or, if asked, leave before it, too
        // adaptive: those of the largest magnitude of each matrix, so many as its sensitivity earns it; even: the same
        // part of each; interquartile: SqueezeLLM's; random
        std::string outlier_rule = "adaptive";
        // pqi: the magnitude of their share of the change of the loss; rise: only what makes it larger; fisher: of
        // SqueezeLLM's estimate of it; magnitude: of the weight; random; pursuit: by what the output of a matrix gains;
        // information: SqueezeLLM's, which always leave before
        std::string score = "pqi";
        // Before the others are quantized, chosen by what the nearest codes would make of them: what the method learns
        // then makes up for what is there, not for errors that are taken out again.
        bool before = false;
        bool fit = false;      // to values that make up for the errors of the others, not to what they were
        std::size_t steps = 2; // significant weights are chosen in so many, each by what is left (pqi, rise)
        unsigned bits = 0;     // the width whose damage counts
        std::uint64_t seed = 0;
        // Its rule, intervals and each_sample; its text is what Fisher's estimate is of, too; none: the quantizer's.
        sensitivity_settings integral{};
        calibration_text validation{}; // a layer's fitted part stays only if the loss of this text falls
    };

    struct detach_report
    {
        std::size_t outliers = 0, significant = 0; // weights
        double exponent = 0;                       // of the sensitivity, in how outliers are shared out; adaptive
        std::vector<std::size_t> refused{};        // layers whose fitted part did not help
        unsigned fitted_for = 0;                   // the width that values are fitted for; 0: they are what they were
    };

    struct detach_result : quantize_result
    {
        detach_report sparse{};
    };

    // Throws where what is asked, known without a look at any weight, cannot be done.
    void expect_possible(any_method const& how, quantize_settings const& s, detach_settings const& d);

    // quantize(), with a sparse part. Throws value_error for unknown rules, and where weights shall be fitted without a
    // validation text; and as count_of, integrate and quantize do.
    detach_result quantize_and_detach(model_source const& source, any_method const& how, quantize_settings const& s,
                                      detach_settings const& d, run_options const& run = {});

    std::vector<std::string> outlier_rule_names();
    std::vector<std::string> weight_score_names();
}
