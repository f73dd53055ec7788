// SPDX-License-Identifier: BSD-3-Clause
#include "../../engine/keep/inputs.hpp"
#include "../../engine/measure/unread_experts.hpp"
#include "../../engine/pack/nested_model.hpp"
#include "../../engine/quantize/head.hpp"
#include "../../engine/quantize/quantize_model.hpp"
#include "../../engine/read/with_width.hpp"
#include "../about.hpp"
#include "../options/calibration.hpp"
#include "../clock.hpp"
#include "../commands.hpp"
#include "../options/dense.hpp"
#include "../options/detach_choice.hpp"
#include "../options/expect_read.hpp"
#include "../kept_folder.hpp"
#include "../options/method_options.hpp"
#include "../peak_memory.hpp"
#include "../terminal.hpp"
#include "../warn.hpp"
#include "quantize_blocks.hpp"
#include <jackplane/detach/choose.hpp>
#include <algorithm>
#include <concepts>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace cli
{
    namespace
    {
        std::string second_phases() // that scales are
        {
            std::string list;
            engine::for_each_method(
                [&]<class M>(M const&)
                {
                    if (M::facts.scale_steps > 0)
                        list += engine::text(" (", M::facts.name, ": ", M::facts.scale_steps, ")");
                });
            return list;
        }

        struct quantize_command
        {
            std::string folder, output, slice = "truncate_centred";
            calibration_choice calibration;
            detach_choice detach;
            block_choice blocks;
            method_choice method;
            engine::any_method how;
            engine::quantize_settings settings;
            long group_size = 64;
            bool json = false, quiet = false, no_resume = false, dense_head = false;
            CLI::App* command = nullptr;
            engine::width_reports tuned;
            engine::detach_report detached;

            void run()
            {
                bool const asks_samples = !calibration.samples_option->empty();
                how = method.read(settings.scales, calibration.seed, asks_samples ? nullptr : &calibration.samples);
                block_command in_blocks{folder, output, how, blocks, calibration, dense_head, no_resume, json, quiet};
                in_blocks.check(*command);
                if (blocks.asked())
                    return in_blocks.run();
                engine::method_facts const of = method.facts();
                if (of.keeps)
                    take_bits(of.name);
                settings.group = group_size == 0    ? jackplane::group::per_tensor()
                                 : group_size == -1 ? jackplane::group::per_row()
                                                    : jackplane::group{static_cast<std::size_t>(group_size)};
                settings.slice = engine::slice_of(slice);
                if (command->count("--scale-iters") == 0)
                    settings.scales.steps = of.scale_steps;
                bool const keeps = of.learns || settings.scales.steps > 0 || detach.asked(); // to resume from
                check(of, keeps);
                if (needs_calibration() && calibration.file.empty())
                    throw CLI::RequiredError("--calibration for this method");
                auto beside = detach.asked() ? detach.resolved(how, settings) : engine::detach_settings{};
                detach.expect_read(*command, beside);
                engine::inputs const read{folder, calibration.file, detach.validation.file, inside()};
                auto out = read.create(output);
                engine::config const sizes = engine::config_of(folder);
                engine::parameter_table const table(sizes);
                auto const matrices = table.of_layers();
                std::uint64_t of_planes = 0, of_others = 0;
                for (std::size_t i = 0; i < table.parameters().size(); ++i)
                    if (engine::parameter const& p = table.parameters()[i]; i < matrices.size())
                        of_planes += least_bytes(p);
                    else // the head is the next one
                        of_others += !dense_head && i == matrices.size() ? least_bytes_of_head(p) : 2 * p.size();
                warn_about(folder); // tensors that config.json does not describe, before room is taken for them
                out.reserve(of_planes + of_others);
                if (beside.outliers > 0)
                    jackplane::count_of(beside.outliers, engine::size_of(matrices), "outliers");
                if (beside.significant > 0)
                    jackplane::count_of(beside.significant, engine::size_of(matrices), "significant weights");
                kept_folder const kept = keeps && !no_resume ? kept_folder(output + ".layers", read) : kept_folder();
                if (of.learns && of.looks_at == engine::sight::model) // weights and two moments of Adam
                    kept.expect_room(3 * sizeof(float) * engine::size_of(matrices));
                else if (of.learns)
                    kept.expect_room(of_planes); // layer after layer
                detach.warn_of_unused(beside);
                engine::tokenizer_of(folder); // a broken one is an error before any work
                if (!inside().empty())
                    open_inside(sizes);
                if (needs_calibration())
                    settings.calibration = calibration.read(folder);
                else if (!calibration.file.empty())
                    warn("--calibration " + calibration.file + " is not read: this method looks at weights alone");
                if (detach.asked())
                    detach.read(folder, calibration, beside);
                auto const begin = clock::now();
                engine::run_options const go{tell(of.learns), [this](auto const& each) { tuned.push_back(each); },
                                             engine::kept_runs(kept.path())};
                auto made = about(
                    folder,
                    [&]
                    {
                        if (detach.asked()) // before any weight is looked at
                            engine::expect_possible(how, settings, beside);
                        else
                            engine::expect_possible(how, settings, false);
                        engine::model_source const source(folder);
                        for (std::string const& line : engine::unread_experts(source, settings.calibration, of.unread))
                            warn(line);
                        return detach.asked() ? engine::quantize_and_detach(source, how, settings, beside, go)
                                              : engine::detach_result{engine::quantize(source, how, settings, go)};
                    },
                    inside());
                if (!dense_head)
                    about(folder, [&] { engine::quantize_head(made.packed, settings.range, settings.group); });
                engine::save_nested(std::exchange(made.packed, engine::packed_model(sizes)), folder, out);
                detached = made.sparse;
                kept.remove();
                // Everything told about the file is what the file says.
                auto const written = engine::load_nested(out.path());
                engine::model const* const dense = made.balanced ? &*made.balanced : nullptr;
                auto const errors = engine::errors_of(written, settings.bits, folder, dense);
                report(written, errors, out.size(), seconds_since(begin));
            }

            // Other norms in that file are an error of the method; other matrices are told.
            void open_inside(engine::config const& sizes)
            {
                std::string const& file = inside();
                warn_about(file);
                engine::verify_nested(file, 8);
                engine::given_model const given = engine::give_nested(file);
                auto const give = [&]<class T>(engine::option const&, T& field)
                {
                    if constexpr (std::same_as<T, engine::given_model>)
                        field = given;
                };
                std::visit([&](auto& m) { m.options(give); }, how);
                if (!engine::difference(sizes, given.model->sizes).empty())
                    return;
                if (origin const found = origin_of(*given.model, folder); found.same_rest && !found.other.empty())
                    warn(made_from_others(file, folder, found));
            }

            std::string const& inside() const { return method.file("--inside"); }
            bool needs_calibration() const
            {
                return engine::needs_calibration(method.facts(), settings) || detach.asked();
            }

            // Of a model whose codes stay. Throws ValidationError for an option that decides about others.
            void take_bits(std::string const& name_of_method)
            {
                std::vector<std::string> const read{"model",        "--output", "--method", "--format",
                                                    "--slice",      "--json",   "--quiet",  "--dense-head",
                                                    "--group-size", "--scheme", "--help"};
                expect_read(*command, read, name_of_method + " keeps what the model stores");
                settings.bits = engine::stored_bits(engine::model_source(std::filesystem::path(folder)));
            }

            // Options that nothing would read, or that cannot be followed. Throws ValidationError.
            void check(engine::method_facts const& of, bool keeps) const
            {
                auto const expect = [&](bool read, char const* name, std::string const& why)
                {
                    if (!read && command->count(name) > 0)
                        throw CLI::ValidationError(name, why);
                };
                std::string const name_of_method = of.name;
                for (char const* const name : {"--seed", "--nsamples", "--seqlen"})
                    expect(needs_calibration(), name, "has no effect here: this method looks at weights alone");
                for (char const* const name : {"--group-size", "--scheme"})
                    expect(of.scales || !dense_head, name,
                           "has no effect here: " + name_of_method +
                               (of.keeps ? " keeps scales" : " has values of each row's own") +
                               ", and --dense-head leaves no others");
                expect(keeps, "--no-resume", "has no effect here: " + name_of_method + " keeps nothing to resume from");
                expect(of.balances, "--balance",
                       "goes with " + methods_that([](auto const& each) { return each.balances; }) +
                           (of.looks_at == engine::sight::layers ? "; " + name_of_method + " always does so" : ""));
                bool const whole = settings.bits == 8;
                expect(whole || !(of.makes_parents || settings.scales.steps > 0), "--bits",
                       engine::text("is ", settings.bits, "; what is learned is a parent of 8 bits, for all widths"));
                expect(whole || slice == "truncate_centred", "--slice",
                       engine::text("goes with --bits 8: codes of ", settings.bits, " bits are read as they are"));
            }

            // Progress that tells the losses of a layer when it is done.
            jackplane::progress tell(bool learns)
            {
                auto const bar = progress_on_stderr(quiet);
                if (!bar || !learns)
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

            // Of a matrix in the file, whatever is chosen later: planes of 16 x 32 codes, a scale of two bytes for each
            // group of each row (or the values of a row).
            static std::uint64_t bytes_of(engine::parameter const& p, unsigned bits, std::size_t scales)
            {
                return jackplane::round_up(p.rows, 16) * (jackplane::ceil_div(p.cols, 32) * 4 * bits + 2 * scales);
            }
            std::size_t groups_of(engine::parameter const& p) const
            {
                return group_size > 0 ? jackplane::ceil_div(p.cols, static_cast<std::size_t>(group_size)) : 1;
            }
            std::uint64_t least_bytes(engine::parameter const& p) const
            {
                engine::method_facts const of = method.facts();
                std::size_t const others = of.keeps ? 1 : std::size_t{1} << settings.bits; // values of a row
                return bytes_of(p, settings.bits, of.scales ? groups_of(p) : others);
            }
            std::uint64_t least_bytes_of_head(engine::parameter const& p) const
            {
                return bytes_of(p, 8, groups_of(p));
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
                    out["head_bits"] = m.head_is_packed() ? nlohmann::ordered_json(m.widest_head()) : nullptr;
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
                std::string const head =
                    m.head_is_packed() ? engine::text(", the output head at ", m.widest_head()) : "";
                std::printf(
                    "%zu matrices at %u bits%s (%.3f with scales and padding), %s in %.1f s, peak memory %s: %s\n",
                    tensors.size(), settings.bits, head.c_str(), m.cost_at(settings.bits).effective_bits,
                    megabytes(static_cast<double>(bytes)).c_str(), seconds,
                    megabytes(static_cast<double>(peak_memory())).c_str(), output.c_str());
            }
        };
    }

    void add_quantize(CLI::App& app)
    {
        auto const looks_at_weights = [](auto const& of) { return of.looks_at == engine::sight::weights; };
        auto const has_no_scales = [](auto const& of) { return !of.scales; };
        auto const c = std::make_shared<quantize_command>();
        CLI::App* const sub = app.add_subcommand(
            "quantize", "Quantize a Hugging Face folder or GGUF file to one nested file, or to a GGUF file");
        c->command = sub;
        sub->add_option("model", c->folder, "a Hugging Face folder, or a GGUF file")->required();
        sub->add_option("-o,--output", c->output, "file to write, nested or GGUF (--format)")->required();
        c->method.add_to(*sub);
        sub->add_option("--bits", c->settings.bits, "8: serves all widths; 4, 3, 2: that width alone")
            ->check(CLI::IsMember(std::vector(std::begin(engine::parent_widths), std::end(engine::parent_widths))))
            ->capture_default_str();
        c->calibration.add_to(*sub, "for all methods but " + methods_that(looks_at_weights, " and ") +
                                        "; with --format gguf for all but rtn, and for --types: ",
                              ", and in which order they are learned from");
        c->detach.add_to(*sub);
        c->blocks.add_to(*sub);
        sub->add_flag("--balance", c->settings.balance,
                      methods_that([](auto const& of) { return of.balances; }) +
                          ": columns of large inputs scaled up before, as awq does");
        sub->add_option("--scale-iters", c->settings.scales.steps,
                        "after the method, scales learn end to end, so many steps" + second_phases() +
                            "; of several --widths each gets its own")
            ->check(CLI::Range(0, 1000000))
            ->capture_default_str();
        sub->add_option("--scale-lr", c->settings.scales.rate, "--scale-iters: rate at first, in parts of the scale")
            ->check(positive())
            ->capture_default_str();
        sub->add_flag("--no-resume", c->no_resume,
                      "of what is learned or integrated, keep nothing beside the output that a killed run could go on "
                      "from");
        sub->add_option("--group-size", c->group_size,
                        "columns that share a scale (with " + methods_that(has_no_scales) +
                            ", of the output head alone); -1: a row, 0: a tensor")
            ->check(CLI::Range(-1L, 1L << 30))
            ->capture_default_str();
        sub->add_option(
               "--scheme", c->settings.range,
               "how a group gets its scale (with " + methods_that(has_no_scales) +
                   ", of the output head alone): sym: the largest magnitude on the "
                   "outermost code of the smaller side; gptq-sym: the range over all steps; full-range: signed scales; "
                   "asym (default): a zero, too")
            ->transform(one_of(named<engine::scheme>{{"sym", engine::scheme::symmetric},
                                                     {"gptq-sym", engine::scheme::gptq_symmetric},
                                                     {"asym", engine::scheme::asymmetric},
                                                     {"full-range", engine::scheme::full_range}}));
        sub->add_option("--slice", c->slice, "what codes mean at fewer bits")
            ->check(CLI::IsMember({"truncate_centred", "round_clamp", "extra_precision"}))
            ->capture_default_str();
        auto const gone = [](std::string const&)
        {
            throw CLI::ValidationError("--include", "is gone: the output head is quantized without --dense-head");
        };
        sub->add_option_function<std::string>("--include", gone)->group("");
        sub->add_flag("--dense-head", c->dense_head,
                      "the output head, and an embedding tied to it, stays as it is; else 8 bits, to the nearest codes "
                      "whatever the method, with --scheme and --group-size; read at a width of its own");
        sub->add_flag("--json", c->json, "report as JSON");
        add_quiet(*sub, c->quiet);
        sub->callback([c] { c->run(); });
    }
}
