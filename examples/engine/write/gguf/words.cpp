// SPDX-License-Identifier: BSD-3-Clause
#include "words.hpp"
#include "../../tokenize/gguf/cuttings.hpp"
#include "../../tokenize/gguf/token_type.hpp"
#include "../../tokenize/tokenizer.hpp"
#include "pieces.hpp"
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace engine
{
    namespace
    {
        using jackplane::gguf::array;
        using jackplane::gguf::metadata;

        // The regular expression that cuts words; empty: that of ByteLevel. Throws format_error for other rules.
        std::string regex_of(json_place const& rules)
        {
            auto const steps = rules.at("type").value() == "Sequence" ? rules.sequence("pretokenizers")
                                                                      : std::vector<json_place>{rules};
            constexpr char const* known = "a regular expression that cuts (Split, Isolated) before ByteLevel without "
                                          "a space in front, or ByteLevel alone: llama.cpp names no other rules";
            rules.expect(!steps.empty() && steps.back().at("type").value() == "ByteLevel" &&
                             !steps.back().at("add_prefix_space").flag(true),
                         known);
            if (steps.back().at("use_regex").flag(true))
            {
                rules.expect(steps.size() == 1, known);
                return {};
            }
            rules.expect(steps.size() == 2 && steps[0].at("type").value() == "Split" &&
                             steps[0].at("behavior").value() == "Isolated" && !steps[0].at("invert").flag(false),
                         known);
            return steps[0].at("pattern").at("Regex").string();
        }

        cutting const& cutting_of(json_place const& file)
        {
            std::string const regex = regex_of(file.at("pre_tokenizer"));
            bool const whole = file.at("model").at("ignore_merges").flag(false);
            json_place const form = file.at("normalizer");
            bool const composes = !form.is_null();
            if (composes)
                form.at("type").expect(form.at("type").value() == "NFC", "NFC, or no normalizer");
            std::string known;
            for (cutting const& each : all_cuttings)
            {
                if (each.regex == regex && each.whole_words == whole && each.composes == composes)
                    return each;
                known += text(known.empty() ? "" : ", ", each.name);
            }
            file.at("pre_tokenizer")
                .refuse(text("a cut by '", jackplane::detail::printable(regex, 1000), "', ", whole ? "" : "no ",
                             "ignore_merges, ", composes ? "NFC" : "no normalizer"),
                        text("one that llama.cpp has a name for (", known, ")"));
        }

        pieces_there byte_pairs_there(std::string_view bytes, metadata& to)
        {
            settings_file const file("tokenizer.json", bytes);
            json_place const all(file), model = all.at("model");
            model.at("byte_fallback")
                .expect(!model.at("byte_fallback").flag(false),
                        "false: pieces of characters are written from a tokenizer.model");
            to.set("tokenizer.ggml.model", std::string("gpt2"));
            to.set("tokenizer.ggml.pre", std::string(cutting_of(all).name));
            pieces_there found;
            for (auto const& [piece, id] : model.at("vocab").value().items())
                found.set(id.get<std::size_t>(), piece, token_type::normal);
            json_place const added = all.at("added_tokens");
            for (std::size_t i = 0; !added.is_null() && i < added.elements(); ++i)
                found.set(added.at(i).at("id").value().get<std::size_t>(), added.at(i).at("content").string(),
                          added.at(i).at("special").flag(false) ? token_type::control : token_type::user_defined);
            std::vector<std::string> merges;
            for (auto const& one : model.at("merges").value())
                merges.push_back(one.is_string() ? one.get<std::string>()
                                                 : text(one[0].get<std::string>(), " ", one[1].get<std::string>()));
            to.set("tokenizer.ggml.merges", array(std::move(merges)));
            if (!model.at("unk_token").is_null())
                found.unknown = found.id_of(model.at("unk_token").string());
            return found;
        }

        // The piece under a key of tokenizer_config.json, by itself or inside an object; else the id that config.json
        // has, alone or first of several; else the tokenizer's own.
        std::optional<std::size_t> id_of(std::string const& name, settings_file const& words,
                                         settings_file const& model, pieces_there const& pieces,
                                         std::optional<std::size_t> otherwise)
        {
            if (std::string const key = name + "_token"; words.has(key))
            {
                auto const& value = words.tree()[key];
                auto const piece = value.is_object() ? value.value("content", nlohmann::json()) : value;
                words.expect(piece.is_string(), key, "a piece of the tokenizer");
                if (auto const found = pieces.id_of(piece.get<std::string>()))
                    return found;
            }
            auto id = model.tree().value(name + "_token_id", nlohmann::json());
            if (id.is_array() && !id.empty())
                id = nlohmann::json(id[0]);
            return id.is_number_unsigned() && id < pieces.tokens.size() ? std::optional(id.get<std::size_t>())
                                                                        : otherwise;
        }

        std::string template_of(settings_file const& words)
        {
            auto const all = words.tree().value("chat_template", nlohmann::json());
            if (all.is_string())
                return all.get<std::string>();
            for (auto const& each : all.is_array() ? all : nlohmann::json::array())
                if (each.is_object() && each.value("name", "") == "default" && each.contains("template"))
                    return each["template"].get<std::string>();
            return {};
        }
    }

    metadata fields_of_words(std::string_view bytes, std::string_view settings, config const& c)
    {
        metadata to;
        if (bytes.empty())
        {
            to.set("tokenizer.ggml.model", std::string("none"));
            return to;
        }
        std::string const name = tokenizer::name_of(bytes);
        tokenizer const rules(bytes, settings, name); // what it does not understand is an error
        settings_file const words("tokenizer_config.json", settings.empty() ? "{}" : settings),
            model = language_part(settings_file("config.json", c.source.empty() ? "{}" : c.source));
        auto pieces = name == "tokenizer.json" ? byte_pairs_there(bytes, to) : sentence_pieces_there(bytes, words, to);
        JACKPLANE_EXPECTS(pieces.tokens.size() <= c.vocabulary, jackplane::format_error, name, ": ",
                          pieces.tokens.size(), " pieces, the model has rows for ", c.vocabulary);
        for (std::size_t i = pieces.tokens.size(); i < c.vocabulary; ++i)
            pieces.set(i, {}, token_type::unused);
        pieces.name_empty();
        auto const set_id = [&](char const* key, std::optional<std::size_t> id)
        {
            if (id)
                to.set(text("tokenizer.ggml.", key, "_token_id"), static_cast<std::uint32_t>(*id));
        };
        set_id("bos",
               rules.bos() ? std::optional<std::size_t>(*rules.bos()) : id_of("bos", words, model, pieces, pieces.bos));
        set_id("eos", id_of("eos", words, model, pieces, pieces.eos));
        set_id("padding", id_of("pad", words, model, pieces, {}));
        set_id("unknown", pieces.unknown);
        to.set("tokenizer.ggml.add_bos_token", rules.bos().has_value());
        to.set("tokenizer.ggml.add_eos_token", words.flag("add_eos_token", false));
        if (std::string const chat = template_of(words); !chat.empty())
            to.set("tokenizer.chat_template", chat);
        to.set("tokenizer.ggml.tokens", array(std::move(pieces.tokens)));
        to.set("tokenizer.ggml.token_type", array(std::move(pieces.types)));
        if (!pieces.scores.empty())
        {
            pieces.scores.resize(c.vocabulary, pieces_there::score_of_unused);
            to.set("tokenizer.ggml.scores", array(std::move(pieces.scores)));
        }
        return to;
    }
}
