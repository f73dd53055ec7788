// SPDX-License-Identifier: BSD-3-Clause
#include "../engine/measure/perplexity.hpp"
#include "about.hpp"
#include "commands.hpp"
#include "dense.hpp"
#include "integral.hpp"
#include "terminal.hpp"
#include "text_file.hpp"
#include "warn.hpp"
#include <jackplane/allocate/allocate.hpp>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cli
{
    namespace
    {
        // Mix'n'Match: which width each decoder layer of one file should be read at.
        struct allocate_command
        {
            std::string model, text, dense;
            std::vector<unsigned> widths{2, 3, 4, 8};
            double average = 3;
            std::size_t windows = 16;
            bool json = false, quiet = false;

            void run() const
            {
                for (unsigned const width : widths)
                    if (std::count(widths.begin(), widths.end(), width) > 1)
                        throw CLI::ValidationError("--widths", engine::text(width, " is there twice"));
                if (unsigned const least = *std::min_element(widths.begin(), widths.end()); average < least)
                    throw CLI::ValidationError("--average",
                                               engine::text("is ", average, ", the narrowest of --widths is ", least));
                warn_about(model);
                if (!dense.empty())
                    warn_about(dense);
                engine::packed_model const m = engine::load_nested(model);
                for (unsigned const width : widths)
                    m.expect_width(width, model);
                engine::verify_nested(model, m.bits_read(m.widths().back())); // the others are read at the most bits
                JACKPLANE_EXPECTS(!m.tokenizer.empty(), jackplane::format_error, model, ": no tokenizer here");
                auto const words = engine::tokenizer::from_bytes(m.tokenizer, m.tokenizer_settings, model);
                auto const tokens = words->encode(read_text(text));
                engine::expect_tokens(tokens, words->bos(), m.sizes, text);
                auto const losses = about(model,
                                          [&] {
                                              return dense.empty() ? measured(m, tokens, words->bos())
                                                                   : predicted(m, words->from_start(tokens));
                                          });

                std::vector<std::vector<jackplane::allocation_choice>> table(m.sizes.layers);
                for (std::size_t i = 0; i < table.size(); ++i)
                    for (std::size_t w = 0; w < widths.size(); ++w)
                        table[i].push_back({engine::size_of(m.table.of_layer(i)) * widths[w], losses[w][i]});
                // 2.3 bits on average are 23 for ten layers, though 2.3 is a little less as a double.
                std::uint64_t const weights = engine::size_of(m.table.of_layers());
                auto const budget = static_cast<std::uint64_t>((average + 1e-9) * static_cast<double>(weights));
                report(table, jackplane::allocate(table, budget, model), weights);
            }

        private:
            using layer_losses = std::vector<std::vector<double>>; // [widths, layers]

            // What each layer costs alone, the others at the most bits there are.
            layer_losses measured(engine::packed_model const& m, std::vector<engine::token> tokens,
                                  std::optional<engine::token> first) const
            {
                std::size_t const of_text = m.sizes.context - (first ? 1 : 0); // a window begins with the start
                tokens.resize(std::min(tokens.size(), windows * of_text));
                engine::windows const cut(tokens, m.sizes.context, first, text);
                unsigned const widest = m.widths().back();
                std::vector<unsigned> bits(m.sizes.layers, widest);
                double const whole = engine::evaluate(m.decode(widest), cut).mean_nll;
                layer_losses out(widths.size(), std::vector<double>(m.sizes.layers));
                auto const tell = progress_on_stderr(quiet);
                for (std::size_t i = 0; i < m.sizes.layers; ++i)
                {
                    for (std::size_t w = 0; w < widths.size(); ++w)
                    {
                        bits[i] = widths[w];
                        out[w][i] = engine::evaluate(m.decode(m.mix(bits, widest)), cut).mean_nll - whole;
                    }
                    bits[i] = widest;
                    if (tell)
                        tell(engine::text("layer ", i), i + 1, m.sizes.layers);
                }
                return out;
            }

            // Each layer's share of the change of the loss when all layers go to a width: the Post-quantization
            // Integral, once a width.
            layer_losses predicted(engine::packed_model const& m, std::vector<engine::token> const& tokens) const
            {
                engine::model const from = load_dense(dense, m, model);
                engine::sensitivity_settings integral;
                integral.calibration = engine::calibration_text::of(tokens, windows, m.sizes.context, 0, text);
                integral.parts_alone = integral.taylor = false;
                layer_losses out;
                for (unsigned const width : widths)
                {
                    auto const found =
                        engine::measure_sensitivity(from, m.decode(width), integral, progress_on_stderr(quiet));
                    out.emplace_back();
                    for (engine::change_estimates const& layer : found.blocks)
                        out.back().push_back(layer.pqi);
                }
                return out;
            }

            void report(std::vector<std::vector<jackplane::allocation_choice>> const& table,
                        jackplane::allocation const& best, std::uint64_t weights) const
            {
                std::vector<unsigned> mix;
                for (std::size_t const choice : best.choices)
                    mix.push_back(widths[choice]);
                double const bits = static_cast<double>(best.size) / static_cast<double>(weights);
                if (json)
                {
                    nlohmann::ordered_json out{{"mix", mix}, {"bits", bits}, {"expected_loss", best.loss}};
                    for (auto const& layer : table)
                    {
                        nlohmann::ordered_json row;
                        for (std::size_t i = 0; i < widths.size(); ++i)
                            row[std::to_string(widths[i])] = layer[i].loss;
                        out["layers"].push_back(row);
                    }
                    print_json(out);
                    return;
                }
                std::printf("nats a token that a layer costs, %s\nlayer",
                            dense.empty() ? "measured alone" : "predicted");
                for (unsigned const width : widths)
                    std::printf("  %u bits ", width);
                std::printf("\n");
                std::string list;
                for (std::size_t i = 0; i < table.size(); ++i)
                {
                    std::printf("%5zu", i);
                    for (auto const& choice : table[i])
                        std::printf(" %8.5f", choice.loss);
                    std::printf("   -> %u\n", mix[i]);
                    list += engine::text(i == 0 ? "" : ",", mix[i]);
                }
                std::printf("%.3f bits a weight, %.5f nats if losses add up: eval --mix %s\n", bits, best.loss,
                            list.c_str());
            }
        };
    }

    void add_allocate(CLI::App& app)
    {
        auto const c = std::make_shared<allocate_command>();
        CLI::App* const sub = app.add_subcommand("allocate", "Choose a width for each layer of one file");
        sub->add_option("--model", c->model, "nested file")->required()->check(CLI::ExistingFile);
        sub->add_option("--text", c->text, "text to measure losses on; not the one that is scored afterwards")
            ->required()
            ->check(CLI::ExistingFile);
        sub->add_option("--integral", c->dense,
                        "folder of the weights that the file was made from: losses are not measured but predicted, by "
                        "the Post-quantization Integral of all layers at each width")
            ->check(CLI::ExistingDirectory);
        sub->add_option("--average", c->average, "at most so many bits a weight, scales not counted")
            ->check(CLI::Range(1.0, 8.0))
            ->capture_default_str();
        sub->add_option("--widths", c->widths, "widths to choose from")
            ->delimiter(',')
            ->check(CLI::Range(1, 8))
            ->capture_default_str();
        sub->add_option("--nsamples", c->windows, "windows of the text")
            ->check(CLI::Range(1, 1 << 20))
            ->capture_default_str();
        sub->add_flag("--json", c->json, "report as JSON");
        sub->add_flag("--quiet", c->quiet, "no progress");
        sub->callback([c] { c->run(); });
    }
}
