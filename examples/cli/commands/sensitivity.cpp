// SPDX-License-Identifier: BSD-3-Clause
#include "../../engine/measure/sensitivity.hpp"
#include "../../engine/keep/inputs.hpp"
#include "../../engine/pack/nested_model.hpp"
#include "../about.hpp"
#include "../options/calibration.hpp"
#include "../commands.hpp"
#include "../options/dense.hpp"
#include "../options/integral.hpp"
#include "../kept_folder.hpp"
#include "../numbers.hpp"
#include "../terminal.hpp"
#include "../warn.hpp"
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace cli
{
    namespace
    {
        using engine::change_estimates;
        using engine::estimates;

        // --maps: a file for each matrix, in a folder that is made if need be.
        class map_files
        {
        public:
            // Checks every name, and holds the room for all. "": no maps.
            map_files(std::string const& maps, std::filesystem::path const& model, engine::inputs const& read)
                : map_files(maps) // so that what throws here is cleaned up after
            {
                if (maps.empty())
                    return;
                engine::config const sizes = engine::config_of(model);
                std::error_code error;
                _made = std::filesystem::create_directory(_folder, error);
                if (error)
                    jackplane::detail::fail_io(_folder, "create", error.value());
                engine::parameter_table const table(sizes);
                _parts.assign(table.of_layers().begin(), table.of_layers().end());
                for (engine::parameter const& p : _parts)
                {
                    read.expect_other(file_of(p));
                    _room = std::make_unique<jackplane::atomic_file>(file_of(p));
                }
                _room->reserve(engine::size_of(_parts) * sizeof(float));
            }
            map_files(map_files const&) = delete;
            ~map_files()
            {
                _room.reset();
                if (_made)
                    ::rmdir(_folder.c_str()); // of a run that failed: it is empty
            }

            void write(jackplane::sensitivity const& s)
            {
                _room.reset();
                auto const& change = s.magnitude.empty() ? s.change : s.magnitude;
                for (engine::parameter const& p : _parts)
                    jackplane::npy::save(file_of(p), {p.rows, p.cols},
                                         std::span<float const>(change).subspan(p.offset, p.size()));
            }

        private:
            explicit map_files(std::string const& maps) : _folder(maps) {}
            std::filesystem::path file_of(engine::parameter const& p) const { return _folder / (p.name + ".npy"); }

            std::filesystem::path _folder;
            std::vector<engine::parameter> _parts{};
            std::unique_ptr<jackplane::atomic_file> _room{};
            bool _made = false;
        };

        struct sensitivity_command
        {
            std::string folder, quantized, maps;
            unsigned bits = 0;
            calibration_choice calibration{.samples = 20};
            engine::sensitivity_settings settings;
            bool json = false, quiet = false, total_alone = false, no_taylor = false, no_resume = false;
            CLI::App* command = nullptr;

            void run()
            {
                if (no_taylor && command->count("--fisher-tokens") > 0)
                    throw CLI::ValidationError("--fisher-tokens",
                                               "has no effect here: --no-taylor needs no gradients of tokens");
                if (settings.each_sample && command->count("--maps") == 0)
                    throw CLI::ValidationError("--each-sample", "has no effect here: magnitudes are written to --maps");
                if (command->count("--maps") > 0 && maps.empty())
                    jackplane::detail::fail_io(maps, "create", ENOENT);
                engine::expect_rule(settings);
                engine::inputs const read{folder, quantized, calibration.file};
                kept_folder const kept = no_resume ? kept_folder() : kept_folder(quantized + ".integral", read);
                settings.kept = engine::kept_runs(kept.path());
                map_files written(maps, folder, read);
                warn_about(folder);
                warn_about(quantized);
                engine::packed_model const packed = engine::load_nested(quantized);
                packed.expect_width(bits, quantized);
                engine::model const dense = load_dense(folder, packed, quantized);
                engine::verify_nested(quantized, packed.bits_read(bits));
                settings.calibration = calibration.read(folder);
                settings.parts_alone = !total_alone;
                settings.taylor = !no_taylor;
                auto const found =
                    about(quantized,
                          [&]
                          {
                              return engine::measure_sensitivity(dense, packed.with_head_of(dense).decode(bits),
                                                                 settings, progress_on_stderr(quiet));
                          });
                written.write(found.integral);
                kept.remove();
                json ? print_json(found) : print(found);
            }

        private:
            bool told(char const* name) const
            {
                std::string_view const n = name;
                return n == "actual" || n == "pqi" || !no_taylor;
            }
            static int width_of(std::string_view column)
            {
                return static_cast<int>(std::max<std::size_t>(10, column.size()));
            }
            nlohmann::ordered_json numbers_of(change_estimates const& e, bool is_total) const
            {
                nlohmann::ordered_json out;
                if (!is_total)
                    out["name"] = e.name;
                for (auto const& [name, member] : estimates)
                    if (told(name) && (is_total || !total_alone || member != &change_estimates::actual))
                        out[name] = e.*member;
                return out;
            }
            void print_json(engine::sensitivity_result const& found) const
            {
                nlohmann::ordered_json out{
                    {"bits", bits}, {"rule", settings.rule}, {"total", numbers_of(found.total, true)}};
                out["layers"] = nlohmann::ordered_json::array();
                for (change_estimates const& e : found.matrices)
                    out["layers"].push_back(numbers_of(e, false));
                out["blocks"] = nlohmann::ordered_json::array();
                for (change_estimates const& e : found.blocks)
                    out["blocks"].push_back(numbers_of(e, false));
                cli::print_json(out);
            }
            void print(engine::sensitivity_result const& found) const
            {
                std::printf("change of the loss, nats a token\n%-44s", "");
                for (auto const& [name, member] : estimates)
                    if (told(name))
                        std::printf(" %*s", width_of(name), name);
                std::printf("\n");
                auto const line = [&](change_estimates const& e, bool is_total)
                {
                    std::printf("%-44s", e.name.c_str());
                    for (auto const& [name, member] : estimates)
                        if (told(name) && !is_total && total_alone && member == &change_estimates::actual)
                            std::printf(" %*s", width_of(name), "-"); // not measured
                        else if (told(name))
                            std::printf(" %*.3e", width_of(name), e.*member);
                    std::printf("\n");
                };
                for (change_estimates const& e : found.matrices)
                    line(e, false);
                for (change_estimates const& e : found.blocks)
                    line(e, false);
                line(found.total, true);
            }
        };
    }

    void add_sensitivity(CLI::App& app)
    {
        auto const c = std::make_shared<sensitivity_command>();
        CLI::App* const sub = app.add_subcommand(
            "sensitivity", "What quantizing costs each matrix and layer, measured and predicted; the "
                           "output head stays dense");
        c->command = sub;
        sub->add_option("model", c->folder, "a Hugging Face folder, or a GGUF file")->required();
        sub->add_option("--quantized", c->quantized, "nested file of the same model")
            ->required()
            ->check(CLI::ExistingFile);
        sub->add_option("--bits", c->bits, "width that the file is read at")->required()->check(CLI::Range(1, 8));
        c->calibration.add_to(*sub, "", "");
        c->calibration.file_option->required();
        add_integral(*sub, c->settings);
        sub->add_option("--path", c->settings.path, "lambda: a part of the way from the weights to the quantized ones")
            ->check(CLI::Range(0.0, 1.0))
            ->check(positive())
            ->capture_default_str();
        sub->add_option("--fisher-tokens", c->settings.fisher_tokens, "tokens whose gradients are computed one by one")
            ->check(CLI::Range(1, 1 << 20))
            ->capture_default_str();
        sub->add_flag("--total-only", c->total_alone, "no measured change of each matrix and layer alone");
        sub->add_flag("--no-taylor", c->no_taylor, "the integral alone");
        sub->add_option("--maps", c->maps, "folder for one .npy of changes [rows, cols] for each matrix");
        sub->add_flag("--no-resume", c->no_resume, "keep no checkpoints to resume a killed run from");
        sub->add_flag("--json", c->json, "report as JSON");
        add_quiet(*sub, c->quiet);
        sub->callback([c] { c->run(); });
    }
}
