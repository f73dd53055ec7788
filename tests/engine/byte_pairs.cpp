// SPDX-License-Identifier: BSD-3-Clause
#include "tokenizer_files.hpp"
#include <doctest/doctest.h>
#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace engine::of_tokenizers
{
    namespace
    {
        std::vector<std::string> pieces(json const& file, std::string const& text)
        {
            tokenizer const t = made(file);
            std::vector<std::string> out;
            for (token const one : t.encode(text))
                out.push_back(t.piece(one));
            return out;
        }

        std::vector<std::size_t> ends(json const& file, std::string const& text)
        {
            std::vector<std::size_t> out;
            made(file).encode(text, &out);
            return out;
        }

        // What the text is cut into before anything is merged: by merges that join every two letters.
        std::vector<std::string> words(std::vector<json> const& steps, std::string const& text)
        {
            json file = bytes_file({});
            json const before = file["pre_tokenizer"];
            json list = json(steps);
            list.push_back(before);
            file["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", list}};
            file["model"]["ignore_merges"] = true; // a word that is a piece is one token
            std::vector<std::string> const known = {"a",  "b",  "..",  "a.",  ".b", ".", "a1", "12", "ab",   "1",
                                                    "b2", "ba", "a..", "..b", "1b", "2", "b.", ".a", "a..b", "b12"};
            for (std::string const& w : known)
                if (!file["model"]["vocab"].contains(w))
                    file["model"]["vocab"][w] = file["model"]["vocab"].size();
            return pieces(file, text);
        }

        using strings = std::vector<std::string>;
    }

    TEST_CASE("engine: byte pairs lose no byte, and end where their pieces do")
    {
        tokenizer const t = made(bytes_file({{"t", "h"}, {"th", "e"}, {"\u0120", "the"}, {"\u0120", "\u0120"}}));
        CHECK(t.size() == 260);
        CHECK(t.encode("the  the   ") == std::vector<token>{257, 32, 258, 259, 32});
        CHECK(t.encode(" the") == std::vector<token>{258});
        CHECK(t.bytes(258) == " the");
        CHECK(t.piece(258) == "\u0120the");
        CHECK(t.encode("").empty());
        std::mt19937 random(1);
        std::string text(1, '\0');
        for (int i = 0; i < 4000; ++i)
            text += utf8(static_cast<std::uint32_t>(random() % 4 == 0   ? random() % 0xd800
                                                    : random() % 4 == 0 ? 0x10000 + random() % 0x100000
                                                                        : random() % 128));
        std::vector<std::size_t> found;
        auto const tokens = t.encode(text, &found);
        CHECK(t.decode(tokens) == text);
        CHECK(found == *t.spelled_ends(tokens));
        CHECK_FALSE(t.spelled_ends(std::vector<token>{260}).has_value()); // models pad their vocabulary
        CHECK(t.bytes(260).empty());
        CHECK(t.decode(t.encode("a\xff\xc3z\xe2\x82")) == "a\ufffd\ufffdz\ufffd"); // no UTF-8
        std::vector<std::size_t> const wrong = {1, 2, 2, 2, 3, 3, 3, 4, 6, 6, 6};
        CHECK(ends(bytes_file({}), "a\xff\xc3z\xe2\x82") == wrong);
    }

    TEST_CASE("engine: byte pairs are merged by rank, from left to right")
    {
        std::mt19937 random(2);
        for (int round = 0; round < 20; ++round)
        {
            std::vector<std::pair<std::string, std::string>> merges; // of strings of a, b and c
            strings known = {"a", "b", "c"};
            while (merges.size() < 30)
            {
                std::pair const next(known[random() % known.size()], known[random() % known.size()]);
                std::string const joined = next.first + next.second;
                if (joined.size() > 6 || std::find(merges.begin(), merges.end(), next) != merges.end())
                    continue;
                if (std::find(known.begin(), known.end(), joined) == known.end())
                    known.push_back(joined);
                merges.push_back(next);
            }
            json const file = bytes_file(merges);
            json pairs = file;
            for (json& m : pairs["model"]["merges"])
            {
                std::string const line = m;
                m = {line.substr(0, line.find(' ')), line.substr(line.find(' ') + 1)};
            }
            for (std::size_t size : {1, 2, 3, 5, 17, 64, 65, 300})
            {
                std::string text;
                while (text.size() < size)
                    text += static_cast<char>('a' + random() % 3);
                strings expected; // the definition: each merge wherever it applies, in order, until none does
                for (char const c : text)
                    expected.push_back({c});
                for (bool again = true; again;)
                {
                    again = false;
                    for (auto const& [left, right] : merges)
                    {
                        std::size_t i = 0;
                        while (i + 1 < expected.size() && !(expected[i] == left && expected[i + 1] == right))
                            ++i;
                        if (i + 1 >= expected.size())
                            continue;
                        expected[i] += right;
                        expected.erase(expected.begin() + static_cast<std::ptrdiff_t>(i) + 1);
                        again = true;
                        break;
                    }
                }
                CHECK(pieces(file, text) == expected);
                CHECK(pieces(pairs, text) == expected);
            }
        }
    }

    TEST_CASE("engine: ignore_merges takes a whole word that is a piece")
    {
        json file = bytes_file({{"a", "b"}});
        file["model"]["vocab"]["\u0120abc"] = 300; // no merge makes it; 257 ... 299 are no pieces
        CHECK(pieces(file, " abc") == strings{"\u0120", "ab", "c"});
        file["model"]["ignore_merges"] = true;
        CHECK(pieces(file, " abc") == strings{"\u0120abc"});
        CHECK(pieces(file, "abc") == strings{"ab", "c"});
        tokenizer const t = made(file);
        CHECK(t.size() == 301);
        CHECK(t.bytes(280).empty());
        CHECK_FALSE(t.spelled_ends(std::vector<token>{280}).has_value());
    }

    TEST_CASE("engine: a text is cut where the file says")
    {
        json const dot = {{"String", "."}}, regex = {{"Regex", "\\."}};
        for (json const& pattern : {dot, regex})
        {
            auto const cut = [&](char const* behavior) { return words({split(pattern, behavior)}, "a..b"); };
            CHECK(cut("Isolated") == strings{"a", ".", ".", "b"});
            CHECK(cut("Removed") == strings{"a", "b"});
            CHECK(cut("Contiguous") == strings{"a", "..", "b"});
            CHECK(cut("MergedWithPrevious") == strings{"a.", ".", "b"});
            CHECK(cut("MergedWithNext") == strings{"a", ".", ".b"});
        }
        CHECK(words({split({{"Regex", "[ab]"}}, "Removed", true)}, "a..b") == strings{"a", "b"});
        CHECK(words({split({{"Regex", "x*"}})}, "ab") == strings{"a", "b"}); // matches of nothing
        CHECK(words({}, "a..b") == strings{"a..b"});
        json const digits = {{"type", "Digits"}, {"individual_digits", true}};
        CHECK(words({digits}, "b12") == strings{"b", "1", "2"});
        CHECK(words({json{{"type", "Digits"}}}, "b12") == strings{"b", "12"});
        CHECK(words({split(dot), digits}, "a1.b") == strings{"a", "1", ".", "b"});
        CHECK(words({split({{"Regex", "^."}})}, "ab\nab") == strings{"a", "b", "\u010a", "a", "b"}); // of each line
        // A regular expression sees a word, not what is around it.
        CHECK(words({split(dot), split({{"Regex", "a(?!\\.)"}}, "Removed")}, "a.b") == strings{".", "b"});
        CHECK(ends(with(bytes_file({}), "/pre_tokenizer",
                        {{"type", "Sequence"}, {"pretokenizers", {split(dot, "Removed"), by_bytes()}}}),
                   "a..b.") == std::vector<std::size_t>{1, 5});
    }

    TEST_CASE("engine: GPT-2's words")
    {
        json file = with(bytes_file({}), "/pre_tokenizer", by_bytes({{"use_regex", true}}));
        file["model"]["ignore_merges"] = true;
        strings const known = {"I",        "'ve", "\u0120don", "'t",          "\u0120\u0120",
                               "\u012042", "!?",  "\u0120x",   "\u010a\u010a"};
        for (std::string const& w : known)
            if (!file["model"]["vocab"].contains(w))
                file["model"]["vocab"][w] = file["model"]["vocab"].size();
        CHECK(pieces(file, "I've don't   42!? x\n\n") ==
              strings{"I", "'ve", "\u0120don", "'t", "\u0120\u0120", "\u012042", "!?", "\u0120x", "\u010a\u010a"});
        file["pre_tokenizer"]["add_prefix_space"] = true;
        CHECK(pieces(file, "x x") == strings{"\u0120x", "\u0120x"});
        CHECK(ends(file, "x x") == std::vector<std::size_t>{1, 3});
    }

    TEST_CASE("engine: characters without a piece are bytes, and spaces have a sign of their own")
    {
        json const file = characters_file({"\u2581", "a", "b"}, {{"a", "b"}, {"\u2581", "ab"}});
        CHECK(pieces(file, "ab ab") == strings{"\u2581ab", "\u2581ab"});
        CHECK(ends(file, "ab ab") == std::vector<std::size_t>{2, 5});
        CHECK(pieces(file, "b\u00e9") == strings{"\u2581", "b", "<0xC3>", "<0xA9>"});
        CHECK(ends(file, "b\u00e9") == std::vector<std::size_t>{0, 1, 2, 3});
        tokenizer const t = made(file);
        CHECK(t.decode(t.encode("b\u00e9 ab\n")) == " b\u00e9 ab\n");
        CHECK(t.encode("").empty());
        json const without = with(file, "/normalizer", nullptr);
        auto const mark = [&](json const& more)
        {
            json step = {{"type", "Metaspace"}, {"replacement", "\u2581"}};
            step.update(more);
            return pieces(with(without, "/pre_tokenizer", step), "ab ab");
        };
        strings const always = {"\u2581ab", "\u2581ab"}, never = {"ab", "\u2581ab"};
        CHECK(mark(json::object()) == always);
        CHECK(mark({{"add_prefix_space", true}}) == always);
        CHECK(mark({{"add_prefix_space", false}}) == never);
        CHECK(mark({{"prepend_scheme", "always"}, {"split", false}}) == always);
        CHECK(mark({{"prepend_scheme", "first"}}) == always);
        CHECK(mark({{"prepend_scheme", "never"}, {"add_prefix_space", false}}) == never);
        json cut = with(without, "/pre_tokenizer",
                        {{"type", "Metaspace"}, {"replacement", "\u2581"}, {"prepend_scheme", "first"}});
        cut["added_tokens"] = {{{"id", 300}, {"content", "<x>"}, {"special", true}}};
        CHECK(pieces(cut, "ab<x>ab") == strings{"\u2581ab", "<x>", "ab"});
        cut["pre_tokenizer"]["prepend_scheme"] = "always";
        CHECK(pieces(cut, "ab<x>ab") == strings{"\u2581ab", "<x>", "\u2581ab"});
        CHECK(ends(cut, "ab<x>ab") == std::vector<std::size_t>{2, 5, 7});
        CHECK(made(cut).decode(made(cut).encode("ab<x>ab")) == " ab ab"); // a special token stands for no text
    }

    TEST_CASE("engine: what normalization changes ends where its source does")
    {
        json const file = with(bytes_file({}), "/normalizer", {{"type", "NFC"}});
        CHECK(made(file).decode(made(file).encode("xe\u0301y")) == "x\u00e9y");
        CHECK(ends(file, "xe\u0301y") == std::vector<std::size_t>{1, 4, 4, 5});
        CHECK(ends(file, "x\u00e9y") == std::vector<std::size_t>{1, 2, 3, 4}); // inside a character
        json const shorter = with(bytes_file({}), "/normalizer",
                                  {{"type", "Replace"}, {"pattern", {{"Regex", "\\s+"}}}, {"content", "-"}});
        CHECK(made(shorter).decode(made(shorter).encode("a \t b ")) == "a-b-");
        CHECK(ends(shorter, "a \t b ") == std::vector<std::size_t>{1, 4, 5, 6});
        json const gone = with(shorter, "/normalizer/content", "");
        CHECK(ends(gone, "a  b  ") == std::vector<std::size_t>{1, 6});
        CHECK(ends(gone, "  ").empty());
    }

    TEST_CASE("engine: added tokens are cut out before words are")
    {
        json file = with(bytes_file({{"a", "b"}}), "/normalizer", {{"type", "NFC"}});
        auto const add = [&](std::string const& content, json const& flags)
        {
            json one = {{"id", 257 + file["added_tokens"].size()}, {"content", content}};
            one.update(flags);
            file["added_tokens"].push_back(one);
        };
        add("<s>", {{"special", true}});
        add("<s>>", {{"normalized", false}});
        add("cab", {{"single_word", true}, {"normalized", false}});
        add("||", {{"lstrip", true}, {"rstrip", true}, {"normalized", false}});
        add("\u212b", {{"normalized", true}}); // found as U+00C5, however it is written
        CHECK(pieces(file, "ab<s>ab<s>>") == strings{"ab", "<s>", "ab", "<s>>"});
        CHECK(pieces(file, "cab cabs") == strings{"cab", "\u0120", "c", "ab", "s"});
        CHECK(pieces(file, "ab \n|| ||\tab") == strings{"ab", "||", "||", "ab"});
        CHECK(ends(file, "ab \n|| ||\tab") == std::vector<std::size_t>{2, 7, 10, 12});
        CHECK(pieces(file, "A\u030a") == strings{"\u212b"});
        tokenizer const t = made(file);
        CHECK(t.size() == 262);
        CHECK(t.bytes(257).empty()); // special
        CHECK(t.bytes(258) == "<s>>");
        CHECK(t.decode(t.encode("ab<s>>||")) == "ab<s>>||");
        json same = bytes_file({{"a", "b"}});
        same["added_tokens"] = {{{"id", 256}, {"content", "ab"}}}; // a piece of the model
        CHECK(made(same).size() == 257);
    }

    TEST_CASE("engine: long words and patterns that never end")
    {
        std::string const letters(300'000, 'a');
        tokenizer const t = made(bytes_file({{"a", "a"}, {"aa", "aa"}}));
        CHECK(t.encode(letters).size() == letters.size() / 4);
        json const runs = with(bytes_file({}), "/pre_tokenizer",
                               {{"type", "Sequence"},
                                {"pretokenizers", {split({{"Regex", "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}}), by_bytes()}}});
        std::string const spaces(1'000'000, ' ');
        CHECK(made(runs).encode(spaces + "a").size() == spaces.size() + 1);
        CHECK(made(with(runs, "/pre_tokenizer", by_bytes({{"use_regex", true}}))).encode(spaces).size() ==
              spaces.size());
        json const hopeless = {{"type", "Sequence"},
                               {"pretokenizers", {split({{"Regex", "(a*)*(a*)*b"}}), by_bytes()}}};
        CHECK_THROWS_AS(made(with(bytes_file({}), "/pre_tokenizer", hopeless)).encode(letters), jackplane::value_error);
    }
}
