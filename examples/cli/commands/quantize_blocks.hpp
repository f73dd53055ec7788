// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../../engine/quantize/quantize_model.hpp"
#include "../options/blocks.hpp"
#include "../options/calibration.hpp"
#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace cli
{
    // `quantize --format gguf`, with its options.
    struct block_command
    {
        std::string const &model, &output;
        engine::any_method const& how;
        block_choice const& blocks;
        calibration_choice& calibration;
        bool dense_head, json, quiet;

        // Throws ValidationError, RequiredError for options that nothing would read or that are missing.
        void check(CLI::App const& command) const;
        void run(); // writes the file and reports on it

    private:
        engine::quantize_settings settings_of(engine::model_source const& source, engine::block_types& types) const;
        void add_head(engine::model_source const& source, engine::block_types const& types,
                      std::vector<engine::block_matrix>& to) const;
    };
}
