// SPDX-License-Identifier: BSD-3-Clause
#include "../../engine/measure/perplexity.hpp"
#include "../../engine/keep/program.hpp"
#include "../../engine/read/gguf/size.hpp"
#include "../about.hpp"
#include "../options/calibration.hpp"
#include "../commands.hpp"
#include "../options/decoding.hpp"
#include "../options/dense.hpp"
#include "../terminal.hpp"
#include "../text_file.hpp"
#include "../warn.hpp"
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
            out["head_bits"] = !r.head_bits        ? nlohmann::ordered_json()
                               : *r.head_bits == 0 ? nlohmann::ordered_json("dense")
                                                   : nlohmann::ordered_json(*r.head_bits);
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

        constexpr unsigned fp32 = 0, head_alone = 9; // rows that are no width of the layers
        constexpr unsigned unasked = 10;             // of the head: the width that it has beside the layers'

        // "8,4,fp32" -> 8, 4, 0; others: words that stand for something else
        std::vector<unsigned> widths_of(char const* option, std::vector<std::string> const& names,
                                        std::vector<std::pair<std::string, unsigned>> const& others)
        {
            std::vector<unsigned> all;
            for (std::string const& name : names)
            {
                auto const other =
                    std::find_if(others.begin(), others.end(), [&](auto const& word) { return word.first == name; });
                bool const width = name.size() == 1 && name[0] >= '1' && name[0] <= '8';
                if (!width && other == others.end())
                    throw CLI::ValidationError(option, "'" + name + "' is neither " + others[0].first +
                                                           " nor a width from 1 to 8");
                all.push_back(width ? static_cast<unsigned>(name[0] - '0') : other->second);
            }
            return all;
        }

        struct eval_command
        {
            std::string model, text, tokens, reference_folder, activation; // no activation: weights decoded to fp32
            std::vector<std::string> bits, head_bits;
            std::vector<unsigned> mix;
            std::size_t context = 0;
            unsigned kv_bits = 32;
            bool json = false;

            void run() const
            {
                auto const asked = widths_of("--bits", bits, {{"fp32", fp32}, {"head", head_alone}});
                auto const heads_asked = widths_of("--head-bits", head_bits, {{"dense", 0}});
                bool const folder = engine::is_dense(model);
                auto const needs_reference =
                    [&](char const* option, std::vector<unsigned> const& widths, unsigned what, char const* why)
                {
                    if (reference_folder.empty() && std::count(widths.begin(), widths.end(), what) > 0)
                        throw CLI::ValidationError(option,
                                                   engine::text("needs --reference, which is not given: ", why));
                };
                if (!folder)
                    needs_reference("--bits", asked, fp32, "fp32 is its row");
                needs_reference("--bits", asked, head_alone, "head is its layers beside the quantized head");
                expect_read(asked, heads_asked, folder);
                warn_about(model);
                if (!reference_folder.empty() && reference_folder != model)
                    warn_about(reference_folder);
                std::optional<engine::model> dense, full;
                std::optional<engine::packed_model> packed;
                std::optional<engine::gguf_size> in_file;
                if (folder)
                {
                    engine::model_source const source{std::filesystem::path(model)};
                    dense = source.whole();
                    in_file = engine::gguf_size_of(source);
                }
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
                auto const widths = bits.empty() ? default_widths(packed, full.has_value()) : asked;
                for (unsigned const width : widths)
                    expect(width, packed);
                for (unsigned const width : mix)
                    expect(width, packed);
                if (packed && !mix.empty())
                    JACKPLANE_EXPECTS(mix.size() == packed->sizes.layers, jackplane::shape_error, model, ": --mix has ",
                                      mix.size(), " widths, the model ", packed->sizes.layers, " layers");
                auto const heads = heads_of(packed, heads_asked);
                if (packed && packed->head_is_packed())
                    needs_reference("--head-bits", heads, 0, "dense is its head");
                std::optional<engine::packed_model> with_dense_head;
                if (packed && packed->head_is_packed() && std::count(heads.begin(), heads.end(), 0u) > 0)
                    with_dense_head = packed->with_head_of(*full);
                if (packed)
                    verify(*packed, widths, heads);
                std::optional<engine::decoding_way> how;
                if (!activation.empty())
                {
                    JACKPLANE_EXPECTS(packed, jackplane::value_error, model,
                                      ": a folder has no packed weights for --activation; quantize it first");
                    how = {engine::activation_of(activation), kv_bits};
                }
                engine::config const& sizes = folder ? dense->sizes : packed->sizes;
                auto const words = tokenizer_of(packed);
                engine::scored_text const scored = read(sizes, words);
                warn_of_window(sizes, context, model);

                std::optional<engine::reference> against;
                if (full)
                    against = about(reference_folder, [&] { return engine::make_reference(*full, scored.cut); });
                engine::reference const* const r = against ? &*against : nullptr;
                engine::decoding_way const* const x = how ? &*how : nullptr;
                nlohmann::ordered_json rows = nlohmann::ordered_json::array();
                auto const show = [&](engine::row const& row)
                {
                    if (json)
                        rows.push_back(json_of(row));
                    else
                        std::printf("%s\n", engine::table_line(row, !head_bits.empty()).c_str());
                    engine::flush_report();
                };
                std::size_t const in_fp32 = x ? engine::matrices_in_fp32(*packed, x->how) : 0;
                if (!json)
                    print_head(packed, in_fp32);
                // of_layers: their width, or each one's; widest: of those
                auto const quantized =
                    [&](unsigned width, char const* note, unsigned asked_head, unsigned widest, auto const& of_layers)
                {
                    unsigned const head = head_of(*packed, asked_head, widest);
                    engine::packed_model const& m = head == 0 && with_dense_head ? *with_dense_head : *packed;
                    engine::row row = about(
                        model, [&] { return engine::quantized_row(m, m.mix(of_layers, head), width, scored, r, x); });
                    row.note = note;
                    show(row);
                };
                for (unsigned const width : widths)
                    if (width == fp32)
                        show(about(folder ? model : reference_folder,
                                   [&]
                                   {
                                       engine::model const* const m = folder ? &*dense : (full ? &*full : nullptr);
                                       return m ? row_of(*m, in_file, scored, r) : engine::row{};
                                   }));
                    else
                        for (unsigned const head : heads)
                            if (width != head_alone)
                                quantized(width, "", head, width, width);
                            else if (unsigned const at = head_of(*packed, head, 8); at != 0)
                                show(about(model, [&] { return row_of_head(*packed, *full, at, scored, r); }));
                if (!mix.empty())
                    for (unsigned const head : heads)
                        quantized(0, "mix", head, 8, mix);
                if (json)
                    print_json({{"model", model},
                                {"tokens", scored.cut.scored()},
                                {"activation", x ? activation : "fp32"}, // of the rows of quantized layers
                                {"kv_bits", kv_bits},                    // of the same
                                {"matrices_in_fp32", in_fp32},
                                {"kernels", x ? engine::kernels_name() : "openblas"},
                                {"rows", rows}});
            }

        private:
            // Throws ValidationError for options that no row reads.
            void expect_read(std::vector<unsigned> const& asked, std::vector<unsigned> const& heads, bool folder) const
            {
                auto const has = [](auto const& all, unsigned width)
                { return std::find(all.begin(), all.end(), width) != all.end(); };
                bool const no_layers =
                    !asked.empty() && mix.empty() &&
                    std::all_of(asked.begin(), asked.end(), [](unsigned w) { return w == fp32 || w == head_alone; });
                if (!folder && !activation.empty() && no_layers)
                    throw CLI::ValidationError("--activation",
                                               "has no effect here: rows fp32 and head are scored with dense weights");
                if (!heads.empty() && no_layers && !has(asked, head_alone))
                    throw CLI::ValidationError("--head-bits", "has no effect here: a row fp32 has no quantized head");
                if (!heads.empty() && has(asked, head_alone) && std::count(heads.begin(), heads.end(), 0u) > 0 &&
                    std::all_of(heads.begin(), heads.end(), [](unsigned w) { return w == 0; }))
                    throw CLI::ValidationError("--head-bits",
                                               "is dense alone, and the row head of --bits is of a quantized head");
            }

            // What is said before the table.
            void print_head(std::optional<engine::packed_model> const& packed, std::size_t in_fp32) const
            {
                if (!activation.empty())
                    std::printf("x as %s, kernels %s%s%s\n\n", activation.c_str(), engine::kernels_name(),
                                kv_bits == 32 ? "" : engine::text(", keys and values of ", kv_bits, " bits").c_str(),
                                in_fp32 == 0
                                    ? ""
                                    : engine::text("; as fp32 in ", in_fp32, " matrices, whose groups are no multiple "
                                                   "of 32 columns, or whose format has no integer kernel here")
                                          .c_str());
                if (packed && packed->head_is_packed() && !head_bits.empty())
                    std::printf("bits: of the layers / of the output head\n\n");
                else if (packed && packed->head_is_layer)
                    std::printf("output head: at the width of the layers, among which this older file has it\n\n");
                else if (packed && packed->head_is_packed())
                    std::printf("output head: %u bits\n\n", packed->widest_head());
                std::printf("%s\n", engine::table_head().c_str());
            }

            // A width of the head as it was asked for, beside layers of at most so many bits (8: the most there are).
            static unsigned head_of(engine::packed_model const& m, unsigned asked, unsigned layers)
            {
                return asked != unasked ? asked : m.head_beside(std::min(layers, std::max(1u, m.widest_head())));
            }

            // A dense model; one that lies in blocks of a GGUF file is called by them and has their size.
            static engine::row row_of(engine::model const& m, std::optional<engine::gguf_size> const& in_file,
                                      engine::scored_text const& scored, engine::reference const* against)
            {
                engine::row row = engine::full_precision_row(m, scored, against);
                if (in_file)
                {
                    row.note = in_file->type;
                    row.effective_bits = in_file->bits_per_weight;
                    row.bytes_per_token = in_file->bytes_per_token;
                }
                return row;
            }

            // What the head costs alone: it is quantized, the layers are those of the reference.
            static engine::row row_of_head(engine::packed_model const& packed, engine::model const& full, unsigned head,
                                           engine::scored_text const& scored, engine::reference const* against)
            {
                engine::row row = engine::full_precision_row(packed.with_head_in(full, head), scored, against);
                row.note = "head";
                row.head_bits = head;
                row.effective_bits.reset();
                row.bytes_per_token.reset();
                return row;
            }

            // The widths of the head: those asked for, or `unasked`; 0: dense.
            std::vector<unsigned> heads_of(std::optional<engine::packed_model> const& packed,
                                           std::vector<unsigned> const& asked) const
            {
                if (asked.empty())
                    return {packed && packed->head_is_packed() ? unasked : 0};
                JACKPLANE_EXPECTS(packed, jackplane::value_error, model,
                                  ": a folder has no quantized head for --head-bits; quantize it first");
                for (unsigned const width : asked)
                    if (width != 0)
                        packed->expect_width_of_head(width, model);
                return asked;
            }

            void verify(engine::packed_model const& packed, std::vector<unsigned> const& widths,
                        std::vector<unsigned> const& heads) const
            {
                unsigned most = 0;
                bool any = !mix.empty();
                for (auto const* const all : {&widths, &mix})
                    for (unsigned const width : *all)
                    {
                        most = std::max(most, width == head_alone ? 0 : width);
                        any = any || width != fp32;
                    }
                unsigned head = 0;
                for (unsigned const width : heads)
                    head = std::max(head, head_of(packed, width, mix.empty() ? most : 8));
                if (any)
                    engine::verify_nested(model, packed, packed.mix(most, head));
            }

            void expect(unsigned width, std::optional<engine::packed_model> const& packed) const
            {
                std::string const row = width == head_alone ? "quantized head" : engine::text(width, "-bit row");
                JACKPLANE_EXPECTS(width == fp32 || packed, jackplane::width_error, model,
                                  ": a dense model has no ", row, "; quantize it first");
                if (width == head_alone)
                    packed->expect_width_of_head(packed->widest_head(), model);
                else if (width != 0)
                    packed->expect_width(width, model);
            }

            static std::vector<unsigned> default_widths(std::optional<engine::packed_model> const& packed,
                                                        bool has_reference)
            {
                std::vector<unsigned> all{fp32};
                if (packed && packed->head_is_packed() && has_reference)
                    all.push_back(head_alone);
                if (packed)
                {
                    auto const readable = packed->widths();
                    all.insert(all.end(), readable.rbegin(), readable.rend());
                }
                return all;
            }

            std::unique_ptr<engine::tokenizer> tokenizer_of(std::optional<engine::packed_model> const& packed) const
            {
                if (packed)
                    return packed->tokenizer.empty()
                               ? nullptr
                               : engine::tokenizer::from_bytes(packed->tokenizer, packed->tokenizer_settings, model);
                return engine::tokenizer_of(model);
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
        sub->add_option("--model", c->model, "a Hugging Face folder, a GGUF file, or a nested file")
            ->required()
            ->check(CLI::ExistingPath);
        sub->add_option("--bits", c->bits,
                        "widths of the layers, such as fp32,8,4,2; head: the layers of --reference with the quantized "
                        "output head; default: all available")
            ->delimiter(',');
        sub->add_option("--head-bits", c->head_bits,
                        "widths of the output head, a row for each, such as dense,8,4; dense: the head of --reference; "
                        "default: the widest in the file; not of rows fp32")
            ->delimiter(',');
        sub->add_option("--mix", c->mix, "one more row: a width for each decoder layer, from the first on")
            ->delimiter(',')
            ->check(CLI::Range(1u, 8u));
        auto* const input = sub->add_option_group("input", "what to score");
        input->add_option("--text", c->text, "a text file")->check(CLI::ExistingFile);
        input->add_option("--tokens", c->tokens, "a .npy file of tokens, u16 or u32")->check(CLI::ExistingFile);
        input->require_option(1);
        sub->add_option("--context", c->context, "tokens of one window; default: the model's, at most 2048")
            ->check(CLI::Range(2, 1 << 20));
        sub->add_option("--reference", c->reference_folder, "the full-precision model, for KL, top-1 and the fp32 row")
            ->check(CLI::ExistingPath);
        auto* const as_decoded = add_activation(*sub, c->activation);
        as_decoded->description("score decoding with this x of linear layers; default: weights decoded to fp32");
        add_kv_bits(*sub, c->kv_bits)->needs(as_decoded)->capture_default_str();
        sub->add_flag("--json", c->json, "report as JSON");
        sub->callback([c] { c->run(); });
    }
}
