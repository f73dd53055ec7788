// SPDX-License-Identifier: BSD-3-Clause
#include "../../engine/measure/perplexity.hpp"
#include "../../engine/quantize/budget.hpp"
#include "../about.hpp"
#include "../commands.hpp"
#include "../options/dense.hpp"
#include "../options/head.hpp"
#include "../options/integral.hpp"
#include "../terminal.hpp"
#include "../text_file.hpp"
#include "../warn.hpp"
#include <jackplane/allocate/allocate.hpp>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

namespace cli
{
    namespace
    {
        // Mix'n'Match: which width each decoder layer of one file should be read at, and its output head, if that is
        // packed.
        struct allocate_command
        {
            std::string model, text, dense;
            std::vector<unsigned> widths{2, 3, 4, 8};
            double average = 3;
            unsigned head_bits = 0; // 0: one of the widths, as a layer's
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
                std::vector<unsigned> of_head;
                if (head_bits != 0)
                    of_head = {head_bits};
                else if (m.head_is_packed())
                    of_head = widths;
                for (unsigned const width : of_head)
                    m.expect_width_of_head(width, model);
                engine::verify_nested(model, m, m.mix(m.widths().back())); // the others are read at the most bits
                JACKPLANE_EXPECTS(!m.tokenizer.empty(), jackplane::format_error, model, ": no tokenizer here");
                auto const words = engine::tokenizer::from_bytes(m.tokenizer, m.tokenizer_settings, model);
                auto const tokens = words->encode(read_text(text));
                engine::expect_tokens(tokens, words->bos(), m.sizes, text);
                auto const sizes = sizes_of(m, !of_head.empty());
                expect_room(sizes, of_head);
                auto const losses = about(model,
                                          [&] {
                                              return dense.empty() ? measured(m, of_head, tokens, words->bos())
                                                                   : predicted(m, of_head, tokens, *words);
                                          });

                std::vector<std::vector<jackplane::allocation_choice>> table(losses.size());
                for (std::size_t i = 0; i < table.size(); ++i)
                    for (std::size_t w = 0; w < losses[i].size(); ++w)
                        table[i].push_back({sizes[i] * (i == m.sizes.layers ? of_head : widths)[w], losses[i][w]});
                report(table, of_head, jackplane::allocate(table, engine::budget_of(average, sum_of(sizes)), model),
                       sum_of(sizes));
            }

        private:
            // Weights of each layer, then of a head that gets a width, too.
            static std::vector<std::uint64_t> sizes_of(engine::packed_model const& m, bool with_head)
            {
                std::vector<std::uint64_t> all;
                for (std::size_t i = 0; i < m.sizes.layers; ++i)
                    all.push_back(engine::size_of(m.table.of_layer(i)));
                if (with_head)
                    all.push_back(m.table.parameters()[m.head()].size());
                return all;
            }
            static std::uint64_t sum_of(std::vector<std::uint64_t> const& sizes)
            {
                return std::accumulate(sizes.begin(), sizes.end(), std::uint64_t{0});
            }
            // Before anything is measured: what the narrowest widths take.
            void expect_room(std::vector<std::uint64_t> const& sizes, std::vector<unsigned> const& of_head) const
            {
                std::uint64_t const least = *std::min_element(widths.begin(), widths.end());
                std::uint64_t const head = of_head.empty() ? 0 : sizes.back(), all = sum_of(sizes);
                std::uint64_t const bits = least * (all - head) +
                                           (head == 0 ? 0 : *std::min_element(of_head.begin(), of_head.end()) * head);
                if (bits > engine::budget_of(average, sum_of(sizes)))
                    throw CLI::ValidationError(
                        "--average", engine::text("is ", average, "; ", model, " at the narrowest of --widths, ", least,
                                                  head_bits != 0 ? engine::text(", and --head-bits ", head_bits) : "",
                                                  ", has ", static_cast<double>(bits) / static_cast<double>(all),
                                                  " bits a weight"));
            }

            using layer_losses = std::vector<std::vector<double>>; // [layers, widths], then those of the head

            engine::windows cut(engine::packed_model const& m, std::vector<engine::token> tokens,
                                std::optional<engine::token> first) const
            {
                std::size_t const window = engine::window_of(m.sizes, 0, model);
                std::size_t const of_text = window - (first ? 1 : 0); // a window begins with the start
                tokens.resize(std::min(tokens.size(), windows * of_text));
                return engine::windows(tokens, window, first, text);
            }

            // What each layer costs alone, the others at the most bits there are.
            layer_losses measured(engine::packed_model const& m, std::vector<unsigned> const& of_head,
                                  std::vector<engine::token> const& tokens, std::optional<engine::token> first) const
            {
                engine::windows const of_text = cut(m, tokens, first);
                unsigned const widest = m.widths().back(), head = m.widest_head();
                std::vector<unsigned> bits(m.sizes.layers, widest);
                auto const loss = [&](unsigned head_of_mix)
                { return engine::evaluate(m.decode(m.mix(bits, head_of_mix)), of_text).mean_nll; };
                double const whole = loss(head);
                layer_losses out(m.sizes.layers);
                auto const tell = progress_on_stderr(quiet);
                for (std::size_t i = 0; i < m.sizes.layers; ++i)
                {
                    for (unsigned const width : widths)
                    {
                        bits[i] = width;
                        out[i].push_back(loss(head) - whole);
                    }
                    bits[i] = widest;
                    if (tell)
                        tell(engine::text("layer ", i), i + 1, m.sizes.layers);
                }
                if (!of_head.empty())
                    out.emplace_back();
                for (unsigned const width : of_head)
                    out.back().push_back(loss(width) - whole);
                return out;
            }

            // Each layer's share of the change of the loss when all layers go to a width: the Post-quantization
            // Integral, once a width. The head is none of them: what it costs is measured, beside dense layers.
            layer_losses predicted(engine::packed_model const& m, std::vector<unsigned> const& of_head,
                                   std::vector<engine::token> const& tokens, engine::tokenizer const& words) const
            {
                engine::model const from = load_dense(dense, m, model);
                engine::sensitivity_settings integral;
                integral.calibration =
                    engine::calibration_text::of(words.from_start(tokens), windows,
                                                 engine::window_of(m.sizes, 0, model), 0, text);
                integral.parts_alone = integral.taylor = false;
                layer_losses out(m.sizes.layers);
                engine::packed_model const layers = m.with_head_of(from);
                for (unsigned const width : widths)
                {
                    auto const found =
                        engine::measure_sensitivity(from, layers.decode(width), integral, progress_on_stderr(quiet));
                    for (std::size_t i = 0; i < out.size(); ++i)
                        out[i].push_back(found.blocks[i].pqi);
                }
                if (of_head.empty())
                    return out;
                engine::windows const of_text = cut(m, tokens, words.bos());
                double const whole = engine::evaluate(from, of_text).mean_nll;
                out.emplace_back();
                for (unsigned const width : of_head)
                    out.back().push_back(engine::evaluate(m.with_head_in(from, width), of_text).mean_nll - whole);
                return out;
            }

            void report(std::vector<std::vector<jackplane::allocation_choice>> const& table,
                        std::vector<unsigned> const& of_head, jackplane::allocation const& best,
                        std::uint64_t weights) const
            {
                std::vector<unsigned> mix;
                std::size_t const layers = table.size() - (of_head.empty() ? 0 : 1);
                for (std::size_t i = 0; i < layers; ++i)
                    mix.push_back(widths[best.choices[i]]);
                unsigned const head = of_head.empty() ? 0 : of_head[best.choices.back()];
                double const bits = static_cast<double>(best.size) / static_cast<double>(weights);
                if (json)
                {
                    nlohmann::ordered_json out{{"mix", mix},
                                               {"head_bits", head != 0 ? nlohmann::ordered_json(head) : nullptr},
                                               {"bits", bits},
                                               {"expected_loss", best.loss}};
                    for (std::size_t i = 0; i < table.size(); ++i)
                    {
                        nlohmann::ordered_json row;
                        for (std::size_t w = 0; w < table[i].size(); ++w)
                            row[std::to_string((i < layers ? widths : of_head)[w])] = table[i][w].loss;
                        if (i < layers)
                            out["layers"].push_back(row);
                        else
                            out["head"] = row;
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
                for (std::size_t i = 0; i < layers; ++i)
                {
                    std::printf("%5zu", i);
                    for (auto const& choice : table[i])
                        std::printf(" %8.5f", choice.loss);
                    std::printf("   -> %u\n", mix[i]);
                    list += engine::text(i == 0 ? "" : ",", mix[i]);
                }
                if (head != 0)
                {
                    std::printf(" head");
                    for (auto const& choice : table.back())
                        std::printf(" %8.5f", choice.loss);
                    std::printf("   -> %u\n", head);
                    list += engine::text(" --head-bits ", head);
                }
                std::printf("%.3f bits a weight, %.5f nats if losses add up: eval --mix %s\n", bits, best.loss,
                            list.c_str());
            }
        };
    }

    void add_allocate(CLI::App& app)
    {
        auto const c = std::make_shared<allocate_command>();
        CLI::App* const sub =
            app.add_subcommand("allocate", "Choose a width for each layer of one file, and for its output head");
        sub->add_option("--model", c->model, "nested file")->required()->check(CLI::ExistingFile);
        sub->add_option("--text", c->text, "text to measure losses on; not the one that is scored afterwards")
            ->required()
            ->check(CLI::ExistingFile);
        sub->add_option("--integral", c->dense,
                        "the weights that the file was made from: losses are not measured but predicted, by "
                        "the Post-quantization Integral of all layers at each width")
            ->check(CLI::ExistingPath);
        sub->add_option("--average", c->average, "at most so many bits a weight, scales not counted")
            ->check(CLI::Range(1.0, 8.0))
            ->capture_default_str();
        sub->add_option("--widths", c->widths, "widths to choose from")
            ->delimiter(',')
            ->check(CLI::Range(1, 8))
            ->capture_default_str();
        add_head_bits(*sub, c->head_bits,
                      "that width of the output head, whose weights count; default: one of --widths");
        sub->add_option("--nsamples", c->windows, "windows of the text")
            ->check(CLI::Range(1, 1 << 20))
            ->capture_default_str();
        sub->add_flag("--json", c->json, "report as JSON");
        add_quiet(*sub, c->quiet);
        sub->callback([c] { c->run(); });
    }
}
