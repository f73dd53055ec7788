// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../../engine/quantize/quantize_model.hpp"
#include "../options/blocks.hpp"
#include "../options/calibration.hpp"
#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <string_view>
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
        bool dense_head, no_resume, json, quiet;

        // Throws ValidationError, RequiredError for options that nothing would read or that are missing.
        void check(CLI::App const& command) const;
        void run(); // writes the file and reports on it

        struct tensor_line
        {
            std::string name;
            std::string_view type;
            std::size_t rows, cols, bytes;
            double relative_error; // |w^ - w| / |w|, Frobenius norms
        };
        struct made_file // what is told of it
        {
            engine::block_types types;
            std::vector<tensor_line> tensors; // of the layers
            engine::width_reports learned;
            std::size_t bytes;
            double seconds;
        };

    private:
        void tell(made_file const& file) const;
        engine::quantize_settings settings_of(engine::model_source const& source, engine::block_types& types) const;
        void add_head(engine::model_source const& source, engine::block_types const& types,
                      std::vector<std::vector<float>> const& importance, std::vector<engine::block_matrix>& to) const;
    };
}
