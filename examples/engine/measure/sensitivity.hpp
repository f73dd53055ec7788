// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/progress.hpp>
#include <jackplane/integrate/integrate.hpp>
#include "calibration.hpp"
#include "loss.hpp"
#include "../keep/kept_runs.hpp"
#include "../read/model.hpp"
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace engine
{
    // What quantizing some weights costs, and what each estimate says that it costs: change of the loss on the
    // calibration text, nats a token.
    struct change_estimates
    {
        std::string name;
        double actual = 0; // these weights alone quantized; forward passes in fp64
        double pqi = 0;    // their share of the Post-quantization Integral, along the path of all weights
        double first_order = 0, second_order_hessian = 0;
        double second_order_fisher_token = 0, second_order_fisher_sequence = 0, second_order_fisher_mean = 0;
    };

    // As the tool's JSON names them.
    inline constexpr std::pair<char const*, double change_estimates::*> estimates[]{
        {"actual", &change_estimates::actual},
        {"pqi", &change_estimates::pqi},
        {"first_order", &change_estimates::first_order},
        {"second_order_hessian", &change_estimates::second_order_hessian},
        {"second_order_fisher_token", &change_estimates::second_order_fisher_token},
        {"second_order_fisher_sequence", &change_estimates::second_order_fisher_sequence},
        {"second_order_fisher_mean", &change_estimates::second_order_fisher_mean}};

    struct sensitivity_settings
    {
        calibration_text calibration{};
        std::string rule = "gauss";      // or another of rule_names()
        std::size_t intervals = 4;       // points of gauss
        float path = 1;                  // lambda: so far towards the quantized weights
        bool each_sample = false;        // magnitudes are those of each sequence
        bool parts_alone = true;         // `actual` of each matrix and block; else of the total only
        bool taylor = true;              // the other estimates
        std::size_t fisher_tokens = 160; // that are looked at one by one; spread over the text
        kept_runs kept{};                // killed integrals go on from there
    };

    struct sensitivity_result
    {
        change_estimates total;
        std::vector<change_estimates> matrices; // of the layers, in the order of the table
        std::vector<change_estimates> blocks;   // the matrices of a decoder layer together
        jackplane::sensitivity integral;        // of their weights
    };

    std::vector<std::string> const& rule_names();
    void expect_rule(sensitivity_settings const& s); // throws where the rule cannot be taken like that

    // quantized: the same model with other linear weights (packed_model::decode); those of its layers: an lm_head
    // stays dense. Throws value_error when its norms differ (balanced models), for an unknown rule, and as integrate
    // does.
    sensitivity_result measure_sensitivity(model const& dense, model const& quantized, sensitivity_settings const& s,
                                           jackplane::progress const& tell = {});

    // The integral along the path between these tuned weights, by the rule of the settings.
    jackplane::sensitivity integrate_path(language_model_loss& loss, std::span<float const> w,
                                          std::span<float const> to, sensitivity_settings const& s,
                                          jackplane::integrate_options options);

    // Mean of -log p(token | those before it in its window), nats, of a model with these tuned weights; in fp64.
    double loss_in_double(model const& m, std::span<float const> tuned, calibration_text const& text,
                          jackplane::team const& workers);
}
