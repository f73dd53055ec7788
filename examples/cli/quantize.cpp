// SPDX-License-Identifier: BSD-3-Clause
#include "../engine/keep/inputs.hpp"
#include "../engine/measure/unread_experts.hpp"
#include "../engine/pack/nested_model.hpp"
#include "../engine/quantize/quantize_model.hpp"
#include "about.hpp"
#include "calibration.hpp"
#include "clock.hpp"
#include "commands.hpp"
#include "dense.hpp"
#include "detach_choice.hpp"
#include "kept_folder.hpp"
#include "method_options.hpp"
#include "terminal.hpp"
#include "warn.hpp"
#include <jackplane/detach/choose.hpp>
#include <sys/resource.h>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace cli
{
    namespace
    {
        std::size_t peak_memory() // bytes
        {
            rusage used{};
            getrusage(RUSAGE_SELF, &used);
            return static_cast<std::size_t>(used.ru_maxrss) * 1024;
        }

        struct quantize_command
        {
            std::string folder, output, slice = "truncate_centred";
            calibration_choice calibration;
            detach_choice detach;
            engine::quantize_settings settings;
            long group_size = 64;
            std::vector<std::string> include;
            std::vector<unsigned> widths;
            std::vector<float> lambdas;
            bool json = false, quiet = false, no_resume = false;
            CLI::App* command = nullptr;
            std::string preset;
            std::vector<engine::width_report> tuned;
            engine::detach_report detached;

            void run()
            {
                expect_read_by_method(*command, settings);
                settings.group = group_size == 0    ? jackplane::group::per_tensor()
                                 : group_size == -1 ? jackplane::group::per_row()
                                                    : jackplane::group{static_cast<std::size_t>(group_size)};
                settings.slice = engine::slice_of(slice);
                settings.include_lm_head = !include.empty();
                settings.tuning.seed = calibration.seed;
                if (settings.how == engine::method::efficientqat && command->count("--scale-iters") == 0)
                    settings.tuning.scale_steps = 60; // its second phase
                if (settings.how == engine::method::qat && command->count("--iters") == 0)
                    settings.tuning.steps = 40; // more learn a short text by heart: examples/results/README.md
                read_widths();
                read_preset();
                check();
                auto beside = detach.asked() ? detach.resolved(settings) : engine::detach_settings{};
                detach.expect_read(*command, beside);
                engine::inputs const read{folder, calibration.file, detach.validation.file, settings.tuning.inside};
                auto out = read.create(output);
                engine::config const sizes = engine::read_config(std::filesystem::path(folder) / "config.json");
                JACKPLANE_EXPECTS(include.empty() || !sizes.tied, jackplane::value_error, folder,
                                  ": --include lm_head, but config.json ties it to the embedding, which stays dense");
                engine::parameter_table const table(sizes);
                auto const matrices = table.of_layers();
                std::size_t const packed = include.empty() ? matrices.size() : table.tuned_parameters();
                std::uint64_t of_planes = 0, of_others = 0;
                for (std::size_t i = 0; i < table.parameters().size(); ++i)
                    (i < packed ? of_planes : of_others) += least_bytes(table.parameters()[i], i < packed);
                out.reserve(of_planes + of_others);
                if (beside.outliers > 0)
                    jackplane::count_of(beside.outliers, engine::size_of(matrices), "outliers");
                if (beside.significant > 0)
                    jackplane::count_of(beside.significant, engine::size_of(matrices), "significant weights");
                bool const long_run = engine::learns(settings.how) || settings.tuning.scale_steps > 0 || detach.asked();
                kept_folder const kept = long_run && !no_resume ? kept_folder(output + ".layers", read) : kept_folder();
                if (settings.how == engine::method::qat) // weights and two moments of Adam
                    kept.expect_room(3 * sizeof(float) * engine::size_of(matrices));
                else if (engine::learns(settings.how))
                    kept.expect_room(of_planes); // layer after layer
                settings.resume = kept.path();
                warn_about(folder);
                detach.warn_of_unused(beside);
                if (auto const words = engine::tokenizer::file_in(folder); !words.empty())
                    engine::tokenizer{words}; // a broken one is an error before any work
                if (!settings.tuning.inside.empty())
                    look_at_inside(sizes);
                if (needs_calibration())
                {
                    settings.calibration = calibration.read(folder);
                    for (std::string const& line : engine::unread_experts(folder, settings.calibration))
                        warn(line);
                }
                else if (!calibration.file.empty())
                    warn("--calibration " + calibration.file + " is not read: this method looks at weights alone");
                if (detach.asked())
                    detach.read(folder, calibration, beside);
                auto const begin = clock::now();
                std::optional<engine::model> balanced; // what became of the weights before they were quantized
                if (engine::balances(settings))
                    balanced.emplace(sizes);
                engine::model* const dense = balanced ? &*balanced : nullptr;
                auto const made = [&]
                {
                    return detach.asked()
                               ? engine::quantize_and_detach(folder, settings, beside, tell(), &tuned, &detached, dense)
                               : engine::quantize_model(folder, settings, tell(), &tuned, dense);
                };
                engine::save_nested(about(folder, made, settings.tuning.inside.string()), folder, out);
                kept.remove();
                // Everything told about the file is what the file says.
                auto const written = engine::load_nested(out.path());
                auto const errors = engine::errors_of(written, settings.bits, folder, dense);
                report(written, errors, out.size(), seconds_since(begin));
            }

            // Other norms in that file are an error of the method; other matrices are told.
            void look_at_inside(engine::config const& sizes) const
            {
                std::string const file = settings.tuning.inside.string();
                warn_about(file);
                engine::verify_nested(file, 8);
                engine::packed_model const packed = engine::load_nested(file);
                if (!engine::difference(sizes, packed.sizes).empty())
                    return;
                if (origin const found = origin_of(packed, folder); found.same_rest && !found.other.empty())
                    warn(made_from_others(file, folder, found));
            }

            bool needs_calibration() const { return engine::needs_calibration(settings) || detach.asked(); }

            // Options that contradict each other, before anything is opened.
            void check() const
            {
                using engine::method;
                method const how = settings.how;
                auto const& t = settings.tuning;
                auto const refuse = [](bool wrong, char const* option, std::string const& why)
                {
                    if (wrong)
                        throw CLI::ValidationError(option, why);
                };
                refuse(how == method::efficientqat && t.widths.size() != 1, "--widths",
                       engine::text("efficientqat learns one width, not ", t.widths.size(),
                                    "; name it, as --widths 3"));
                refuse(!t.lambdas.empty() && *std::max_element(t.lambdas.begin(), t.lambdas.end()) == 0, "--lambda",
                       "no width counts");
                bool const taught = std::find(t.widths.begin() + 1, t.widths.end(), t.teacher) != t.widths.end();
                for (char const* const name : {"--seed", "--nsamples", "--seqlen"})
                    refuse(!needs_calibration() && command->count(name) > 0, name,
                           "says nothing here: this method looks at weights alone");
                refuse(t.teacher != 0 && !taught, "--teacher",
                       engine::text("is ", t.teacher, ", which is none of --widths beyond the narrowest"));
            }

            // AutoRound's (its documentation), where no option of its own asks for something else. The defaults are
            // those of every option.
            void read_preset()
            {
                if (preset.empty() || preset == "default")
                    return;
                struct effort
                {
                    std::size_t steps, finer_steps, samples;
                    float rate;
                };
                bool const narrow = settings.tuning.widths.front() <= 3;
                effort const asked =
                    preset == "light" ? effort{50, 15, 128, 5e-3f} : effort{1000, 300, 512, narrow ? 2e-3f : 1e-3f};
                auto& t = settings.tuning;
                t.steps = command->count("--iters") == 0 ? asked.steps : t.steps;
                t.finer_steps = command->count("--finer-iters") == 0 ? asked.finer_steps : t.finer_steps;
                t.rate = command->count("--lr") == 0 ? asked.rate : t.rate;
                calibration.samples = calibration.samples_option->empty() ? asked.samples : calibration.samples;
            }

            // Both lists by width, narrowest first.
            void read_widths()
            {
                if (widths.empty() && lambdas.empty())
                    return;
                if (!lambdas.empty() && lambdas.size() != widths.size())
                    throw CLI::ValidationError("--lambda", "one for each of --widths, please");
                std::map<unsigned, float> by_width;
                for (std::size_t i = 0; i < widths.size(); ++i)
                    if (!by_width.emplace(widths[i], lambdas.empty() ? 0 : lambdas[i]).second)
                        throw CLI::ValidationError("--widths", engine::text(widths[i], " is there twice"));
                settings.tuning.widths.clear();
                for (auto const& [width, lambda] : by_width)
                {
                    settings.tuning.widths.push_back(width);
                    if (!lambdas.empty())
                        settings.tuning.lambdas.push_back(lambda);
                }
            }

            // Progress that tells the losses of a layer when it is done.
            jackplane::progress tell()
            {
                auto const bar = progress_on_stderr(quiet);
                if (!bar || !engine::learns(settings.how))
                    return bar;
                return [this, bar, told = std::size_t{0}](std::string_view name, std::size_t done,
                                                          std::size_t total) mutable
                {
                    std::string line(name);
                    for (; told < tuned.size(); ++told)
                        line += engine::text(", ", tuned[told].bits, " bits ", static_cast<float>(tuned[told].before),
                                            " -> ", static_cast<float>(tuned[told].after));
                    bar(line, done, total);
                };
            }

            // Of a parameter in the file, whatever is chosen later: planes of 16 x 32 codes, a scale of two bytes for
            // each group of each row (or the values of a row); two bytes for a weight that is not packed.
            std::uint64_t least_bytes(engine::parameter const& p, bool packed) const
            {
                std::size_t const groups =
                    group_size > 0 ? jackplane::ceil_div(p.cols, static_cast<std::size_t>(group_size)) : 1;
                std::size_t const scales =
                    settings.how == engine::method::squeezellm ? std::size_t{1} << settings.bits : groups;
                return packed ? jackplane::round_up(p.rows, 16) *
                                    (jackplane::ceil_div(p.cols, 32) * 4 * settings.bits + 2 * scales)
                              : 2 * p.size();
            }

            void report(engine::packed_model const& m, std::vector<engine::tensor_report> const& tensors,
                        std::uint64_t bytes, double seconds)
            {
                std::size_t beside = 0;
                for (auto const& each : m.matrices)
                    beside += each.sparse.nonzeros();
                std::size_t const significant = beside - detached.outliers;
                unsigned const fitted_for = significant > 0 ? detached.fitted_for : 0;
                if (json)
                {
                    nlohmann::ordered_json out{{"output", output}, {"bytes", bytes}, {"seconds", seconds}};
                    out["effective_bits"] = m.cost_at(settings.bits).effective_bits;
                    out["peak_bytes"] = peak_memory();
                    if (detach.asked())
                        out["sparse"] = {{"outliers", detached.outliers},
                                         {"exponent", detached.exponent},
                                         {"significant", significant},
                                         {"refused_layers", detached.refused},
                                         {"fitted_for", fitted_for > 0 ? nlohmann::ordered_json(fitted_for) // else null
                                                                   : nlohmann::ordered_json()}};
                    for (auto const& t : tuned)
                        out["losses"].push_back({{"bits", t.bits},
                                                 {"before", t.before},
                                                 {"after", t.after},
                                                 {"moved", t.moved},
                                                 {"steps", t.steps}});
                    out["tensors"] = nlohmann::ordered_json::array();
                    for (auto const& t : tensors)
                        out["tensors"].push_back(
                            {{"name", t.name}, {"shape", {t.rows, t.cols}}, {"relative_error", t.relative_error}});
                    print_json(out);
                    return;
                }
                for (auto const& t : tensors)
                    std::printf("%-48s %6zu x %-6zu relative error %.5f\n", t.name.c_str(), t.rows, t.cols,
                                t.relative_error);
                if (detach.asked())
                    std::printf("%zu outliers (shared out by sensitivity^%g) and %zu significant weights beside the "
                                "planes; %zu layers gain nothing by them\n",
                                detached.outliers, detached.exponent, significant, detached.refused.size());
                if (fitted_for > 0)
                    std::printf("their values are fitted for %u bits: no gain at wider widths\n", fitted_for);
                std::printf(
                    "%zu matrices at %u bits (%.3f with scales and padding), %s in %.1f s, peak memory %s: %s\n",
                    tensors.size(), settings.bits, m.cost_at(settings.bits).effective_bits,
                    megabytes(static_cast<double>(bytes)).c_str(), seconds,
                    megabytes(static_cast<double>(peak_memory())).c_str(), output.c_str());
            }
        };
    }

    void add_quantize(CLI::App& app)
    {
        auto const c = std::make_shared<quantize_command>();
        CLI::App* const sub = app.add_subcommand("quantize", "Quantize a Hugging Face folder to one nested file");
        c->command = sub;
        sub->add_option("model", c->folder, "folder with config.json, model.safetensors, a tokenizer")->required();
        sub->add_option("-o,--output", c->output, "nested file to write")->required();
        sub->add_option(
               "--method", c->settings.how,
               "rtn: round to nearest; mse: search the scale of least error; awq: columns of large inputs scaled "
               "up first; gptq: each weight makes up for the errors before it; matgptq: so for several --widths; "
               "nested-gptq: gptq at --widths, coarse to fine; signround: rounding and clipping are learned, layer "
               "by layer; omniquant: clipping alone; efficientqat: weights and scales; qat: weights, all at once; "
               "squeezellm: values of each row's own, for --bits 4, 3 or 2")
            ->transform(one_of(method_names()));
        sub->add_option("--bits", c->settings.bits, "8: serves all widths; 4, 3, 2: that width alone")
            ->check(CLI::IsMember({8u, 4u, 3u, 2u}))
            ->capture_default_str();
        c->calibration.add_to(*sub, "for all methods but rtn and mse: ", ", and in which order they are learned from");
        c->detach.add_to(*sub);
        sub->add_flag("--mse", c->settings.search_scale,
                      "gptq, matgptq, nested-gptq, signround: search the scales as method mse does");
        sub->add_flag("--balance", c->settings.balance,
                      "columns of large inputs scaled up before the method, as awq does");
        sub->add_flag("--act-order", c->settings.by_activation, "gptq: columns of large inputs first");
        sub->add_option(
               "--widths", c->widths,
               "learned: tuned one after the other, each inside the cells of the one before; default 2,3,4,6,8")
            ->delimiter(',')
            ->check(CLI::Range(1, 8));
        sub->add_option("--lambda", c->lambdas, "learned: all widths at once, with these weights of their losses")
            ->delimiter(',')
            ->check(CLI::Range(0.0, 1e6));
        sub->add_option(
               "--preset", c->preset,
               "signround: light, default or best: --iters, --finer-iters, --nsamples and --lr, where not given")
            ->check(CLI::IsMember({"light", "default", "best"}));
        sub->add_option("--iters", c->settings.tuning.steps,
                        "learned: steps of the first width, or of all at once; qat, where not given: 40")
            ->check(CLI::Range(0, 1000000))
            ->capture_default_str();
        sub->add_option("--finer-iters", c->settings.tuning.finer_steps, "learned: steps of each further width")
            ->check(CLI::Range(0, 1000000))
            ->capture_default_str();
        sub->add_flag("--suppress-outliers", c->settings.tuning.suppress_outliers,
                      "learned: the largest thousandth of the differences does not count");
        sub->add_flag("!--no-clipping", c->settings.tuning.learn_clipping, "signround: ranges stay");
        sub->add_flag("--own-range", c->settings.tuning.own_range,
                      "signround, nested-gptq: the first width's own range, not that of 8 bits");
        sub->add_flag("--keep-best", c->settings.tuning.keep_best,
                      "learned: what had the least loss of all windows, looked at every 20 steps; not the last");
        sub->add_flag("--dense-inputs", c->settings.tuning.dense_inputs,
                      "learned: from what the dense layers before give, not the quantized ones");
        CLI::Option* const lambdas = sub->get_option("--lambda");
        sub->add_option("--reach", c->settings.tuning.reach,
                        "--lambda: how far an offset may go, in steps of 8 bits; default: half a step of the narrowest "
                        "width")
            ->check(positive())
            ->needs(lambdas);
        sub->add_option("--joint-iters", c->settings.tuning.joint_steps,
                        "--lambda: so many steps of all widths at once, after each had its own")
            ->check(CLI::Range(0, 1000000))
            ->needs(lambdas);
        sub->add_option("--inside", c->settings.tuning.inside,
                        "signround: a quantized file of the model; its codes at the first of --widths stay, the others "
                        "are tuned inside their cells")
            ->check(CLI::ExistingFile)
            ->excludes(lambdas);
        sub->add_option("--teacher", c->settings.tuning.teacher,
                        "--lambda: the narrowest width learns from this one's output, too (co-distillation)")
            ->check(CLI::Range(1, 8))
            ->needs(lambdas);
        CLI::Option* const by_layer =
            sub->add_flag("--layer-wise", c->settings.tuning.layer_wise,
                          "signround: matrix after matrix, from the Gram matrices of their inputs; no backward pass");
        sub->add_flag("--from-gptq", c->settings.tuning.from_gptq, "layer-wise: from the codes of GPTQ on")
            ->needs(by_layer);
        sub->add_option("--lr", c->settings.tuning.rate,
                        "learned: rate at first; default: 1/iters in steps of the codes (signround), 0.01 in "
                        "logits (omniquant), 3e-4 (qat) or 1e-3 (efficientqat) in units of the weights")
            ->check(positive());
        sub->add_option(
               "--scale-iters", c->settings.tuning.scale_steps,
               "after the method, scales learn end to end, so many steps (efficientqat: 60); of several --widths "
               "each gets its own")
            ->check(CLI::Range(0, 1000000))
            ->capture_default_str();
        sub->add_option("--scale-lr", c->settings.tuning.scale_rate,
                        "--scale-iters: rate at first, in parts of the scale")
            ->check(positive())
            ->capture_default_str();
        sub->add_option("--batch", c->settings.tuning.batch, "learned: windows a step")
            ->check(CLI::Range(1, 1 << 20))
            ->capture_default_str();
        sub->add_flag("--no-resume", c->no_resume,
                      "learned, integrated: keep nothing beside the output that a killed run could go on from");
        sub->add_option("--group-size", c->group_size, "columns that share a scale; -1: a row, 0: a tensor")
            ->check(CLI::Range(-1L, 1L << 30))
            ->capture_default_str();
        sub->add_option(
               "--scheme", c->settings.range,
               "how a group gets its scale, for every method but squeezellm: sym: the largest magnitude on the "
               "outermost code of the smaller side; gptq-sym: the range over all steps; full-range: signed scales; "
               "asym (default): a zero, too")
            ->transform(one_of(named<engine::scheme>{{"sym", engine::scheme::symmetric},
                                                    {"gptq-sym", engine::scheme::gptq_symmetric},
                                                    {"asym", engine::scheme::asymmetric},
                                                    {"full-range", engine::scheme::full_range}}));
        sub->add_option("--slice", c->slice, "what codes mean at fewer bits")
            ->check(CLI::IsMember({"truncate_centred", "round_clamp", "extra_precision"}))
            ->capture_default_str();
        sub->add_option("--include", c->include,
                        "quantize an untied lm_head too, to the nearest codes whatever the method")
            ->check(CLI::IsMember({"lm_head"}));
        sub->add_flag("--json", c->json, "report as JSON");
        sub->add_flag("--quiet", c->quiet, "no progress");
        sub->callback(
            [c]
            {
                if (c->needs_calibration() && c->calibration.file.empty())
                    throw CLI::RequiredError("--calibration for this method");
                c->run();
            });
    }
}
