// SPDX-License-Identifier: BSD-3-Clause
#include "byte_pairs.hpp"
#include "byte_alphabet.hpp"
#include <cstdint>
#include <string>
#include <string_view>

namespace engine
{
    namespace
    {
        std::string hexadecimal(std::size_t byte) // "<0x0A>"
        {
            constexpr char digits[] = "0123456789ABCDEF";
            return {'<', '0', 'x', digits[byte >> 4], digits[byte & 15], '>'};
        }

        bool in_utf8(std::size_t byte) { return byte != 0xc0 && byte != 0xc1 && byte < 0xf5; }
    }

    byte_pairs::byte_pairs(settings_file const& file) : _rules(json_place(file))
    {
        json_place const all(file);
        all.only({"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor",
                  "decoder", "model"});
        json_place const version = all.at("version");
        version.expect(version.is_null() || version.value() == "1.0", "\"1.0\"");
        for (char const* key : {"truncation", "padding"})
            all.at(key).expect(all.at(key).is_null(), "null: a text is read as it is");
        read_vocabulary(all.at("model").at("vocab"), all.at("added_tokens"));
        read_model(all.at("model"));
        read_added(all.at("added_tokens"));
        expect_decoder(all.at("decoder"));
        _start = start_of(all.at("post_processor"));
    }

    void byte_pairs::read_vocabulary(json_place const& pieces, json_place const& added)
    {
        pieces.expect(pieces.value().is_object() && !pieces.value().empty(), "an object of pieces");
        // Files leave some ids to no piece. As many as these cost nothing.
        std::size_t const most = pieces.value().size() + (added.is_null() ? 0 : added.elements()) + 65'536;
        auto const id_in = [&](nlohmann::json const& value) -> std::optional<token>
        {
            bool const fits = value.is_number_unsigned() && value.get<std::uint64_t>() < most;
            return fits ? std::optional(value.get<token>()) : std::nullopt;
        };
        _ids.reserve(pieces.value().size());
        for (auto const& [piece, value] : pieces.value().get_ref<nlohmann::json::object_t const&>())
        {
            auto const id = id_in(value);
            if (!id)
                pieces.at(piece).expect(false, text("an id below ", most));
            if (*id >= _pieces.size())
            {
                _pieces.resize(*id + 1);
                _kinds.resize(*id + 1, kind::none);
            }
            if (_kinds[*id] != kind::none)
                pieces.at(piece).expect(false, text("an id of its own; '", _pieces[*id], "' has it"));
            _pieces[*id] = piece;
            _kinds[*id] = kind::plain;
            _ids.emplace(piece, *id);
        }
        for (std::size_t i = 0; !added.is_null() && i < added.elements(); ++i)
        {
            json_place const one = added.at(i), id_place = one.at("id"), content = one.at("content");
            auto const id = id_in(id_place.value());
            id_place.expect(id.has_value(), text("an id below ", most));
            content.expect(!content.string().empty(), "a text");
            if (auto const known = id_of(content.string()))
            {
                id_place.expect(*known == *id, text(*known, ", the id of this piece in 'model.vocab'"));
                continue;
            }
            if (*id >= _pieces.size())
            {
                _pieces.resize(*id + 1);
                _kinds.resize(*id + 1, kind::none);
            }
            id_place.expect(_kinds[*id] == kind::none, "an id of its own");
            _pieces[*id] = content.string();
            _kinds[*id] = kind::added;
            _ids_beside.emplace(content.string(), *id);
        }
    }

    void byte_pairs::read_model(json_place const& model)
    {
        model.only({"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
                    "byte_fallback", "ignore_merges", "vocab", "merges"});
        json_place const type = model.at("type"); // old files have none
        type.expect(type.is_null() || type.value() == "BPE", "BPE");
        json_place const dropout = model.at("dropout");
        dropout.expect(dropout.is_null() || dropout.value() == 0, "null: tokens do not depend on chance here");
        for (char const* key : {"continuing_subword_prefix", "end_of_word_suffix"})
            model.at(key).expect(model.at(key).is_null() || model.at(key).value() == "", "null");
        model.at("fuse_unk").flag(false); // no matter: every byte has a piece, or read_bytes() says that it has not
        if (json_place const unknown = model.at("unk_token"); !unknown.is_null())
        {
            _unknown = id_of(unknown.string());
            unknown.expect(_unknown.has_value(), "null or a piece");
        }
        _whole_words = model.at("ignore_merges").flag(false);
        read_bytes(model);
        read_merges(model.at("merges"));
    }

    void byte_pairs::read_bytes(json_place const& model)
    {
        bool const falls_back = model.at("byte_fallback").flag(false);
        bool const by_bytes = _rules.byte_level();
        model.at("byte_fallback").expect(by_bytes || falls_back, "true, or ByteLevel in 'pre_tokenizer'");
        for (std::size_t b = 0; b < 256; ++b)
        {
            std::string const spelled = by_bytes ? byte_alphabet::gpt2().spelled[b] : hexadecimal(b);
            auto const found = _ids.find(spelled);
            if (found == _ids.end())
            {
                if (in_utf8(b))
                    model.at("vocab").refuse(text("without '", spelled, "'"), "a piece for every byte of a text");
                continue;
            }
            _byte_ids[b] = found->second;
            if (!by_bytes)
                _kinds[found->second] = kind::byte;
        }
    }

    void byte_pairs::read_merges(json_place const& merges)
    {
        std::size_t const count = merges.elements();
        _merges.reserve(count);
        std::string both;
        for (std::size_t i = 0; i < count; ++i)
        {
            nlohmann::json const& one = merges.value()[i];
            std::string_view left, right;
            if (one.is_string()) // "a b"
            {
                std::string_view const line = one.get_ref<std::string const&>();
                auto const space = line.find(' ');
                if (space == line.npos || line.find(' ', space + 1) != line.npos)
                    merges.at(i).expect(false, "two pieces with a space between them");
                left = line.substr(0, space);
                right = line.substr(space + 1);
            }
            else
            {
                if (!(one.is_array() && one.size() == 2 && one[0].is_string() && one[1].is_string()))
                    merges.at(i).expect(false, "two pieces");
                left = one[0].get_ref<std::string const&>();
                right = one[1].get_ref<std::string const&>();
            }
            both.assign(left).append(right);
            auto const l = _ids.find(left), r = _ids.find(right), b = _ids.find(both);
            if (l == _ids.end() || r == _ids.end() || b == _ids.end())
                merges.at(i).expect(false, "two pieces of 'model.vocab' that are one there when joined");
            _merges[pair_of(l->second, r->second)] = {static_cast<std::uint32_t>(i), b->second}; // the last counts
        }
    }

    void byte_pairs::read_added(json_place const& added)
    {
        for (std::size_t i = 0; !added.is_null() && i < added.elements(); ++i)
        {
            json_place const one = added.at(i), content = one.at("content");
            one.only({"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
            added_token const how{*id_of(content.string()), one.at("single_word").flag(false),
                                  one.at("lstrip").flag(false), one.at("rstrip").flag(false)};
            bool const special = one.at("special").flag(false);
            if (special || _kinds[how.id] != kind::byte)
                _kinds[how.id] = special ? kind::special : kind::added;
            if (!one.at("normalized").flag(!special))
            {
                _added.add(content.string(), how);
                continue;
            }
            passage p = passage::of(content.string());
            _rules.normalize(p);
            content.expect(!p.text.empty(), "a text that is not empty when normalized");
            _added_to_normalized.add(p.text, how);
        }
    }

    // Tokens are read back as the other rules imply; what the file says has to be that.
    void byte_pairs::expect_decoder(json_place const& decoder) const
    {
        if (decoder.is_null())
            return;
        json_place const type = decoder.at("type");
        std::string const& name = type.string();
        std::string const space = _rules.space().empty() ? " " : _rules.space();
        if (name == "Sequence")
        {
            for (json_place const& part : decoder.sequence("decoders"))
                expect_decoder(part);
        }
        else if (name == "ByteLevel")
        {
            decoder.only({"type", "add_prefix_space", "trim_offsets", "use_regex"}); // say nothing to a decoder
            type.expect(_rules.byte_level(), "no ByteLevel, as 'pre_tokenizer' has none");
        }
        else if (name == "ByteFallback")
        {
            decoder.only({"type"});
            type.expect(!_rules.byte_level(), "no ByteFallback after ByteLevel");
        }
        else if (name == "Replace")
        {
            decoder.only({"type", "pattern", "content"});
            decoder.expect(decoder.at("pattern").value() == nlohmann::json{{"String", space}} &&
                               decoder.at("content").value() == " ",
                           text("a space for '", space, "'"));
        }
        else if (name == "Strip") // what is put before a text is that text's space here, wherever tokens stand
        {
            decoder.only({"type", "content", "start", "stop"});
            decoder.expect(decoder.at("content").value() == " " && decoder.at("stop").value() == 0,
                           "spaces at the start alone");
        }
        else if (name == "Metaspace")
        {
            decoder.only({"type", "replacement", "add_prefix_space", "prepend_scheme", "split", "str_rep"});
            decoder.at("replacement").expect(decoder.at("replacement").value() == space, text("'", space, "'"));
        }
        else
        {
            type.expect(name == "Fuse", "ByteLevel, ByteFallback, Replace, Strip, Metaspace, Fuse or Sequence");
            decoder.only({"type"});
        }
    }

    text_start byte_pairs::start_of(json_place const& post_processor) const
    {
        constexpr text_start undecided{std::nullopt, false, true};
        if (post_processor.is_null())
            return undecided;
        json_place const type = post_processor.at("type");
        text_start out = undecided;
        if (type.value() == "Sequence")
        {
            for (json_place const& each : post_processor.sequence("processors"))
            {
                text_start const part = start_of(each);
                each.expect(!(out.decided && part.decided), "one TemplateProcessing alone");
                if (part.decided)
                    out = part;
            }
        }
        else if (type.value() == "ByteLevel") // offsets
            post_processor.only({"type", "add_prefix_space", "trim_offsets", "use_regex"});
        else if (type.value() == "TemplateProcessing")
        {
            post_processor.only({"type", "single", "pair", "special_tokens"});
            json_place const single = post_processor.at("single");
            std::size_t const count = single.elements();
            single.expect((count == 1 || count == 2) && single.at(count - 1).value().contains("Sequence"),
                          "a text (Sequence) and at most one SpecialToken before it");
            out.decided = true;
            if (count == 2)
            {
                std::string const& name = single.at(0).at("SpecialToken").at("id").string();
                json_place const tokens = post_processor.at("special_tokens").at(name).at("ids");
                tokens.expect(tokens.elements() == 1, "one token");
                auto const& id = tokens.value()[0];
                bool const known = id.is_number_unsigned() && id.get<std::uint64_t>() < size() &&
                                   _kinds[id.get<std::size_t>()] != kind::none;
                tokens.at(0).expect(known, "the id of a piece");
                out.piece = id.get<token>();
            }
        }
        else
            type.expect(false, "TemplateProcessing, ByteLevel or Sequence");
        return out;
    }
}
