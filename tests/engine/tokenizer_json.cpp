// SPDX-License-Identifier: BSD-3-Clause
// What tokenizer.json may say beside its byte pairs, and what ends in an error.
#include "tokenizer_files.hpp"
#include <doctest/doctest.h>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace engine::of_tokenizers
{
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
