// SPDX-License-Identifier: BSD-3-Clause
#include "words.hpp"
#include "cuttings.hpp"
#include "message.hpp"
#include "token_type.hpp"
#include "../../describe/gguf/fields.hpp"
#include <nlohmann/json.hpp>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace engine
{
    namespace
    {
        using jackplane::gguf::file;
        using namespace token_type;

        struct vocabulary_fields
        {
            std::vector<std::string> pieces;
            std::vector<std::int64_t> types;
            std::optional<std::size_t> bos;

            explicit vocabulary_fields(file const& f)
                : pieces(f.metadata().get<std::vector<std::string>>("tokenizer.ggml.tokens")),
                  types(f.metadata().get_or("tokenizer.ggml.token_type",
                                            std::vector<std::int64_t>(pieces.size(), normal)))
            {
                expect(f, types.size() == pieces.size(), "tokenizer.ggml.token_type",
                       text("a type for each of the ", pieces.size(), " tokens"));
                for (std::int64_t& type : types)
                {
                    expect(f, type >= 0 && type <= byte, "tokenizer.ggml.token_type", "types from 0 to 6");
                    type = std::max<std::int64_t>(type, normal); // 0: nobody said
                }
                bos = id(f, "tokenizer.ggml.bos_token_id");
            }
            std::optional<std::size_t> id(file const& f, char const* key) const
            {
                if (f.metadata().find(key) == nullptr)
                    return {};
                std::size_t const found = f.metadata().get<std::size_t>(key);
                if (found == 0xffffffff)
                    return {}; // none
                expect(f, found < pieces.size(), key, text("below ", pieces.size(), ", the number of tokens"));
                return found;
            }
        };

        cutting const& cutting_of(file const& f)
        {
            constexpr char const* key = "tokenizer.ggml.pre";
            std::string known;
            for (cutting const& each : all_cuttings)
            {
                if (f.metadata().find(key) != nullptr && f.metadata().get<std::string>(key) == each.name)
                    return each;
                known += text(known.empty() ? "" : ", ", each.name);
            }
            expect(f, false, key, "one of " + known);
            return all_cuttings[0];
        }

        // JSON is UTF-8, and so are the pieces that are spelled in it.
        std::string text_of(file const& f, nlohmann::json const& tree)
        {
            try
            {
                return tree.dump();
            }
            catch (nlohmann::json::type_error const&)
            {
                expect(f, false, "tokenizer.ggml.tokens", "texts in UTF-8");
                return {};
            }
        }

        gguf_words byte_pairs_of(file const& f)
        {
            using nlohmann::json;
            vocabulary_fields const fields(f);
            cutting const& how = cutting_of(f);
            json vocabulary = json::object(), added = json::array(), parts = json::array();
            for (std::size_t i = 0; i < fields.pieces.size(); ++i)
            {
                std::int64_t const type = fields.types[i];
                if (type == control || type == user_defined)
                    added.push_back({{"id", i},
                                     {"content", fields.pieces[i]},
                                     {"single_word", false},
                                     {"lstrip", false},
                                     {"rstrip", false},
                                     {"normalized", false},
                                     {"special", type == control}});
                else if (type != unused)
                    vocabulary[fields.pieces[i]] = i;
            }
            if (!how.regex.empty())
                parts.push_back({{"type", "Split"},
                                 {"pattern", {{"Regex", how.regex}}},
                                 {"behavior", "Isolated"},
                                 {"invert", false}});
            parts.push_back({{"type", "ByteLevel"},
                             {"add_prefix_space", false},
                             {"trim_offsets", false},
                             {"use_regex", how.regex.empty()}});
            json all = {{"version", "1.0"}, {"added_tokens", added}, {"normalizer", nullptr}};
            if (how.composes)
                all["normalizer"] = {{"type", "NFC"}};
            all["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", parts}};
            all["post_processor"] = nullptr;
            all["decoder"] = {
                {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", false}, {"use_regex", false}};
            all["model"] = {{"type", "BPE"},
                            {"ignore_merges", how.whole_words},
                            {"vocab", std::move(vocabulary)},
                            {"merges", f.metadata().get<std::vector<std::string>>("tokenizer.ggml.merges")}};
            bool const starts = f.metadata().get_or<bool>("tokenizer.ggml.add_bos_token", how.bos);
            json settings = {{"add_bos_token", starts}};
            if (fields.bos)
                settings["bos_token"] = fields.pieces[*fields.bos];
            expect(f, !starts || fields.bos, "tokenizer.ggml.bos_token_id", "the token that starts a text");
            return {text_of(f, all), text_of(f, settings)};
        }

        // SentencePiece's file of the same pieces: sentencepiece_model.proto of its sources names the fields.
        gguf_words sentence_pieces_of(file const& f)
        {
            vocabulary_fields const fields(f);
            std::vector<float> const scores = f.metadata().get<std::vector<float>>("tokenizer.ggml.scores");
            expect(f, scores.size() == fields.pieces.size(), "tokenizer.ggml.scores",
                   text("a score for each of the ", fields.pieces.size(), " tokens"));
            std::size_t const none = fields.id(f, "tokenizer.ggml.unknown_token_id").value_or(0);
            message all;
            bool has_bytes = false;
            std::set<std::string> spelled;
            for (std::size_t i = 0; i < scores.size(); ++i)
            {
                std::string piece = fields.pieces[i];
                std::int64_t type = fields.types[i];
                // SentencePiece wants one unknown piece, no empty one and none twice; its spaces are U+2581.
                if (i == none || type == unknown)
                    type = i == none ? unknown : control;
                if (type == user_defined)
                    for (std::size_t at = 0; (at = piece.find(' ', at)) != piece.npos;)
                        piece.replace(at, 1, "\xe2\x96\x81");
                if (piece.empty() || !spelled.insert(piece).second)
                {
                    piece = text("<piece ", i, ">");
                    type = unused;
                }
                has_bytes = has_bytes || type == byte;
                all.bytes(
                    1,
                    message().bytes(1, piece).real(2, scores[i]).number(3, static_cast<std::uint64_t>(type)).whole());
            }
            message trainer;
            trainer.number(3, 2).number(4, scores.size()).number(35, has_bytes); // BPE
            struct special
            {
                char const* key;
                unsigned id, piece; // fields
                std::size_t otherwise;
            };
            for (special const& each : {special{"tokenizer.ggml.unknown_token_id", 40, 45, 0},
                                        {"tokenizer.ggml.bos_token_id", 41, 46, 1},
                                        {"tokenizer.ggml.eos_token_id", 42, 47, 2}})
                if (std::size_t const id = fields.id(f, each.key).value_or(each.otherwise); id < scores.size())
                    trainer.number(each.id, id).bytes(each.piece, fields.pieces[id]);
            message rules;
            rules.bytes(1, "identity").number(3, f.metadata().get_or<bool>("tokenizer.ggml.add_space_prefix", true));
            rules.number(4, 0).number(5, 1); // spaces are kept, and written as U+2581
            all.bytes(2, trainer.whole()).bytes(3, rules.whole());
            bool const starts = f.metadata().get_or<bool>("tokenizer.ggml.add_bos_token", true);
            std::size_t const bos = fields.bos.value_or(1);
            nlohmann::json settings = {{"add_bos_token", starts && bos < scores.size()}};
            if (bos < scores.size())
                settings["bos_token"] = fields.pieces[bos];
            return {all.whole(), text_of(f, settings)};
        }
    }

    gguf_words words_of(file const& f)
    {
        constexpr char const* key = "tokenizer.ggml.model";
        if (f.metadata().find(key) == nullptr)
            return {};
        std::string const kind = f.metadata().get<std::string>(key);
        if (kind == "none" || kind == "no_vocab")
            return {};
        expect(f, kind == "gpt2" || kind == "llama", key, "gpt2 or llama");
        return kind == "gpt2" ? byte_pairs_of(f) : sentence_pieces_of(f);
    }
}
