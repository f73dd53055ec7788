// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/store/foreign.hpp>
#include "config.hpp"
#include "settings_file.hpp"
#include <sentencepiece_processor.h>
#include <cstddef>
#include <filesystem>
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

    // A SentencePiece model, and what tokenizer_config.json says about its use.
    class tokenizer
    {
    public:
        // From a file, and tokenizer_config.json beside it where there is one.
        explicit tokenizer(std::filesystem::path const& file)
            : tokenizer(settings_file::contents(file), settings_beside(file), file.string())
        {
        }

        // From the bytes of a tokenizer.model and of a tokenizer_config.json (may be empty); `name` of the first.
        tokenizer(std::string_view bytes, std::string_view settings, std::string const& name)
        {
            auto const status = _processor.LoadFromSerializedProto(std::string(bytes));
            std::string const found = bytes.empty() ? "an empty file" : jackplane::detail::foreign(bytes);
            bool const damaged = found.empty() || found == "a SentencePiece model"; // begins like one
            JACKPLANE_EXPECTS(status.ok() && !bytes.empty(), jackplane::format_error, name,
                              ": not a SentencePiece model: ", damaged ? std::string(status.message()) : found);
            look_at_newlines();
            _bos = bos_of(settings_file(settings_name(name), settings.empty() ? "{}" : settings));
        }

        static std::unique_ptr<tokenizer> from_bytes(std::string_view bytes, std::string_view settings,
                                                     std::string const& file)
        {
            return std::make_unique<tokenizer>(bytes, settings, file + ": tokenizer.model");
        }

        // The bytes of tokenizer_config.json beside a tokenizer.model; empty without one.
        static std::string settings_beside(std::filesystem::path const& file)
        {
            auto const settings = file.parent_path() / "tokenizer_config.json";
            return is_there(settings) ? settings_file::contents(settings) : std::string();
        }

        std::size_t size() const { return static_cast<std::size_t>(_processor.GetPieceSize()); }

        // ends: where each token ends in the text, in bytes. Everything up to there that no earlier token has counts as
        // the token's own, so that the bytes of all tokens are those of the text, whatever normalization makes of them.
        std::vector<token> encode(std::string_view text, std::vector<std::size_t>* ends = nullptr) const
        {
            std::vector<token> out;
            std::vector<std::size_t> at;
            out.reserve(text.size() / 3);
            for (std::size_t begin = 0; begin < text.size();)
            {
                std::size_t const end = _by_line ? text.find('\n', begin) : std::string_view::npos;
                add_pieces(text.substr(begin, end - begin), begin, out, at);
                if (end == std::string_view::npos)
                    break;
                out.push_back(static_cast<token>(_newline));
                at.push_back(begin = end + 1);
            }
            if (!at.empty())
                at.back() = text.size();
            if (ends != nullptr)
                *ends = std::move(at);
            return out;
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
                if (t >= size() || _processor.IsUnknown(static_cast<int>(t)))
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

        // What stands before a text, if anything does: `add_bos_token` decides, without it whether there is a BOS.
        std::optional<token> bos() const noexcept { return _bos; }

        // As the tokenizer spells it; below size().
        std::string const& piece(token t) const { return _processor.IdToPiece(static_cast<int>(t)); }

        // The bytes one token stands for.
        std::string bytes(token t) const
        {
            if (t >= size()) // models pad their vocabulary
                return {};
            int const id = static_cast<int>(t);
            std::string const& spelled = piece(t);
            if (_processor.IsByte(id)) // "<0x0A>"
                return {static_cast<char>(std::stoi(spelled.substr(3, 2), nullptr, 16))};
            if (_processor.IsControl(id) || _processor.IsUnknown(id))
                return {};
            static constexpr std::string_view space = "\xe2\x96\x81"; // U+2581 stands for a space
            std::string out;
            for (std::size_t at = 0; at < spelled.size();)
            {
                bool const is_space = spelled.compare(at, space.size(), space) == 0;
                out += is_space ? ' ' : spelled[at];
                at += is_space ? space.size() : 1;
            }
            return out;
        }

    private:
        static std::string settings_name(std::string const& model) // beside it, or inside the same file
        {
            return model.substr(0, model.rfind("tokenizer.model")) + "tokenizer_config.json";
        }

        std::optional<token> bos_of(settings_file const& settings) const
        {
            bool const is_null = settings.tree().contains("bos_token") && !settings.has("bos_token");
            bool const known = !is_null && (settings.has("bos_token") || _processor.bos_id() >= 0);
            if (!settings.flag("add_bos_token", known))
                return std::nullopt;
            settings.expect(known, "add_bos_token", "false: there is no token that starts a text");
            if (!settings.has("bos_token"))
                return static_cast<token>(_processor.bos_id());
            auto const& value = settings.tree()["bos_token"]; // a piece, or an object around it
            auto const piece = value.is_object() ? value.value("content", nlohmann::json()) : value;
            settings.expect(piece.is_string(), "bos_token", "a piece of the tokenizer");
            return id_of(piece.get<std::string>(), settings);
        }

        // A piece by its text; the settings may name pieces that the model lacks.
        token id_of(std::string const& piece, settings_file const& settings) const
        {
            if (int const id = _processor.PieceToId(piece); id >= 0 && _processor.IdToPiece(id) == piece)
                return static_cast<token>(id);
            nlohmann::json const more = settings.tree().value("added_tokens_decoder", nlohmann::json());
            if (more.is_object())
                for (auto const& [id, added] : more.items())
                {
                    bool const number = !id.empty() && id.size() < 8 && id.find_first_not_of("0123456789") == id.npos;
                    if (number && added.is_object() && added.value("content", nlohmann::json()) == piece)
                        return static_cast<token>(std::stoul(id));
                }
            settings.expect(false, "bos_token", text("one of the ", size(), " pieces of the tokenizer"));
            return 0;
        }

        // Where a newline is a symbol of its own and nothing is put before a text, lines can be encoded one by one.
        void look_at_newlines()
        {
            _newline = _processor.PieceToId("\n");
            auto const joins = [this](std::string const& line) // encoded as a whole yet, as _by_line is false
            {
                std::vector<token> const one = encode(line);
                std::vector<token> joined = one;
                joined.push_back(static_cast<token>(_newline));
                joined.insert(joined.end(), one.begin(), one.end());
                return encode(line + "\n" + line) == joined;
            };
            _by_line = joins("a") && joins(" a  ") && joins(""); // spaces at the ends of lines stay what they are
        }

        void add_pieces(std::string_view text, std::size_t begin, std::vector<token>& tokens,
                        std::vector<std::size_t>& ends) const
        {
            sentencepiece::ImmutableSentencePieceText found;
            auto const status = _processor.Encode(std::string(text), found.mutable_proto());
            JACKPLANE_EXPECTS(status.ok(), jackplane::value_error, "tokenizer: ", std::string(status.message()));
            for (auto const& piece : found.pieces())
            {
                tokens.push_back(piece.id());
                ends.push_back(begin + piece.end());
            }
        }

        sentencepiece::SentencePieceProcessor _processor;
        std::optional<token> _bos;
        int _newline = -1;
        bool _by_line = false;
    };
}
