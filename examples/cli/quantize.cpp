// SPDX-License-Identifier: BSD-3-Clause
#include "../llama/nested_model.hpp"
#include "../llama/quantize_model.hpp"
#include "commands.hpp"
#include "terminal.hpp"
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
            std::string folder, output, slice = "truncate_centred";
            llama::quantize_settings settings;
            long group_size = 64;
            std::vector<std::string> include;
            bool json = false, quiet = false;

            void run()
            {
                settings.group = group_size == 0    ? jackplane::group::per_tensor()
                                 : group_size == -1 ? jackplane::group::per_row()
                                                    : jackplane::group{static_cast<std::size_t>(group_size)};
                settings.slice = llama::slice_of(slice);
                settings.include_lm_head = !include.empty();
                auto const begin = std::chrono::steady_clock::now();
                std::vector<llama::tensor_report> tensors;
                auto const m = llama::quantize_model(folder, settings, &tensors, progress_on_stderr(quiet));
                llama::save_nested(m, folder, output);
                report(m, tensors, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
            }

            void report(llama::packed_model const& m, std::vector<llama::tensor_report> const& tensors, double seconds)
            {
                auto const bytes = std::filesystem::file_size(output);
                if (json)
                {
                    nlohmann::ordered_json out{{"output", output}, {"bytes", bytes}, {"seconds", seconds}};
                    out["effective_bits"] = m.cost_at(8).effective_bits;
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
                std::printf("%zu matrices at 8 bits (%.3f with scales and padding), %s in %.1f s: %s\n", tensors.size(),
                            m.cost_at(8).effective_bits, megabytes(static_cast<double>(bytes)).c_str(), seconds,
                            output.c_str());
            }
        };
    }

    void add_quantize(CLI::App& app)
    {
        auto const c = std::make_shared<quantize_command>();
        CLI::App* const sub = app.add_subcommand("quantize", "Quantize a Hugging Face folder to one nested file");
        sub->add_option("model", c->folder, "folder with config.json, model.safetensors, tokenizer.model")->required();
        sub->add_option("-o,--output", c->output, "nested file to write")->required();
        sub->add_option("--method", c->settings.how, "rtn: round to nearest; mse: search the scale of least error")
            ->transform(CLI::CheckedTransformer(
                std::map<std::string, llama::method>{{"rtn", llama::method::rtn}, {"mse", llama::method::mse}}));
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
        sub->callback([c] { c->run(); });
    }
}
