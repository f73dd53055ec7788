// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "forward.hpp"
#include <sentencepiece_processor.h>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace llama
{
    // A SentencePiece model.
    class tokenizer
    {
    public:
        explicit tokenizer(std::filesystem::path const& file)
        {
            check(_processor.LoadFromSerializedProto(settings_file::contents(file)), file.string());
            look_at_newlines();
        }

        // From the bytes of a tokenizer.model; `file` names them in errors.
        static std::unique_ptr<tokenizer> from_bytes(std::string_view bytes, std::string const& file)
        {
            std::unique_ptr<tokenizer> t(new tokenizer);
            check(t->_processor.LoadFromSerializedProto(std::string(bytes)), file + ": tokenizer.model");
            t->look_at_newlines();
            return t;
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

        // The same of tokens alone, as their pieces are spelled; nothing if one of them is unknown.
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

        // What starts a text, if this tokenizer defines it.
        std::optional<token> bos() const
        {
            return _processor.bos_id() < 0 ? std::nullopt : std::optional(static_cast<token>(_processor.bos_id()));
        }

        // The bytes one token stands for.
        std::string bytes(token t) const
        {
            if (t >= size()) // models pad their vocabulary
                return {};
            int const id = static_cast<int>(t);
            std::string const piece = _processor.IdToPiece(id);
            if (_processor.IsByte(id)) // "<0x0A>"
                return {static_cast<char>(std::stoi(piece.substr(3, 2), nullptr, 16))};
            if (_processor.IsControl(id) || _processor.IsUnknown(id))
                return {};
            static constexpr std::string_view space = "\xe2\x96\x81"; // U+2581 stands for a space
            std::string out;
            for (std::size_t at = 0; at < piece.size();)
            {
                bool const is_space = piece.compare(at, space.size(), space) == 0;
                out += is_space ? ' ' : piece[at];
                at += is_space ? space.size() : 1;
            }
            return out;
        }

    private:
        tokenizer() = default;

        static void check(sentencepiece::util::Status const& status, std::string const& file)
        {
            JACKPLANE_EXPECTS(status.ok(), jackplane::format_error, file,
                              ": not a SentencePiece model: ", std::string(status.message()));
        }

        // Where a newline is a symbol of its own and nothing is put before a text, lines can be encoded one by one.
        void look_at_newlines()
        {
            _newline = _processor.PieceToId("\n");
            std::vector<token> const both = encode("a\na"), one = encode("a"); // as a whole yet
            std::vector<token> joined = one;
            joined.push_back(static_cast<token>(_newline));
            joined.insert(joined.end(), one.begin(), one.end());
            _by_line = both == joined;
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
        int _newline = -1;
        bool _by_line = false;
    };
}
