// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../../engine/measure/calibration.hpp"
#include "../../engine/read/model_files.hpp"
#include "../text_file.hpp"
#include "../warn.hpp"
#include <CLI/CLI.hpp>
#include <jackplane/store/npy.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace cli
{
    inline void warn_of_window(engine::config const& sizes, std::size_t window, std::string const& model)
    {
        if (window > sizes.context)
            warn(engine::text(model, " was made for texts of ", sizes.context, " tokens, not of ", window));
    }

    // Windows of a text that a model is looked at with: --calibration, --nsamples, --seqlen, --seed.
    struct calibration_choice
    {
        std::string file{};
        std::size_t samples = 128, length = 0;
        std::uint64_t seed = 0;
        CLI::Option *file_option = nullptr, *samples_option = nullptr;

        void add_to(CLI::App& app, std::string const& needed_by, std::string const& seeds)
        {
            file_option = app.add_option("--calibration", file, needed_by + "a text file, or a .npy file of tokens")
                              ->check(CLI::ExistingFile);
            samples_option = app.add_option("--nsamples", samples, "windows of the calibration text")
                                 ->check(CLI::Range(1, 1 << 20))
                                 ->capture_default_str();
            app.add_option("--seqlen", length, "tokens of one window; default: the model's context, at most 2048")
                ->check(CLI::Range(2, 1 << 20));
            app.add_option("--seed", seed, "which windows are drawn" + seeds)->capture_default_str();
        }

        engine::calibration_text read(std::filesystem::path const& folder)
        {
            engine::config const sizes = engine::config_of(folder);
            std::size_t const window = engine::window_of(sizes, length, folder.string());
            if (tokens.empty() && file.ends_with(".npy"))
                tokens = jackplane::npy::read_tokens(file);
            else if (tokens.empty())
            {
                auto const words = engine::tokenizer_of(folder);
                JACKPLANE_EXPECTS(words, jackplane::format_error, folder.string(),
                                  ": neither tokenizer.model nor tokenizer.json to read a text with; a .npy file holds "
                                  "tokens");
                tokens = words->encode_from_start(read_text(file));
            }
            engine::expect_tokens(tokens, {}, sizes, file);
            JACKPLANE_EXPECTS(tokens.size() >= window, jackplane::shape_error, file, ": ", tokens.size(),
                              " tokens, fewer than one sample of ", window, "; --seqlen takes shorter ones");
            auto windows = engine::calibration_text::of(tokens, samples, window, seed, file);
            warn_of_window(sizes, window, folder.string());
            return windows;
        }

        std::vector<engine::token> tokens{}; // of all the text: a pipe can be read once
    };
}
