// SPDX-License-Identifier: BSD-3-Clause
#include "words.hpp"
#include "../../describe/gguf/fields.hpp"
#include <nlohmann/json.hpp>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
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

        enum token_type : std::int64_t // of tokenizer.ggml.token_type; SentencePiece has the same numbers
        {
            normal = 1,
            unknown = 2,
            control = 3,
            user_defined = 4,
            unused = 5,
            byte = 6
        };

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

        // How texts are cut into words before pairs are merged: llama.cpp names the rules, a tokenizer.json holds them.
        struct cutting
        {
            std::string_view name, regex; // no regex: that of ByteLevel, as GPT-2's
            bool whole_words = false;     // ignore_merges
            bool bos = false;             // where tokenizer.ggml.add_bos_token says nothing
            bool composes = false;        // NFC, which llama.cpp leaves out
        };
        constexpr std::string_view llama3_words =
            R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
            R"(\s*[\r\n]+|\s+(?!\S)|\s+)";
        constexpr std::string_view qwen2_words =
            R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
            R"(\s*[\r\n]+|\s+(?!\S)|\s+)";
        constexpr std::string_view tekken_words =
            R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|)"
            R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}|)"
            R"( ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
        constexpr std::string_view gpt4o_words =
            R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
            R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
            R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
            R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
            R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
        constexpr cutting all_cuttings[] = {
            {.name = "llama-bpe", .regex = llama3_words, .whole_words = true, .bos = true},
            {.name = "llama-v3", .regex = llama3_words, .whole_words = true, .bos = true},
            {.name = "llama3", .regex = llama3_words, .whole_words = true, .bos = true},
            {.name = "falcon3", .regex = llama3_words, .whole_words = true, .bos = true},
            {.name = "pixtral", .regex = llama3_words, .whole_words = true, .bos = true}, // Mistral Small 3
            {.name = "dbrx", .regex = llama3_words},                                      // Phi-4
            {.name = "smaug-bpe", .regex = llama3_words},
            {.name = "qwen2", .regex = qwen2_words, .composes = true},
            {.name = "deepseek-r1-qwen", .regex = qwen2_words, .composes = true},
            {.name = "tekken", .regex = tekken_words, .whole_words = true, .bos = true}, // Mistral Nemo
            {.name = "gpt-4o", .regex = gpt4o_words},                                    // Phi-4-mini
            {.name = "gpt-2", .regex = ""},
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

        // A protocol buffer.
        class message
        {
        public:
            message& number(unsigned field, std::uint64_t value)
            {
                key(field, 0);
                varint(value);
                return *this;
            }
            message& real(unsigned field, float value)
            {
                key(field, 5);
                char bytes[4];
                std::memcpy(bytes, &value, 4);
                _bytes.append(bytes, 4);
                return *this;
            }
            message& bytes(unsigned field, std::string_view value)
            {
                key(field, 2);
                varint(value.size());
                _bytes += value;
                return *this;
            }
            std::string const& whole() const noexcept { return _bytes; }

        private:
            void key(unsigned field, unsigned type) { varint(std::uint64_t{field} << 3 | type); }
            void varint(std::uint64_t value)
            {
                for (; value > 127; value >>= 7)
                    _bytes += static_cast<char>(value | 128);
                _bytes += static_cast<char>(value);
            }
            std::string _bytes;
        };

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
