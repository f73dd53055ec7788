// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../../engine/quantize/blocks/types.hpp"
#include "expect_read.hpp"
#include <CLI/CLI.hpp>
#include <array>
#include <string>
#include <vector>

namespace cli
{
    // Matrices in blocks of a GGUF file in place of planes: --format gguf, and which types.
    struct block_choice
    {
        std::string format = "jack", type{}, recipe{}, head{}, importance{}, scales{};
        std::vector<std::string> types{}; // to choose from
        double average = 0;               // bits a weight

        bool asked() const noexcept { return format == "gguf"; }

        // The type of matrices for which nothing else chooses one.
        std::string usual_type() const { return !type.empty() ? type : !types.empty() ? types.front() : "q8_0"; }

        void add_to(CLI::App& app)
        {
            app.add_option(
                   "--format", format,
                   "jack: a nested file, planes for all widths; gguf: a file that llama.cpp runs, blocks of one "
                   "type (--type), of a mixture (--recipe), of types chosen under a size (--types), or with the "
                   "scales of another file (--scales-of)")
                ->check(CLI::IsMember({"jack", "gguf"}))
                ->capture_default_str();
            auto* const one =
                app.add_option("--type", type,
                               "gguf: the type of all matrices, as q4_k; rows that are no whole number of "
                               "its blocks take the type that llama.cpp takes for them");
            auto* const mixture =
                app.add_option("--recipe", recipe, "gguf: llama.cpp's mixture of that name, as q4_k_m");
            auto* const given =
                app.add_option("--scales-of", scales,
                               "gguf: types and scales of this GGUF file of the same model stay, rounding is made anew")
                    ->check(CLI::ExistingFile);
            auto* const several = app.add_option_function<std::vector<std::string>>(
                "--types", [this](std::vector<std::string> const& all) { split(all); },
                "gguf: types to choose from, one for each matrix, with --average; those of least loss, as the "
                "Post-quantization Integral predicts it");
            app.add_option("--average", average, "--types: at most so many bits a weight of the layers, scales counted")
                ->check(CLI::Range(1.0, 32.0))
                ->needs(several);
            several->needs(app.get_option("--average"));
            for (auto* const each : {mixture, given, several})
                one->excludes(each);
            mixture->excludes(given)->excludes(several);
            given->excludes(several);
            app.add_option("--head-type", head,
                           "gguf: the type of the output head and the embedding; default: of a mixture what llama.cpp "
                           "takes, with --scales-of that file's, else q8_0");
            app.add_option("--imatrix", importance,
                           "gguf: importance matrix by which scales are searched; default: that of --calibration")
                ->check(CLI::ExistingFile);
        }

        // At commas. CLI11's delimiter would leave out empty names, and take what comes next for one.
        void split(std::vector<std::string> const& lists)
        {
            types.clear();
            for (std::string const& list : lists)
                for (std::string const& name : CLI::detail::split(list, ','))
                    types.push_back(name);
        }

        // Throws ValidationError for an option that nothing reads with this --format. of_method: those that the method
        // reads in blocks; method: its name.
        void check(CLI::App const& command, std::vector<std::string> const& of_method, std::string const& method) const
        {
            std::vector<std::string> const own{"--type",    "--recipe",    "--scales-of", "--types",
                                               "--average", "--head-type", "--imatrix"};
            if (!asked())
            {
                for (std::string const& name : own)
                    if (command.count(name) > 0)
                        throw CLI::ValidationError(name, "goes with --format gguf");
                return;
            }
            std::vector<std::string> read{"model",        "--output", "--method", "--format", "--calibration",
                                          "--nsamples",   "--seqlen", "--seed",   "--preset", "--quiet",
                                          "--dense-head", "--json",   "--help"};
            read.insert(read.end(), own.begin(), own.end());
            read.insert(read.end(), of_method.begin(), of_method.end());
            expect_read(command, read, "--format gguf with " + method + " does not read it");
            auto const given = [&](char const* option) { return command.count(option) > 0; };
            if (!given("--type") && !given("--recipe") && !given("--scales-of") && !given("--types"))
                throw CLI::RequiredError("--type, --recipe, --types or --scales-of with --format gguf");
            auto const expect = [&](char const* option, auto const& names, auto&& exists)
            {
                try
                {
                    for (std::string const& each : names)
                        if (given(option))
                            exists(each);
                }
                catch (jackplane::value_error const& none)
                {
                    throw CLI::ValidationError(option, none.what());
                }
            };
            expect("--type", std::array{type}, engine::type_of);
            expect("--head-type", std::array{head}, engine::type_of);
            expect("--recipe", std::array{recipe}, engine::expect_recipe);
            expect("--types", types, engine::type_of);
            if (given("--head-type") && given("--dense-head"))
                throw CLI::ValidationError("--head-type", "excludes --dense-head");
        }
    };
}
