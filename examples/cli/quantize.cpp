// SPDX-License-Identifier: BSD-3-Clause
#include "../llama/nested_model.hpp"
#include "../llama/quantize_model.hpp"
#include "../llama/tokenizer.hpp"
#include "commands.hpp"
#include "terminal.hpp"
#include <jackplane/store/npy.hpp>
#include <nlohmann/json.hpp>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace cli
{
    namespace
    {
        struct quantize_command
        {
            std::string folder, output, slice = "truncate_centred", calibration;
            llama::quantize_settings settings;
            long group_size = 64;
            std::size_t samples = 128, length = 0;
            std::uint64_t seed = 0;
            std::vector<std::string> include;
            bool json = false, quiet = false;

            void run()
            {
                settings.group = group_size == 0    ? jackplane::group::per_tensor()
                                 : group_size == -1 ? jackplane::group::per_row()
                                                    : jackplane::group{static_cast<std::size_t>(group_size)};
                settings.slice = llama::slice_of(slice);
                settings.include_lm_head = !include.empty();
                if (settings.how == llama::method::gptq)
                    settings.calibration = read_calibration();
                auto const begin = std::chrono::steady_clock::now();
                std::vector<llama::tensor_report> tensors;
                auto const m = llama::quantize_model(folder, settings, &tensors, progress_on_stderr(quiet));
                llama::save_nested(m, folder, output);
                report(m, tensors, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
            }

            llama::calibration_text read_calibration() const
            {
                llama::config const sizes = llama::read_config(std::filesystem::path(folder) / "config.json");
                std::size_t const window = length == 0 ? sizes.context : length;
                if (calibration.ends_with(".npy"))
                    return llama::calibration_text::of(jackplane::npy::read_tokens(calibration), samples, window, seed);
                llama::tokenizer const words(std::filesystem::path(folder) / "tokenizer.model");
                auto const tokens = words.encode(llama::settings_file::contents(calibration));
                return llama::calibration_text::of(tokens, samples, window, seed);
            }

            void report(llama::packed_model const& m, std::vector<llama::tensor_report> const& tensors, double seconds)
            {
                auto const bytes = std::filesystem::file_size(output);
                if (json)
                {
                    nlohmann::ordered_json out{{"output", output}, {"bytes", bytes}, {"seconds", seconds}};
                    out["effective_bits"] = m.cost_at(settings.bits).effective_bits;
                    out["tensors"] = nlohmann::ordered_json::array();
                    for (auto const& t : tensors)
                        out["tensors"].push_back(
                            {{"name", t.name}, {"shape", {t.rows, t.cols}}, {"relative_error", t.relative_error}});
                    std::printf("%s\n", out.dump(2).c_str());
                    return;
                }
                for (auto const& t : tensors)
                    std::printf("%-48s %6zu x %-6zu relative error %.5f\n", t.name.c_str(), t.rows, t.cols,
                                t.relative_error);
                std::printf("%zu matrices at %u bits (%.3f with scales and padding), %s in %.1f s: %s\n",
                            tensors.size(), settings.bits, m.cost_at(settings.bits).effective_bits,
                            megabytes(static_cast<double>(bytes)).c_str(), seconds, output.c_str());
            }
        };
    }

    void add_quantize(CLI::App& app)
    {
        auto const c = std::make_shared<quantize_command>();
        CLI::App* const sub = app.add_subcommand("quantize", "Quantize a Hugging Face folder to one nested file");
        sub->add_option("model", c->folder, "folder with config.json, model.safetensors, tokenizer.model")->required();
        sub->add_option("-o,--output", c->output, "nested file to write")->required();
        CLI::Option* const how =
            sub->add_option(
                   "--method", c->settings.how,
                   "rtn: round to nearest; mse: search the scale of least error; gptq: each weight makes up for "
                   "the errors before it")
                ->transform(CLI::CheckedTransformer(std::map<std::string, llama::method>{
                    {"rtn", llama::method::rtn}, {"mse", llama::method::mse}, {"gptq", llama::method::gptq}}));
        sub->add_option("--bits", c->settings.bits, "8: serves all widths; 4, 2: that width alone")
            ->check(CLI::IsMember({8u, 4u, 2u}))
            ->capture_default_str();
        sub->add_option("--calibration", c->calibration, "for gptq: a text file, or a .npy file of tokens")
            ->check(CLI::ExistingFile)
            ->needs(how);
        sub->add_option("--nsamples", c->samples, "windows of the calibration text")
            ->check(CLI::Range(1, 1 << 20))
            ->capture_default_str();
        sub->add_option("--seqlen", c->length, "tokens of one window; default: the model's context")
            ->check(CLI::Range(2, 1 << 20));
        sub->add_option("--seed", c->seed, "which windows are drawn")->capture_default_str();
        sub->add_flag("--mse", c->settings.search_scale, "gptq: search the scales as method mse does");
        sub->add_flag("--act-order", c->settings.by_activation, "gptq: columns of large inputs first");
        sub->add_option("--group-size", c->group_size, "columns that share a scale; -1: a row, 0: a tensor")
            ->check(CLI::Range(-1L, 1L << 30))
            ->capture_default_str();
        sub->add_option("--scheme", c->settings.range, "sym, asym (default) or full-range")
            ->transform(CLI::CheckedTransformer(
                std::map<std::string, llama::scheme>{{"sym", llama::scheme::symmetric},
                                                     {"asym", llama::scheme::asymmetric},
                                                     {"full-range", llama::scheme::full_range}}));
        sub->add_option("--slice", c->slice, "what codes mean at fewer bits")
            ->check(CLI::IsMember({"truncate_centred", "round_clamp", "extra_precision"}))
            ->capture_default_str();
        sub->add_option("--include", c->include, "quantize an untied lm_head too")->check(CLI::IsMember({"lm_head"}));
        sub->add_flag("--json", c->json, "report as JSON");
        sub->add_flag("--quiet", c->quiet, "no progress");
        sub->callback(
            [c]
            {
                if (c->settings.how == llama::method::gptq && c->calibration.empty())
                    throw CLI::RequiredError("--calibration for --method gptq");
                c->run();
            });
    }
}
