// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../../engine/measure/sensitivity.hpp"
#include <CLI/CLI.hpp>

namespace cli
{
    // How the Post-quantization Integral is taken: --rule, --intervals, --each-sample.
    inline void add_integral(CLI::App& app, engine::sensitivity_settings& s)
    {
        app.add_option("--rule", s.rule, "how the integral is taken")
            ->check(CLI::IsMember(engine::rule_names()))
            ->capture_default_str();
        app.add_option("--intervals", s.intervals, "of the rule; points of gauss; adaptive: at first")
            ->check(CLI::Range(1, 1024))
            ->capture_default_str();
        app.add_flag("--each-sample", s.each_sample,
                     "a weight's change is the mean magnitude of each window's changes, not the change of their mean");
    }
}
