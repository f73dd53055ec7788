// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../json_place.hpp"
#include "word_rules.hpp"
#include <unicode/regex.h>
#include <unicode/unistr.h>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace engine
{
    inline void expect_icu(UErrorCode status, char const* what)
    {
        JACKPLANE_EXPECTS(U_SUCCESS(status), jackplane::value_error, "tokenizer: ", what, ": ", u_errorName(status));
    }

    // What a file looks for: a string, or a regular expression as Oniguruma, the original's engine, reads it.
    class pattern
    {
    public:
        static pattern of(json_place const& from)
        {
            from.only({"String", "Regex"});
            bool const exact = !from.at("String").is_null();
            from.expect(exact == from.at("Regex").is_null(), "one of String and Regex");
            json_place const place = from.at(exact ? "String" : "Regex");
            place.expect(!place.string().empty(), "a pattern");
            pattern out;
            if (exact)
                out._string = place.string();
            else
                out.compile(place);
            return out;
        }

        static pattern of(std::string exact)
        {
            pattern out;
            out._string = std::move(exact);
            return out;
        }

        static pattern of_regex(char const* regex) // one of ours
        {
            pattern out;
            UParseError where;
            UErrorCode status = U_ZERO_ERROR;
            out._regex.reset(icu::RegexPattern::compile(icu::UnicodeString::fromUTF8(regex), flags, where, status));
            expect_icu(status, regex);
            return out;
        }

        std::string const& exact() const noexcept { return _string; } // empty: a regular expression

        // found(i, match) for every match in words[i], in order.
        template <class Found>
        void each(std::string_view text, std::vector<text_range> const& words, Found&& found) const
        {
            if (_regex)
                return each_regex(text, words, found);
            for (std::size_t i = 0; i < words.size(); ++i)
            {
                std::string_view const word = text.substr(0, words[i].end);
                for (std::size_t at = words[i].begin; (at = word.find(_string, at)) != word.npos;)
                {
                    found(i, text_range{at, at + _string.size()});
                    at += _string.size();
                }
            }
        }

    private:
        // Lines end at \n alone, and ^ and $ know them.
        static constexpr std::uint32_t flags = UREGEX_MULTILINE | UREGEX_UNIX_LINES;

        pattern() = default;

        void compile(json_place const& place)
        {
            std::string const regex = as_icu(place);
            UParseError where{};
            UErrorCode status = U_ZERO_ERROR;
            _regex.reset(icu::RegexPattern::compile(icu::UnicodeString::fromUTF8(regex), flags, where, status));
            place.expect(U_SUCCESS(status),
                         text("a regular expression; ICU says ", u_errorName(status), " at character ", where.offset));
        }

        // Where the two engines read a regular expression differently it is written for ICU, or refused.
        static std::string as_icu(json_place const& place)
        {
            constexpr std::string_view letters = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}]"; // ICU's have joiners, too
            constexpr std::string_view escapes = "bBGhHkKOQRXyYZ";
            std::string const& regex = place.string();
            auto const refuse = [&](std::string_view what)
            { place.expect(false, text("a regular expression without ", what, ", which is not read here")); };
            std::string out;
            std::size_t depth = 0; // of [sets]
            for (std::size_t i = 0; i < regex.size(); ++i)
            {
                std::string_view const rest = std::string_view(regex).substr(i);
                bool const escaped = rest[0] == '\\' && rest.size() > 1;
                auto const refuse_any = [&](std::initializer_list<std::string_view> list)
                {
                    for (std::string_view const what : list)
                        if (rest.starts_with(what))
                            refuse(what);
                };
                if (depth > 0)
                    refuse_any({"[:", "--", "-[", "&["});
                else if (rest.starts_with("(?"))
                {
                    constexpr std::string_view known[] = {"(?:", "(?=", "(?!", "(?>", "(?i:", "(?<=", "(?<!"};
                    bool const all = i == 0 && rest.starts_with("(?i)");
                    if (!all && std::none_of(std::begin(known), std::end(known),
                                             [&](std::string_view k) { return rest.starts_with(k); }))
                        refuse(rest.substr(0, 4));
                }
                if (escaped && escapes.find(rest[1]) != escapes.npos)
                    refuse(rest.substr(0, 2));
                // A set of its own is repeated without a step back for each character: runs of white space are long.
                bool const alone = escaped && depth == 0 && std::string_view("sSdD").find(rest[1]) != rest.npos;
                if (escaped && (rest[1] == 'w' || rest[1] == 'W'))
                    out.append(rest[1] == 'w' ? "[" : "[^").append(letters);
                else
                    out.append(alone ? "[" : "").append(rest.substr(0, escaped ? 2 : 1)).append(alone ? "]" : "");
                depth += rest[0] == '[';
                depth -= rest[0] == ']' && depth > 0;
                i += escaped;
            }
            return out;
        }

        // The same place counted in bytes and in units of UTF-16.
        struct cursor
        {
            void to_byte(std::size_t end)
            {
                while (byte < end)
                    step();
            }
            void to_unit(std::int32_t end)
            {
                while (unit < end)
                    step();
            }
            void step()
            {
                auto const lead = static_cast<unsigned char>(text[byte]);
                byte += lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
                unit += lead < 0xf0 ? 1 : 2;
            }

            std::string_view text;
            std::size_t byte = 0;
            std::int32_t unit = 0;
        };

        template <class Found>
        void each_regex(std::string_view text, std::vector<text_range> const& words, Found& found) const
        {
            UErrorCode status = U_ZERO_ERROR;
            auto const units =
                icu::UnicodeString::fromUTF8(icu::StringPiece(text.data(), static_cast<std::int32_t>(text.size())));
            std::unique_ptr<icu::RegexMatcher> const matcher(_regex->matcher(units, status));
            expect_icu(status, "a regular expression");
            matcher->setStackLimit(1 << 26, status); // bytes
            // In 10,000 steps back, for one word: a pattern that would take minutes is an error.
            matcher->setTimeLimit(20'000 + static_cast<std::int32_t>(text.size() / 100), status);
            cursor edge{text}, at{text};
            for (std::size_t i = 0; i < words.size(); ++i)
            {
                edge.to_byte(words[i].begin);
                std::int32_t const begin = edge.unit;
                edge.to_byte(words[i].end);
                matcher->region(begin, edge.unit, status); // what is outside is not seen
                while (matcher->find(status))
                {
                    text_range match{};
                    at.to_unit(matcher->start(status));
                    match.begin = at.byte;
                    at.to_unit(matcher->end(status));
                    match.end = at.byte;
                    found(i, match);
                }
                expect_icu(status, "a regular expression on this text");
            }
        }

        std::string _string;
        std::shared_ptr<icu::RegexPattern const> _regex;
    };
}
