// SPDX-License-Identifier: BSD-3-Clause
#include "../engine/measure/perplexity.hpp"
#include "../engine/keep/program.hpp"
#include "about.hpp"
#include "calibration.hpp"
#include "commands.hpp"
#include "decoding.hpp"
#include "dense.hpp"
#include "terminal.hpp"
#include "text_file.hpp"
#include "warn.hpp"
#include <jackplane/store/npy.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cli
{
    namespace
    {
        nlohmann::ordered_json json_of(engine::row const& r)
        {
            auto const number = [](auto const& x) { return x ? nlohmann::ordered_json(*x) : nlohmann::ordered_json(); };
            nlohmann::ordered_json out;
            out["bits"] = r.bits != 0      ? nlohmann::ordered_json(r.bits)
                          : r.note.empty() ? nlohmann::ordered_json("fp32")
                                           : nlohmann::ordered_json(r.note);
            std::optional<engine::score> const& s = r.result;
            out["perplexity"] = s ? nlohmann::ordered_json(s->perplexity) : nlohmann::ordered_json();
            out["perplexity_stderr"] = s ? number(s->perplexity_stderr) : nlohmann::ordered_json();
            out["mean_nll"] = s ? nlohmann::ordered_json(s->mean_nll) : nlohmann::ordered_json();
            out["bits_per_byte"] = number(r.bits_per_byte);
            out["kl_divergence"] = s ? number(s->kl_divergence) : nlohmann::ordered_json();
            out["top1_agreement"] = s ? number(s->top1_agreement) : nlohmann::ordered_json();
            out["effective_bits"] = number(r.effective_bits);
            out["bytes_per_token"] = number(r.bytes_per_token);
            out["tokens_per_second"] =
                s ? nlohmann::ordered_json(static_cast<double>(s->tokens) / s->seconds) : nlohmann::ordered_json();
            if (s) // for paired comparisons
            {
                out["window_nll"] = s->window_nll;
                out["window_tokens"] = s->window_tokens;
            }
            return out;
        }

        // "fp32,8,4" -> 0, 8, 4
        std::vector<unsigned> widths_of(std::vector<std::string> const& names)
        {
            std::vector<unsigned> all;
            for (std::string const& name : names)
            {
                bool const width = name.size() == 1 && name[0] >= '1' && name[0] <= '8';
                if (!width && name != "fp32")
                    throw CLI::ValidationError("--bits", "'" + name + "' is neither fp32 nor a width from 1 to 8");
                all.push_back(width ? static_cast<unsigned>(name[0] - '0') : 0);
            }
            return all;
        }

        struct eval_command
        {
            std::string model, text, tokens, reference_folder, activation; // no activation: weights decoded to fp32
            std::vector<std::string> bits;
            std::vector<unsigned> mix;
            std::size_t context = 0;
            bool json = false;

            void run() const
            {
                auto const asked = widths_of(bits);
                bool const folder = std::filesystem::is_directory(model);
                if (!folder && reference_folder.empty() && std::count(asked.begin(), asked.end(), 0u) > 0)
                    throw CLI::ValidationError("--bits", "fp32 is a row of --reference, which is not given");
                bool const none_packed = std::count(asked.begin(), asked.end(), 0u) == std::ssize(asked);
                if (!folder && !activation.empty() && !asked.empty() && none_packed && mix.empty())
                    throw CLI::ValidationError("--activation", "has no effect here: fp32 rows have no packed weights");
                warn_about(model);
                if (!reference_folder.empty() && reference_folder != model)
                    warn_about(reference_folder);
                std::optional<engine::model> dense, full;
                std::optional<engine::packed_model> packed;
                if (folder)
                    dense = engine::load_model(model);
                else
                    packed = engine::load_nested(model);
                if (!reference_folder.empty())
                {
                    full = engine::load_model(reference_folder);
                    expect_same(folder ? dense->sizes : packed->sizes, model, full->sizes, reference_folder);
                    if (packed)
                        if (origin const found = origin_of(*packed, *full); !found.other.empty())
                            warn(made_from_others(model, reference_folder, found));
                }
                auto const widths = bits.empty() ? default_widths(packed) : asked;
                for (unsigned const width : widths)
                    expect(width, packed);
                for (unsigned const width : mix)
                    expect(width, packed);
                if (packed && !mix.empty())
                    JACKPLANE_EXPECTS(mix.size() == packed->sizes.layers, jackplane::shape_error, model, ": --mix has ",
                                      mix.size(), " widths, the model ", packed->sizes.layers, " layers");
                std::vector<unsigned> mixed; // a width for each matrix
                if (!mix.empty())
                    mixed = packed->mix(mix, packed->widths().back());
                unsigned widest = *std::max_element(widths.begin(), widths.end());
                for (std::size_t i = 0; i < mixed.size(); ++i) // an lm_head is read at the most bits there are
                    widest = packed->matrices[i].is_packed ? std::max(widest, mixed[i]) : widest;
                if (widest != 0 && packed)
                    engine::verify_nested(model, packed->bits_read(widest));
                std::optional<engine::activation> how;
                if (!activation.empty())
                    how = as_decoding(packed);
                engine::config const& sizes = folder ? dense->sizes : packed->sizes;
                auto const words = tokenizer_of(packed);
                engine::scored_text const scored = read(sizes, words);
                warn_of_window(sizes, context, model);

                std::optional<engine::reference> against;
                if (full)
                    against = about(reference_folder, [&] { return engine::make_reference(*full, scored.cut); });
                engine::reference const* const r = against ? &*against : nullptr;
                engine::activation const* const x = how ? &*how : nullptr;
                nlohmann::ordered_json rows = nlohmann::ordered_json::array();
                auto const show = [&](engine::row const& row)
                {
                    if (json)
                        rows.push_back(json_of(row));
                    else
                        std::printf("%s\n", engine::table_line(row).c_str());
                    engine::flush_report();
                };
                if (!json && x)
                    std::printf("x as %s, kernels %s\n\n", activation.c_str(), engine::kernels_name());
                if (!json)
                    std::printf("%s\n", engine::table_head().c_str());
                for (unsigned const width : widths)
                {
                    engine::model const* const fp32 = folder ? &*dense : (full ? &*full : nullptr);
                    show(about(width != 0 || folder ? model : reference_folder,
                               [&]
                               {
                                   return width != 0 ? engine::quantized_row(*packed, width, scored, r, x)
                                          : fp32     ? engine::full_precision_row(*fp32, scored, r)
                                                     : engine::row{};
                               }));
                }
                if (!mix.empty())
                {
                    engine::row row =
                        about(model, [&] { return engine::quantized_row(*packed, mixed, 0, scored, r, x); });
                    row.note = "mix";
                    show(row);
                }
                if (json)
                    print_json({{"model", model},
                                {"tokens", scored.cut.scored()},
                                {"activation", x ? activation : "fp32"},
                                {"kernels", x ? engine::kernels_name() : "openblas"},
                                {"rows", rows}});
            }

        private:
            engine::activation as_decoding(std::optional<engine::packed_model> const& packed) const
            {
                JACKPLANE_EXPECTS(packed, jackplane::value_error, model,
                                  ": a folder has no packed weights for --activation; quantize it first");
                JACKPLANE_EXPECTS(mix.empty() || std::holds_alternative<jackplane::truncate_centred>(packed->slice),
                                  jackplane::value_error, model, ": a ", engine::slice_name(packed->slice),
                                  " file decodes at one width; --mix takes no --activation there");
                return engine::activation_of(activation);
            }

            void expect(unsigned width, std::optional<engine::packed_model> const& packed) const
            {
                JACKPLANE_EXPECTS(width == 0 || packed, jackplane::width_error, model,
                                  ": a folder is full precision and ", "has no ", width, "-bit row; quantize it first");
                if (width != 0)
                    packed->expect_width(width, model);
            }

            static std::vector<unsigned> default_widths(std::optional<engine::packed_model> const& packed)
            {
                std::vector<unsigned> all{0};
                if (packed)
                {
                    auto const readable = packed->widths();
                    all.insert(all.end(), readable.rbegin(), readable.rend());
                }
                return all;
            }

            std::unique_ptr<engine::tokenizer> tokenizer_of(std::optional<engine::packed_model> const& packed) const
            {
                auto const file = engine::tokenizer::file_in(model);
                if (packed)
                    return packed->tokenizer.empty()
                               ? nullptr
                               : engine::tokenizer::from_bytes(packed->tokenizer, packed->tokenizer_settings, model);
                return !file.empty() ? std::make_unique<engine::tokenizer>(file) : nullptr;
            }

            engine::scored_text read(engine::config const& sizes, std::unique_ptr<engine::tokenizer> const& words) const
            {
                std::size_t const window = engine::window_of(sizes, context, model);
                if (!tokens.empty())
                {
                    auto const all = jackplane::npy::read_tokens(tokens);
                    engine::expect_tokens(all, {}, sizes, tokens);
                    return engine::scored_text::of(all, window, {}, words ? words->spelled_ends(all) : std::nullopt,
                                                  tokens);
                }
                JACKPLANE_EXPECTS(words, jackplane::format_error, model, ": no tokenizer for a text; ",
                                  "use --tokens");
                std::vector<std::size_t> ends;
                auto const all = words->encode(read_text(text), &ends);
                engine::expect_tokens(all, words->bos(), sizes, text);
                return engine::scored_text::of(all, window, words->bos(), ends, text);
            }
        };
    }

    void add_eval(CLI::App& app)
    {
        auto const c = std::make_shared<eval_command>();
        CLI::App* const sub = app.add_subcommand("eval", "Perplexity, KL divergence and size at each width");
        sub->add_option("--model", c->model, "Hugging Face folder or nested file")
            ->required()
            ->check(CLI::ExistingPath);
        sub->add_option("--bits", c->bits, "fp32 and widths, such as fp32,8,4,2; default: all available")
            ->delimiter(',');
        sub->add_option("--mix", c->mix, "one more row: a width for each decoder layer, from the first on")
            ->delimiter(',')
            ->check(CLI::Range(1u, 8u));
        auto* const input = sub->add_option_group("input", "what to score");
        input->add_option("--text", c->text, "a text file")->check(CLI::ExistingFile);
        input->add_option("--tokens", c->tokens, "a .npy file of tokens, u16 or u32")->check(CLI::ExistingFile);
        input->require_option(1);
        sub->add_option("--context", c->context, "tokens of one window; default: the model's")
            ->check(CLI::Range(2, 1 << 20));
        sub->add_option("--reference", c->reference_folder, "the full-precision folder, for KL, top-1 and the fp32 row")
            ->check(CLI::ExistingDirectory);
        add_activation(*sub, c->activation)
            ->description("score decoding with this x of linear layers; default: weights decoded to fp32");
        sub->add_flag("--json", c->json, "report as JSON");
        sub->callback([c] { c->run(); });
    }
}
