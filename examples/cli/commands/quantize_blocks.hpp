// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../../engine/quantize/blocks/types.hpp"
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
        engine::block_types types_of(engine::config const& sizes, std::vector<engine::block_matrix>& given) const;
        std::uint64_t bytes_of_layers(engine::parameter_table const& table, engine::block_types const& types) const;
        std::vector<std::uint32_t> numbers_of_types() const;
        void measure(engine::model_source const& source, engine::block_types& types,
                     engine::quantize_settings& settings) const;
        void add_head(engine::model_source const& source, engine::block_types const& types,
                      std::vector<std::vector<float>> const& importance, std::vector<engine::block_matrix>& to) const;
    };
}
