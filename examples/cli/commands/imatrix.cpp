// SPDX-License-Identifier: BSD-3-Clause
#include "../../engine/keep/inputs.hpp"
#include "../../engine/measure/importance.hpp"
#include "../../engine/read/source.hpp"
#include "../commands.hpp"
#include "../options/calibration.hpp"
#include "../terminal.hpp"
#include "../warn.hpp"
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

namespace cli
{
    namespace
    {
        struct imatrix_command
        {
            std::string model, to;
            calibration_choice calibration{};
            bool json = false, quiet = false;

            void run()
            {
                auto out = engine::inputs{model, calibration.file}.create(to);
                warn_about(model);
                engine::model_source const source{std::filesystem::path(model)};
                auto const text = calibration.read(model);
                auto m = engine::importance_of(source, text, progress_on_stderr(quiet));
                m.datasets = {std::filesystem::path(calibration.file).filename().string()};
                to.ends_with(".dat") ? jackplane::gguf::save_old_imatrix(out, m)
                                     : jackplane::gguf::save_imatrix(out, m);
                if (json)
                    return print_json({{"output", to},
                                       {"weights", m.of.size()},
                                       {"chunks", m.chunk_count},
                                       {"chunk_size", m.chunk_size},
                                       {"bytes", out.size()}});
                std::printf("%s: %zu weights, %u windows of %u tokens\n", to.c_str(), m.of.size(), m.chunk_count,
                            m.chunk_size);
            }
        };
    }

    void add_imatrix(CLI::App& app)
    {
        auto const c = std::make_shared<imatrix_command>();
        CLI::App* const sub = app.add_subcommand(
            "imatrix", "The importance matrix of a dense model on a text, as llama.cpp's quantizer reads it");
        sub->add_option("model", c->model, "a Hugging Face folder, or a GGUF file")->required();
        c->calibration.add_to(*sub, "", "");
        c->calibration.file_option->required();
        sub->add_option("-o,--output", c->to, "file to write: GGUF, or the older form where its name ends in .dat")
            ->required();
        sub->add_flag("--json", c->json, "report as JSON");
        add_quiet(*sub, c->quiet);
        sub->callback([c] { c->run(); });
    }
}
