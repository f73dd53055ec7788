// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/store/foreign.hpp>
#include "vocabulary.hpp"
#include <sentencepiece_processor.h>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace engine
{
    // A SentencePiece model: tokenizer.model.
    class sentence_pieces final : public vocabulary
    {
    public:
        sentence_pieces(std::string_view bytes, std::string const& name)
        {
            auto const status = _processor.LoadFromSerializedProto(std::string(bytes));
            std::string const found = bytes.empty() ? "an empty file" : jackplane::detail::foreign(bytes);
            bool const damaged = found.empty() || found == "a SentencePiece model"; // begins like one
            JACKPLANE_EXPECTS(status.ok() && !bytes.empty(), jackplane::format_error, name,
                              ": not a SentencePiece model: ", damaged ? std::string(status.message()) : found);
            look_at_newlines();
        }

        std::size_t size() const override { return static_cast<std::size_t>(_processor.GetPieceSize()); }

        std::vector<token> encode(std::string_view text, std::vector<std::size_t>& ends) const override
        {
            std::vector<token> out;
            ends.clear();
            out.reserve(text.size() / 3);
            for (std::size_t begin = 0; begin < text.size();)
            {
                std::size_t const end = _by_line ? text.find('\n', begin) : std::string_view::npos;
                add_pieces(text.substr(begin, end - begin), begin, out, ends);
                if (end == std::string_view::npos)
                    break;
                out.push_back(static_cast<token>(_newline));
                ends.push_back(begin = end + 1);
            }
            if (!ends.empty())
                ends.back() = text.size();
            return out;
        }

        std::string const& piece(token t) const override { return _processor.IdToPiece(static_cast<int>(t)); }

        std::string bytes(token t) const override
        {
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

        bool is_unknown(token t) const override { return _processor.IsUnknown(static_cast<int>(t)); }

        std::optional<token> id_of(std::string const& piece) const override
        {
            int const id = _processor.PieceToId(piece); // the unknown piece's where there is none
            if (id < 0 || _processor.IdToPiece(id) != piece)
                return std::nullopt;
            return static_cast<token>(id);
        }

        text_start start() const override
        {
            int const id = _processor.bos_id();
            return {id >= 0 ? std::optional(static_cast<token>(id)) : std::nullopt, false};
        }

    private:
        // Where a newline is a symbol of its own and nothing is put before a text, lines can be encoded one by one.
        void look_at_newlines()
        {
            _newline = _processor.PieceToId("\n");
            std::vector<std::size_t> ends;
            auto const joins = [&](std::string const& line) // encoded as a whole yet, as _by_line is false
            {
                std::vector<token> const one = encode(line, ends);
                std::vector<token> joined = one;
                joined.push_back(static_cast<token>(_newline));
                joined.insert(joined.end(), one.begin(), one.end());
                return encode(line + "\n" + line, ends) == joined;
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
        int _newline = -1;
        bool _by_line = false;
    };
}
