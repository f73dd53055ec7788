// SPDX-License-Identifier: BSD-3-Clause
#include "pieces.hpp"
#include "../../tokenize/gguf/message.hpp"
#include "../../tokenize/gguf/token_type.hpp"
#include "../../tokenize/tokenizer.hpp"
#include <algorithm>
#include <utility>

namespace engine
{
    void pieces_there::set(std::size_t id, std::string piece, std::int32_t type)
    {
        if (id >= tokens.size())
        {
            tokens.resize(id + 1);
            types.resize(id + 1, token_type::unused);
        }
        tokens[id] = std::move(piece);
        types[id] = type;
    }

    void pieces_there::name_empty()
    {
        for (std::size_t i = 0; i < tokens.size(); ++i)
            if (tokens[i].empty() && types[i] == token_type::unused)
                tokens[i] = text("[PAD", i, "]");
    }

    std::optional<std::size_t> pieces_there::id_of(std::string const& piece) const
    {
        auto const found = std::find(tokens.begin(), tokens.end(), piece);
        return found == tokens.end() ? std::nullopt : std::optional(static_cast<std::size_t>(found - tokens.begin()));
    }

    namespace
    {
        constexpr std::string_view space = "\xe2\x96\x81"; // U+2581 stands for one

        // sentencepiece_model.proto of SentencePiece's sources names the fields; what is not there has these values.
        struct rules
        {
            std::uint64_t kind = 1, suffix = 0, unknown = 0, bos = 1, eos = 2; // of TrainerSpec
            std::uint64_t prefix = 1, removes = 1, escapes = 1;                // of NormalizerSpec
            bool normalizes = false;
        };
        struct rule
        {
            std::uint64_t spec, field;
            std::uint64_t rules::*place;
        };
        constexpr std::uint64_t trainer = 2, normalizer = 3; // fields of the whole
        constexpr rule all_rules[] = {{trainer, 3, &rules::kind},       {trainer, 24, &rules::suffix},
                                      {trainer, 40, &rules::unknown},   {trainer, 41, &rules::bos},
                                      {trainer, 42, &rules::eos},       {normalizer, 3, &rules::prefix},
                                      {normalizer, 4, &rules::removes}, {normalizer, 5, &rules::escapes}};

        void read_rules(rules& to, std::uint64_t spec, std::string_view bytes)
        {
            message_reader fields(bytes);
            while (auto const f = fields.next())
            {
                for (rule const& each : all_rules)
                    if (each.spec == spec && each.field == f->number)
                        to.*each.place = f->value;
                to.normalizes = to.normalizes || (spec == normalizer && f->number == 2 && !f->bytes.empty());
            }
        }

        void add_piece(pieces_there& to, std::string_view bytes)
        {
            std::string piece;
            float score = 0;
            std::int32_t type = token_type::normal;
            message_reader fields(bytes);
            while (auto const f = fields.next())
                if (f->number == 1)
                    piece = f->bytes;
                else if (f->number == 2)
                    score = f->real();
                else if (f->number == 3)
                    type = static_cast<std::int32_t>(f->value);
            if (type == token_type::user_defined) // whose spaces are spaces there
                for (std::size_t at = 0; (at = piece.find(space, at)) != piece.npos;)
                    piece.replace(at, space.size(), 1, ' ');
            to.set(to.tokens.size(), std::move(piece), type);
            to.scores.push_back(score);
        }
    }

    pieces_there sentence_pieces_there(std::string_view bytes, settings_file const& settings,
                                       jackplane::gguf::metadata& to)
    {
        pieces_there all;
        rules r;
        message_reader fields(bytes);
        while (auto const f = fields.next())
            if (f->number == 1)
                add_piece(all, f->bytes);
            else
                read_rules(r, f->number, f->bytes);
        auto const expect = [](bool right, char const* expected)
        {
            JACKPLANE_EXPECTS(right, jackplane::format_error, "tokenizer.model: expected ", expected,
                              ": llama.cpp reads no other SentencePiece model from GGUF files");
        };
        expect(r.kind == 2, "one of byte pairs (BPE)");
        expect(!r.normalizes, "texts that are not normalized");
        expect(r.removes == 0, "spaces that stay as they are");
        expect(r.escapes == 1 && r.suffix == 0, "spaces that are written as U+2581, before a word");
        std::size_t const own = all.tokens.size();
        for (auto const& [id, piece] : tokenizer::added_by(settings))
            if (id >= own)
            {
                auto const& how = settings.tree()["added_tokens_decoder"][std::to_string(id)];
                all.set(id, piece, how.value("special", false) ? token_type::control : token_type::user_defined);
                all.scores.resize(id + 1, pieces_there::score_of_added);
            }
        auto const known = [&](std::uint64_t id) { return id < own ? std::optional<std::size_t>(id) : std::nullopt; };
        all.bos = known(r.bos);
        all.eos = known(r.eos);
        all.unknown = known(r.unknown);
        to.set("tokenizer.ggml.model", std::string("llama"));
        to.set("tokenizer.ggml.pre", std::string("default"));
        to.set("tokenizer.ggml.add_space_prefix", r.prefix != 0);
        return all;
    }
}
