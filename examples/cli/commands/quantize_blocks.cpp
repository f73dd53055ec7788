// SPDX-License-Identifier: BSD-3-Clause
#include "quantize_blocks.hpp"
#include "../../engine/keep/inputs.hpp"
#include "../../engine/measure/importance.hpp"
#include "../../engine/measure/unread_experts.hpp"
#include "../../engine/pack/relative_error.hpp"
#include "../../engine/quantize/blocks/allocation.hpp"
#include "../../engine/quantize/blocks/given.hpp"
#include "../../engine/quantize/blocks/importance.hpp"
#include "../../engine/write/gguf/model.hpp"
#include "../about.hpp"
#include "../clock.hpp"
#include "../kept_folder.hpp"
#include "../options/method_options.hpp"
#include "../peak_memory.hpp"
#include "../terminal.hpp"
#include "../warn.hpp"
#include <jackplane/store/gguf/types.hpp>
#include <cstdio>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace cli
{
    namespace
    {
        bool looks_at_layers(engine::any_method const& how)
        {
            return engine::facts_of(how).looks_at != engine::sight::weights;
        }
        bool searches(engine::any_method const& how)
        {
            return engine::facts_of(how).blocks == engine::block_scales::searched;
        }

        block_command::tensor_line line_of(engine::model_source const& source, std::size_t i,
                                           engine::block_matrix const& m)
        {
            engine::parameter const& p = source.table().parameters()[i];
            jackplane::aligned_vector<float> w(p.size()), decoded(p.size());
            source.read(p, w.data());
            m.decode({decoded.data(), p.rows, p.cols});
            return {p.name, jackplane::gguf::find_type(m.type)->name, p.rows, p.cols, m.bytes.size(),
                    engine::relative_error(decoded, w)};
        }
    }

    void block_command::check(CLI::App const& command) const
    {
        std::vector<std::string> read;
        std::visit(
            [&]<class M>(M method)
            {
                if constexpr (M::facts.blocks != engine::block_scales::none)
                    method.options_in_blocks([&](engine::option const& of, auto&) { read.push_back(of.name); });
            },
            how);
        std::string const name = engine::facts_of(how).name;
        if (engine::facts_of(how).learns)
            read.push_back("--no-resume");
        blocks.check(command, read, name);
        if (!blocks.asked())
            return;
        auto const makes_blocks = [](auto const& of) { return of.blocks != engine::block_scales::none; };
        if (!makes_blocks(engine::facts_of(how)))
            throw CLI::ValidationError("--method", name + " makes no blocks; --format gguf goes with " +
                                                       methods_that(makes_blocks));
        bool const counts = !blocks.importance.empty() || !calibration.file.empty();
        std::string const none = "has no effect here: ";
        if (!searches(how) && !blocks.importance.empty())
            throw CLI::ValidationError("--imatrix", none + name + " looks at weights alone");
        if (!searches(how) && counts && blocks.types.empty())
            throw CLI::ValidationError("--calibration", none + name + " looks at weights alone");
        if (looks_at_layers(how) && calibration.file.empty())
            throw CLI::RequiredError("--calibration for this method");
        if (searches(how) && !counts && blocks.scales.empty())
            throw CLI::RequiredError("--imatrix or --calibration for this method");
        if (!looks_at_layers(how) && !blocks.scales.empty())
            throw CLI::ValidationError("--scales-of", "goes with methods that look at layers: by " + name +
                                                          " the file would be the same");
        if (!blocks.types.empty() && calibration.file.empty())
            throw CLI::RequiredError("--calibration for --types");
        if (!blocks.scales.empty() && !blocks.importance.empty())
            throw CLI::ValidationError("--imatrix", none + "--scales-of searches no scales");
        if (!looks_at_layers(how) && blocks.types.empty() && !blocks.importance.empty() && !calibration.file.empty())
            throw CLI::ValidationError("--calibration", none + "--imatrix says what " + name + " asks of it");
        if (looks_at_layers(how) && !blocks.type.empty() &&
            !engine::block_matrix{engine::type_of(blocks.type), 0, 0, {}}.has_levels())
            throw CLI::ValidationError("--type", engine::text(blocks.type, " has no codes that ", name,
                                                              " could choose; --method rtn writes the same"));
        for (char const* const option : {"--nsamples", "--seqlen", "--seed"})
            if (calibration.file.empty() && command.count(option) > 0)
                throw CLI::ValidationError(option, none + "there is no --calibration");
    }

    // The types as far as nothing has to be measured, and the blocks of --scales-of.
    engine::block_types block_command::types_of(engine::config const& sizes,
                                                std::vector<engine::block_matrix>& given) const
    {
        engine::block_types types = !blocks.recipe.empty() ? engine::recipe_of(blocks.recipe, sizes)
                                                           : engine::types_of(blocks.usual_type(), sizes);
        if (!blocks.scales.empty())
            given = engine::take_blocks(blocks.scales, sizes, types);
        if (!blocks.head.empty())
            types.of_head = types.of_embedding = engine::type_for(engine::type_of(blocks.head), sizes.hidden);
        return types;
    }

    // Of the layers, as far as the types are known.
    std::uint64_t block_command::bytes_of_layers(engine::parameter_table const& table,
                                                 engine::block_types const& types) const
    {
        return blocks.types.empty() ? engine::bytes_of(table, types.of_layers)
                                    : engine::most_bytes_of(table, numbers_of_types(), blocks.average);
    }
    std::vector<std::uint32_t> block_command::numbers_of_types() const
    {
        std::vector<std::uint32_t> numbers;
        for (std::string const& name : blocks.types)
            numbers.push_back(engine::type_of(name));
        return numbers;
    }

    // Importance, calibration and chosen types, in the order in which they need each other.
    void block_command::measure(engine::model_source const& source, engine::block_types& types,
                                engine::quantize_settings& settings) const
    {
        engine::config const& sizes = source.sizes();
        auto const tell = progress_on_stderr(quiet);
        engine::block_settings& to = settings.blocks;
        engine::calibration_text text;
        if (!calibration.file.empty())
            text = calibration.read(model);
        if (!blocks.importance.empty())
            to.importance = engine::importance_of_matrices(jackplane::gguf::open_imatrix(blocks.importance), sizes,
                                                           blocks.importance);
        else if (searches(how) && blocks.scales.empty())
            to.importance = engine::importance_of_matrices(
                about(model, [&] { return engine::importance_of(source, text, tell); }), sizes, calibration.file);
        if (!blocks.types.empty())
        {
            auto const choices = numbers_of_types();
            types.of_layers = about(
                model, [&]
                { return engine::allocate_types(source.whole(), choices, blocks.average, to.importance, text, tell); });
        }
        to.types = types.of_layers;
        if (looks_at_layers(how))
            settings.calibration = std::move(text);
    }

    // The head, if it is a matrix of its own, and the embedding, in blocks.
    void block_command::add_head(engine::model_source const& source, engine::block_types const& types,
                                 std::vector<std::vector<float>> const& importance,
                                 std::vector<engine::block_matrix>& to) const
    {
        engine::parameter_table const& table = source.table();
        for (std::size_t i = to.size(); i <= table.tuned_parameters(); ++i)
        {
            engine::parameter const& p = table.parameters()[i];
            jackplane::aligned_vector<float> w(p.size());
            source.read(p, w.data());
            std::uint32_t const type = i == table.tuned_parameters() ? types.of_embedding : types.of_head;
            auto const by = importance.empty() ? std::span<float const>() : std::span<float const>(importance[i]);
            to.push_back(about(model, [&] { return engine::to_blocks({w.data(), p.rows, p.cols}, type, by, p.name); }));
        }
    }

    void block_command::run()
    {
        engine::inputs const read{model, calibration.file, blocks.importance, blocks.scales};
        auto out = read.create(output);
        auto const begin = clock::now();
        engine::config const sizes = engine::config_of(model);
        engine::parameter_table const table(sizes);
        engine::quantize_settings settings;
        engine::block_types types = types_of(sizes, settings.blocks.given);
        std::uint64_t const of_layers = bytes_of_layers(table, types);
        warn_about(model); // tensors that config.json does not describe, before room is taken for them
        out.reserve(of_layers + engine::least_bytes_of_others(table, types, dense_head));
        bool const keeps = engine::facts_of(how).learns && !no_resume;
        kept_folder const kept = keeps ? kept_folder(output + ".layers", read) : kept_folder();
        kept.expect_room(of_layers); // layer after layer
        engine::model_source const source{std::filesystem::path(model)};
        engine::expect_gguf(source);
        measure(source, types, settings);
        for (std::string const& line :
             engine::unread_experts(source, settings.calibration, engine::facts_of(how).unread))
            warn(line);
        made_file report{types, {}, {}, 0, 0};
        engine::run_options const go{progress_on_stderr(quiet),
                                     [&](auto const& each) { report.learned.push_back(each); },
                                     engine::kept_runs(kept.path())};
        auto made = about(model, [&] { return engine::quantize(source, how, settings, go); }).blocks;
        for (std::size_t i = 0; i < made.size(); ++i)
            report.tensors.push_back(line_of(source, i, made[i]));
        if (!dense_head)
            add_head(source, types, settings.blocks.importance, made);
        jackplane::gguf::metadata facts;
        facts.set("general.file_type", types.file_type);
        engine::save_gguf(source, made, facts, out);
        kept.remove();
        report.bytes = out.size();
        report.seconds = seconds_since(begin);
        tell(report);
    }

    void block_command::tell(made_file const& file) const
    {
        double bytes = 0, weights = 0;
        for (tensor_line const& t : file.tensors)
            bytes += static_cast<double>(t.bytes), weights += static_cast<double>(t.rows * t.cols);
        auto const name_of = [&](std::uint32_t type)
        { return std::string(dense_head ? "dense" : jackplane::gguf::find_type(type)->name); };
        std::string const head_type = name_of(file.types.of_head), embedding_type = name_of(file.types.of_embedding);
        if (json)
        {
            nlohmann::ordered_json report{{"output", output},
                                          {"bytes", file.bytes},
                                          {"seconds", file.seconds},
                                          {"bits_per_weight", 8 * bytes / weights},
                                          {"head_type", head_type},
                                          {"embedding_type", embedding_type},
                                          {"peak_bytes", peak_memory()},
                                          {"losses", nlohmann::ordered_json::array()}};
            for (auto const& each : file.learned)
                report["losses"].push_back(
                    {{"before", each.before}, {"after", each.after}, {"moved", each.moved}, {"steps", each.steps}});
            for (tensor_line const& t : file.tensors)
                report["tensors"].push_back({{"name", t.name},
                                             {"type", t.type},
                                             {"shape", {t.rows, t.cols}},
                                             {"bytes", t.bytes},
                                             {"relative_error", t.relative_error}});
            return print_json(report);
        }
        for (tensor_line const& t : file.tensors)
            std::printf("%-48s %6zu x %-6zu %-6s relative error %.5f\n", t.name.c_str(), t.rows, t.cols,
                        std::string(t.type).c_str(), t.relative_error);
        std::printf("%zu matrices at %.4f bits a weight, head %s, embedding %s, %s in %.1f s, peak memory %s: %s\n",
                    file.tensors.size(), 8 * bytes / weights, head_type.c_str(), embedding_type.c_str(),
                    megabytes(static_cast<double>(file.bytes)).c_str(), file.seconds,
                    megabytes(static_cast<double>(peak_memory())).c_str(), output.c_str());
    }
}
