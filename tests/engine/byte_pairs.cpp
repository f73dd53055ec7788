// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>
#include <engine/tokenize/tokenizer.hpp>
#include <nlohmann/json.hpp>
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace engine
{
    namespace
    {
        using nlohmann::json;
        using tokens_and_ends = std::pair<std::vector<token>, std::vector<std::size_t>>;

        std::string utf8(std::uint32_t c)
        {
            auto const six = [c](int shift) { return static_cast<char>(0x80 | (c >> shift & 0x3f)); };
            if (c < 0x80)
                return {static_cast<char>(c)};
            if (c < 0x800)
                return {static_cast<char>(0xc0 | c >> 6), six(0)};
            if (c < 0x10000)
                return {static_cast<char>(0xe0 | c >> 12), six(6), six(0)};
            return {static_cast<char>(0xf0 | c >> 18), six(12), six(6), six(0)};
        }

        json by_bytes(json const& more = json::object())
        {
            json out = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
            out.update(more);
            return out;
        }

        json split(json const& pattern, std::string const& behavior = "Isolated", bool invert = false)
        {
            return {{"type", "Split"}, {"pattern", pattern}, {"behavior", behavior}, {"invert", invert}};
        }

        // A file with the 256 bytes as pieces 0 ... 255 in the order of bytes, and merges from 256 on.
        json bytes_file(std::vector<std::pair<std::string, std::string>> const& merges)
        {
            json vocabulary, list = json::array();
            std::uint32_t others = 256;
            for (std::uint32_t b = 0; b < 256; ++b)
            {
                bool const printable = (33 <= b && b <= 126) || (161 <= b && b <= 172) || b >= 174;
                vocabulary[utf8(printable ? b : others++)] = b;
            }
            for (auto const& [left, right] : merges)
            {
                if (!vocabulary.contains(left + right))
                    vocabulary[left + right] = vocabulary.size();
                list.push_back(left + " " + right);
            }
            return {{"version", "1.0"},
                    {"pre_tokenizer", by_bytes()},
                    {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", list}}}};
        }

        // A file with <0x00> ... as pieces 0 ... 255, these characters after them, then merges.
        json characters_file(std::vector<std::string> const& characters,
                             std::vector<std::pair<std::string, std::string>> const& merges)
        {
            json vocabulary, list = json::array();
            for (int b = 0; b < 256; ++b)
            {
                constexpr char digits[] = "0123456789ABCDEF";
                vocabulary[std::string("<0x") + digits[b >> 4] + digits[b & 15] + ">"] = b;
            }
            for (std::string const& c : characters)
                vocabulary[c] = vocabulary.size();
            for (auto const& [left, right] : merges)
            {
                vocabulary[left + right] = vocabulary.size();
                list.push_back(json::array({left, right}));
            }
            json const normalizer = {{"type", "Sequence"},
                                     {"normalizers",
                                      {{{"type", "Prepend"}, {"prepend", "\u2581"}},
                                       {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "\u2581"}}}}};
            return {{"normalizer", normalizer},
                    {"model", {{"byte_fallback", true}, {"vocab", vocabulary}, {"merges", list}}}};
        }

        tokenizer made(json const& file, std::string const& settings = "")
        {
            return tokenizer(file.dump(), settings, "m/tokenizer.json");
        }

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

        json with(json file, std::string const& pointer, json const& value)
        {
            file[json::json_pointer(pointer)] = value;
            return file;
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

    TEST_CASE("engine: the post-processor or tokenizer_config.json decides what stands before a text")
    {
        json file = bytes_file({});
        file["added_tokens"] = {{{"id", 256}, {"content", "<s>"}, {"special", true}},
                                {{"id", 257}, {"content", "<t>"}, {"special", true}}};
        auto const bos = [](json const& f, std::string const& settings) { return made(f, settings).bos(); };
        CHECK_FALSE(bos(file, "").has_value());
        CHECK(bos(file, R"({"bos_token":"<t>"})") == 257);
        CHECK(bos(file, R"({"bos_token":"<t>","tokenizer_class":"LlamaTokenizerFast"})") == 257);
        CHECK_FALSE(bos(file, R"({"bos_token":"<t>","tokenizer_class":"GPT2Tokenizer"})").has_value());
        CHECK(bos(file, R"({"bos_token":"<t>","tokenizer_class":"GPT2Tokenizer","add_bos_token":true})") == 257);
        CHECK_THROWS_AS(bos(file, R"({"add_bos_token":true})"), jackplane::format_error);
        CHECK_THROWS_WITH_AS(bos(file, R"({"bos_token":"<u>"})"),
                             "m/tokenizer_config.json: 'bos_token' is \"<u>\", expected one of the 258 pieces of the "
                             "tokenizer",
                             jackplane::format_error);
        json const text_alone = {{{"Sequence", {{"id", "A"}, {"type_id", 0}}}}};
        json started = text_alone;
        started.insert(started.begin(), json{{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}});
        json const ids = {{"<s>", {{"id", "<s>"}, {"ids", {256}}, {"tokens", {"<s>"}}}}};
        json const adds = {{"type", "TemplateProcessing"}, {"single", started}, {"special_tokens", ids}};
        json const adds_none = {{"type", "TemplateProcessing"}, {"single", text_alone}, {"special_tokens", ids}};
        file["post_processor"] = adds;
        CHECK(bos(file, "") == 256);
        CHECK(bos(file, R"({"bos_token":null})") == 256);
        CHECK_FALSE(bos(file, R"({"add_bos_token":false})").has_value());
        CHECK(made(file).encode_from_start("a") == std::vector<token>{256, 'a'});
        CHECK(made(file).encode("a") == std::vector<token>{'a'});
        file["post_processor"] = {{"type", "Sequence"}, {"processors", {by_bytes(), adds}}};
        CHECK(bos(file, "") == 256);
        file["post_processor"] = adds_none;
        CHECK_FALSE(bos(file, R"({"bos_token":"<t>"})").has_value());
        file["post_processor"] = by_bytes();
        CHECK(bos(file, R"({"bos_token":"<t>"})") == 257);
        json ended = started;
        ended.push_back(started[0]);
        auto const refused = [&](json const& p)
        { CHECK_THROWS_AS(made(with(file, "/post_processor", p)), jackplane::format_error); };
        refused(with(adds, "/single", ended));
        refused(with(adds, "/single", json::array()));
        refused(with(adds, "/single", 1));
        refused(with(adds, "/special_tokens/<s>/ids", {256, 257}));
        refused(with(adds, "/special_tokens/<s>/ids", {258}));
        refused(with(adds, "/special_tokens", json::object()));
        refused({{"type", "Sequence"}, {"processors", {adds, adds}}});
        refused({{"type", "BertProcessing"}});
    }

    TEST_CASE("engine: what a tokenizer.json says and the engine does not do is an error that names the key")
    {
        json const bytes = bytes_file({{"a", "b"}}), characters = characters_file({"a", "b"}, {{"a", "b"}});
        auto const error = [](json const& file) -> std::string
        {
            try
            {
                made(file);
            }
            catch (jackplane::format_error const& e)
            {
                return e.what();
            }
            return "";
        };
        CHECK(error(bytes).empty());
        CHECK(error(characters).empty());
        CHECK(error(with(bytes, "/normalizer", {{"type", "Lowercase"}})) ==
              "m/tokenizer.json: 'normalizer.type' is \"Lowercase\", expected NFC, Prepend, Replace or Sequence");
        auto const last = [&](json const& step) {
            return with(bytes, "/pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", {by_bytes(), step}}});
        };
        json const added = {{"id", 257}, {"content", "x<"}};
        struct one
        {
            json file;
            char const* key;
        };
        for (auto const& [file, key] : std::vector<one>{
                 {with(bytes, "/model/type", "Unigram"), "model.type"},
                 {with(bytes, "/model/dropout", 0.1), "model.dropout"},
                 {with(bytes, "/model/unk_token", "<unk>"), "model.unk_token"},
                 {with(bytes, "/model/fuse_unk", "no"), "model.fuse_unk"},
                 {with(bytes, "/model/continuing_subword_prefix", "##"), "model.continuing_subword_prefix"},
                 {with(bytes, "/model/end_of_word_suffix", "</w>"), "model.end_of_word_suffix"},
                 {with(bytes, "/model/ignore_merges", 1), "model.ignore_merges"},
                 {with(bytes, "/model/news", 1), "model.news"},
                 {with(bytes, "/model", nullptr), "model"},
                 {with(bytes, "/model/vocab", json::array()), "model.vocab"},
                 {with(bytes, "/model/vocab", nullptr), "model.vocab"},
                 {with(bytes, "/model/vocab/ab", -1), "model.vocab.ab"},
                 {with(bytes, "/model/vocab/ab", 1.5), "model.vocab.ab"},
                 {with(bytes, "/model/vocab/ab", "256"), "model.vocab.ab"},
                 {with(bytes, "/model/vocab/ab", std::uint64_t{1} << 32), "model.vocab.ab"},
                 {with(bytes, "/model/vocab/ab", 70'000), "model.vocab.ab"},
                 {with(bytes, "/model/vocab/b", 97), "model.vocab.b"}, // a's
                 {with(bytes, "/model/merges", nullptr), "model.merges"},
                 {with(bytes, "/model/merges/0", "ab"), "model.merges[0]"},
                 {with(bytes, "/model/merges/0", "a b c"), "model.merges[0]"},
                 {with(bytes, "/model/merges/0", "a c"), "model.merges[0]"},
                 {with(bytes, "/model/merges/0", "zz b"), "model.merges[0]"},
                 {with(bytes, "/model/merges/0", {"a"}), "model.merges[0]"},
                 {with(bytes, "/model/merges/0", {"a", 1}), "model.merges[0]"},
                 {with(bytes, "/pre_tokenizer", nullptr), "model.byte_fallback"},
                 {with(characters, "/model/byte_fallback", false), "model.byte_fallback"},
                 {with(bytes, "/news", 1), "news"},
                 {with(bytes, "/version", "2.0"), "version"},
                 {with(bytes, "/truncation", json::object()), "truncation"},
                 {with(bytes, "/padding", json::object()), "padding"},
                 {with(bytes, "/normalizer", {{"type", "NFC"}, {"form", 1}}), "normalizer.form"},
                 {with(bytes, "/normalizer", {{"type", "Prepend"}}), "normalizer.prepend"},
                 {with(bytes, "/normalizer", {{"type", "Sequence"}, {"normalizers", {{{"type", "NFKC"}}}}}),
                  "normalizer.normalizers[0].type"},
                 {with(bytes, "/normalizer", {{"type", "Replace"}, {"pattern", "a"}, {"content", "b"}}),
                  "normalizer.pattern"},
                 {with(bytes, "/normalizer", "NFC"), "normalizer"},
                 {with(bytes, "/pre_tokenizer/type", "Whitespace"), "pre_tokenizer.type"},
                 {with(bytes, "/pre_tokenizer/use_regex", "yes"), "pre_tokenizer.use_regex"},
                 {last(by_bytes()), "pre_tokenizer.pretokenizers[1].type"}, // nothing follows ByteLevel
                 {with(bytes, "/pre_tokenizer", split({{"String", ""}})), "pre_tokenizer.pattern.String"},
                 {with(bytes, "/pre_tokenizer", split({{"Regex", "("}})), "pre_tokenizer.pattern.Regex"},
                 {with(bytes, "/pre_tokenizer", split({{"Regex", "\\h"}})), "pre_tokenizer.pattern.Regex"},
                 {with(bytes, "/pre_tokenizer", split({{"Regex", "(?m:.)"}})), "pre_tokenizer.pattern.Regex"},
                 {with(bytes, "/pre_tokenizer", split({{"Regex", "[[:alpha:]]"}})), "pre_tokenizer.pattern.Regex"},
                 {with(bytes, "/pre_tokenizer", split({{"Regex", "a"}, {"String", "a"}})), "pre_tokenizer.pattern"},
                 {with(bytes, "/pre_tokenizer", split({{"Regex", "a"}}, "Merged")), "pre_tokenizer.behavior"},
                 {with(characters, "/pre_tokenizer", {{"type", "Metaspace"}, {"replacement", "_"}}),
                  "pre_tokenizer.replacement"}, // the normalizer has another sign
                 {with(characters, "/pre_tokenizer",
                       {{"type", "Metaspace"}, {"replacement", "\u2581"}, {"prepend_scheme", "last"}}),
                  "pre_tokenizer.prepend_scheme"},
                 {with(characters, "/pre_tokenizer",
                       {{"type", "Metaspace"},
                        {"replacement", "\u2581"},
                        {"prepend_scheme", "first"},
                        {"add_prefix_space", false}}),
                  "pre_tokenizer.add_prefix_space"},
                 {with(bytes, "/added_tokens", {1}), "added_tokens[0]"},
                 {with(bytes, "/added_tokens", {{{"id", 256}, {"content", "c"}}}), "added_tokens[0].id"},
                 {with(bytes, "/added_tokens", {{{"id", 256}, {"content", "cc"}}}), "added_tokens[0].id"},
                 {with(bytes, "/added_tokens", {{{"content", "cc"}}}), "added_tokens[0].id"},
                 {with(bytes, "/added_tokens", {{{"id", 257}, {"content", ""}}}), "added_tokens[0].content"},
                 {with(with(bytes, "/added_tokens", json::array({added})), "/added_tokens/0/lstrip", 1),
                  "added_tokens[0].lstrip"},
                 {with(with(bytes, "/added_tokens", json::array({added})), "/added_tokens/0/news", 1),
                  "added_tokens[0].news"},
                 {with(bytes, "/decoder", {{"type", "WordPiece"}}), "decoder.type"},
                 {with(bytes, "/decoder", {{"type", "ByteFallback"}}), "decoder.type"},
                 {with(characters, "/decoder", {{"type", "ByteLevel"}}), "decoder.type"},
                 {with(characters, "/decoder",
                       {{"type", "Sequence"},
                        {"decoders", {{{"type", "Replace"}, {"pattern", {{"String", "_"}}}, {"content", " "}}}}}),
                  "decoder.decoders[0]"},
                 {with(characters, "/decoder", {{"type", "Strip"}, {"content", "x"}, {"start", 1}, {"stop", 0}}),
                  "decoder"},
             })
        {
            CAPTURE(error(file));
            CHECK(error(file).starts_with(std::string("m/tokenizer.json: '") + key + "' is "));
        }
        json missing = bytes;
        missing["model"]["vocab"].erase("a");
        missing["model"]["merges"] = json::array();
        CHECK(error(missing) ==
              "m/tokenizer.json: 'model.vocab' is without 'a', expected a piece for every byte of a text");
        missing = bytes;
        missing["model"]["vocab"].erase(utf8(0xff)); // no text in UTF-8 has it
        CHECK(error(missing).empty());
        CHECK_THROWS_WITH_AS(tokenizer(R"({"a": 1, "a": 2})", "", "t"),
                             "t: line 1, column 12: expected every key once, found 'a' twice", jackplane::format_error);
    }

    TEST_CASE("engine: decoders that say what is done here are read")
    {
        json const space = {{"type", "Replace"}, {"pattern", {{"String", "\u2581"}}}, {"content", " "}};
        json const strip = {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}};
        json const list = {space, {{"type", "ByteFallback"}}, {{"type", "Fuse"}}, strip};
        CHECK_NOTHROW(made(with(characters_file({}, {}), "/decoder", {{"type", "Sequence"}, {"decoders", list}})));
        CHECK_NOTHROW(
            made(with(characters_file({}, {}), "/decoder", {{"type", "Metaspace"}, {"replacement", "\u2581"}})));
        CHECK_NOTHROW(made(with(bytes_file({}), "/decoder", by_bytes())));
    }

    TEST_CASE("engine: a damaged tokenizer.json is an error, whatever stands where")
    {
        json file = characters_file({"\u2581", "a", "b"}, {{"a", "b"}});
        file["added_tokens"] = {{{"id", 300}, {"content", "<s>"}, {"special", true}, {"normalized", false}}};
        file["pre_tokenizer"] = split({{"Regex", "\\s+"}});
        file["post_processor"] = {{"type", "TemplateProcessing"},
                                  {"single", {{{"SpecialToken", {{"id", "<s>"}}}}, {{"Sequence", {{"id", "A"}}}}}},
                                  {"special_tokens", {{"<s>", {{"ids", {300}}}}}}};
        file["decoder"] = {{"type", "Sequence"}, {"decoders", {{{"type", "Fuse"}}}}};
        CHECK_NOTHROW(made(file));
        json const others = {nullptr, true, -1, 1e30, "x", json::array(), json::object(), {1}, {{"type", "Sequence"}}};
        json const flat = file.flatten();
        std::size_t refused = 0, all = 0;
        for (auto const& [pointer, value] : flat.items())
            if (!pointer.starts_with("/model/vocab") || pointer.ends_with("a"))
                for (json const& other : others)
                    for (std::string at = pointer; !at.empty(); at = at.substr(0, at.rfind('/')))
                        try
                        {
                            ++all;
                            made(with(file, at, other)).encode("ab <s> \u00e9");
                        }
                        catch (jackplane::format_error const&)
                        {
                            ++refused;
                        }
        CHECK(refused > all / 2);
        std::string const text = file.dump();
        for (std::size_t size = 1; size < text.size(); size += 97)
            CHECK_THROWS_AS(tokenizer(text.substr(0, size), "", "t"), jackplane::format_error);
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

    TEST_CASE("engine: the tokenizer of a folder")
    {
        auto const folder = std::filesystem::temp_directory_path() / "jackplane_tokenizer_of_a_folder";
        std::filesystem::remove_all(folder);
        std::filesystem::create_directory(folder);
        CHECK(tokenizer::file_in(folder).empty());
        std::ofstream(folder / "tokenizer.json") << bytes_file({{"a", "b"}}).dump(2);
        std::ofstream(folder / "tokenizer_config.json") << R"({"bos_token":"ab"})";
        REQUIRE(tokenizer::file_in(folder) == folder / "tokenizer.json");
        CHECK(tokenizer(tokenizer::file_in(folder)).bos() == 256);
        std::ofstream(folder / "tokenizer.model") << "as before";
        CHECK(tokenizer::file_in(folder) == folder / "tokenizer.model");
        std::filesystem::remove_all(folder);
        CHECK(tokenizer::from_bytes(bytes_file({}).dump(), "", "m.jackplane")->size() == 256);
        CHECK_THROWS_WITH_AS(tokenizer::from_bytes("{}", "", "m.jackplane"),
                             "m.jackplane: tokenizer.json: 'model' is null, expected an object",
                             jackplane::format_error);
    }
}
