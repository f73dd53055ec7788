// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "byte_pairs.hpp"
#include "../describe/config.hpp"
#include "sentence_pieces.hpp"
#include "../describe/settings_file.hpp"
#include "vocabulary.hpp"
#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace engine
{
    // Throws value_error for a token that a model has no row for; `name` of what the tokens come from.
    inline void expect_tokens(std::span<token const> tokens, std::optional<token> start, config const& sizes,
                              std::string const& name)
    {
        JACKPLANE_EXPECTS(start.value_or(0) < sizes.vocabulary, jackplane::value_error, name,
                          ": the token before it is ", start.value_or(0), ", the vocabulary has ", sizes.vocabulary);
        for (std::size_t i = 0; i < tokens.size(); ++i)
            JACKPLANE_EXPECTS(tokens[i] < sizes.vocabulary, jackplane::value_error, name, ": token ", i, " is ",
                              tokens[i], ", the vocabulary has ", sizes.vocabulary);
    }

    // A vocabulary, from tokenizer.model or tokenizer.json, and what tokenizer_config.json says about its use.
    class tokenizer
    {
    public:
        // From a file, and tokenizer_config.json beside it where there is one.
        explicit tokenizer(std::filesystem::path const& file)
            : tokenizer(settings_file::contents(file), settings_beside(file), file.string())
        {
        }

        // From the bytes of a tokenizer.model or tokenizer.json, which they tell, and of a tokenizer_config.json (may
        // be empty); `name` of the first.
        tokenizer(std::string_view bytes, std::string_view settings, std::string const& name)
        {
            if (is_json(bytes))
                _words = std::make_unique<byte_pairs>(bytes, name);
            else
                _words = std::make_unique<sentence_pieces>(bytes, name);
            _bos = bos_of(settings_file(settings_name(name), settings.empty() ? "{}" : settings));
        }

        static std::unique_ptr<tokenizer> from_bytes(std::string_view bytes, std::string_view settings,
                                                     std::string const& file)
        {
            return std::make_unique<tokenizer>(bytes, settings, text(file, ": ", name_of(bytes)));
        }
        static char const* name_of(std::string_view bytes) // in a folder
        {
            return is_json(bytes) ? "tokenizer.json" : "tokenizer.model";
        }

        // The file of a folder that a tokenizer is read from; empty where there is none.
        static std::filesystem::path file_in(std::filesystem::path const& folder)
        {
            for (char const* name : {"tokenizer.model", "tokenizer.json"})
                if (is_there(folder / name))
                    return folder / name;
            return {};
        }

        // Pieces by their ids that a tokenizer_config.json adds; a tokenizer.model lacks them.
        static std::map<token, std::string> added_by(settings_file const& settings)
        {
            std::map<token, std::string> all;
            nlohmann::json const more = settings.tree().value("added_tokens_decoder", nlohmann::json());
            if (more.is_object())
                for (auto const& [id, added] : more.items())
                {
                    bool const number = !id.empty() && id.size() < 8 && id.find_first_not_of("0123456789") == id.npos;
                    auto const piece = added.is_object() ? added.value("content", nlohmann::json()) : nlohmann::json();
                    if (number && piece.is_string())
                        all.emplace(static_cast<token>(std::stoul(id)), piece.get<std::string>());
                }
            return all;
        }

        // The bytes of tokenizer_config.json beside a tokenizer's file; empty without one.
        static std::string settings_beside(std::filesystem::path const& file)
        {
            auto const settings = file.parent_path() / "tokenizer_config.json";
            return is_there(settings) ? settings_file::contents(settings) : std::string();
        }

        std::size_t size() const { return _words->size(); }

        // ends: where each token ends in the text, in bytes. Everything up to there that no earlier token has counts as
        // the token's own, so that the bytes of all tokens are those of the text, whatever normalization makes of them.
        std::vector<token> encode(std::string_view text, std::vector<std::size_t>* ends = nullptr) const
        {
            std::vector<std::size_t> unused;
            return _words->encode(text, ends != nullptr ? *ends : unused);
        }

        // From the start of a text on: after what starts one, if this tokenizer does that.
        std::vector<token> encode_from_start(std::string_view text) const { return from_start(encode(text)); }
        std::vector<token> from_start(std::vector<token> tokens) const
        {
            if (_bos)
                tokens.insert(tokens.begin(), *_bos);
            return tokens;
        }

        // The ends of tokens alone, as their pieces are spelled; nothing if one of them is unknown.
        std::optional<std::vector<std::size_t>> spelled_ends(std::span<token const> tokens) const
        {
            std::vector<std::size_t> ends;
            std::size_t end = 0;
            for (token const t : tokens)
            {
                if (t >= size() || _words->is_unknown(t))
                    return {};
                ends.push_back(end += bytes(t).size());
            }
            return ends;
        }

        std::string decode(std::span<token const> tokens) const
        {
            std::string text;
            for (token const t : tokens)
                text += bytes(t);
            return text;
        }

        // What stands before a text, if anything does: `add_bos_token` decides; without it the post-processor of a
        // tokenizer.json; without that whether there is a BOS and the kind of tokenizer puts it there.
        std::optional<token> bos() const noexcept { return _bos; }

        // As the tokenizer spells it; below size().
        std::string const& piece(token t) const { return _words->piece(t); }

        // The bytes one token stands for; none for what only marks a place, as BOS.
        std::string bytes(token t) const { return t >= size() ? std::string() : _words->bytes(t); } // models pad theirs

    private:
        // A SentencePiece model may begin with "\n{\n" too, but not with what opens a key.
        static bool is_json(std::string_view bytes)
        {
            constexpr char const* space = " \t\r\n";
            auto const open = bytes.find_first_not_of(space);
            if (open == bytes.npos || bytes[open] != '{')
                return false;
            auto const key = bytes.find_first_not_of(space, open + 1);
            return key == bytes.npos || bytes[key] == '"' || bytes[key] == '}';
        }

        static std::string settings_name(std::string const& file) // beside it, or inside the same file
        {
            for (char const* name : {"tokenizer.model", "tokenizer.json"})
                if (auto const at = file.rfind(name); at != file.npos)
                    return file.substr(0, at) + "tokenizer_config.json";
            return file + "tokenizer_config.json";
        }

        // Whether a BOS is put before a text where nothing else says so: GPT-2's kind has one and leaves it out.
        static bool starts_texts(settings_file const& settings)
        {
            if (!settings.has("tokenizer_class"))
                return true;
            auto const& name = settings.tree()["tokenizer_class"];
            settings.expect(name.is_string(), "tokenizer_class", "a name");
            constexpr std::string_view known[] = {"Llama", "CodeLlama", "Gemma", "Cohere"};
            return std::any_of(std::begin(known), std::end(known),
                               [&](auto kind) { return name.get<std::string>().starts_with(kind); });
        }

        std::optional<token> bos_of(settings_file const& settings) const
        {
            text_start const own = _words->start();
            if (own.decided && !settings.has("add_bos_token"))
                return own.piece;
            bool const is_null = settings.tree().contains("bos_token") && !settings.has("bos_token");
            bool const known = !is_null && (settings.has("bos_token") || own.piece);
            if (!settings.flag("add_bos_token", known && (!own.by_class || starts_texts(settings))))
                return std::nullopt;
            settings.expect(known, "add_bos_token", "false: there is no token that starts a text");
            if (!settings.has("bos_token"))
                return own.piece;
            auto const& value = settings.tree()["bos_token"]; // a piece, or an object around it
            auto const piece = value.is_object() ? value.value("content", nlohmann::json()) : value;
            settings.expect(piece.is_string(), "bos_token", "a piece of the tokenizer");
            return id_of(piece.get<std::string>(), settings);
        }

        // A piece by its text; the settings may name pieces that the model lacks.
        token id_of(std::string const& piece, settings_file const& settings) const
        {
            if (auto const id = _words->id_of(piece))
                return *id;
            for (auto const& [id, added] : added_by(settings))
                if (added == piece)
                    return id;
            settings.expect(false, "bos_token", text("one of the ", size(), " pieces of the tokenizer"));
            return 0;
        }

        std::unique_ptr<vocabulary> _words;
        std::optional<token> _bos;
    };
}
