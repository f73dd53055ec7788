// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../llama/packed_model.hpp"
#include "../llama/sensitivity.hpp"
#include <CLI/CLI.hpp>
#include <jackplane/core/check.hpp>
#include <string>

namespace cli
{
    // How the Post-quantization Integral is taken: --rule, --intervals, --each-sample.
    inline void add_integral(CLI::App& app, llama::sensitivity_settings& s)
    {
        app.add_option("--rule", s.rule, "how the integral is taken")
            ->check(CLI::IsMember(llama::rule_names()))
            ->capture_default_str();
        app.add_option("--intervals", s.intervals, "of the rule; points of gauss; adaptive: at first")
            ->check(CLI::Range(1, 1024))
            ->capture_default_str();
        app.add_flag("--each-sample", s.each_sample,
                     "a weight's change is the mean magnitude of each window's changes, not the change of their mean");
    }

    // The weights that a quantized file was made from. Throws shape_error where the folder's model has other sizes.
    inline llama::model load_dense(std::string const& folder, llama::packed_model const& packed,
                                   std::string const& quantized)
    {
        llama::model dense = llama::load_model(folder);
        JACKPLANE_EXPECTS(dense.w.size() == packed.table.size() && dense.sizes.layers == packed.sizes.layers,
                          jackplane::shape_error, quantized, " is a model of ", packed.table.size(), " weights in ",
                          packed.sizes.layers, " layers, ", folder, " one of ", dense.w.size(), " in ",
                          dense.sizes.layers);
        return dense;
    }
}
