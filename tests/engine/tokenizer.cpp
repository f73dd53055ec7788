// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>
#include <engine/tokenize/tokenizer.hpp>
#include <engine/describe/config.hpp>
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace engine
{
    namespace
    {
        std::filesystem::path root()
        {
            char const* const folder = std::getenv("JACKPLANE_ROOT");
            return std::filesystem::path(folder ? folder : ".") / "examples";
        }
    }

    TEST_CASE("engine: the tokenizer of the repository's model loses no byte")
    {
        tokenizer const t(root() / "model/tokenizer.model");
        CHECK(t.size() == 4096);
        CHECK_FALSE(t.bos().has_value());
        for (std::string const& text : {settings_file::contents(root() / "data/test.txt"),
                                        std::string("\n\n  two lines,\n\tcaf\xc3\xa9 \xf0\x9f\x8c\x8d 1611 \n")})
        {
            std::vector<std::size_t> ends;
            auto const tokens = t.encode(text, &ends);
            CHECK(t.decode(tokens) == text);
            auto const spelled = *t.spelled_ends(tokens);
            REQUIRE(ends.size() == tokens.size());
            CHECK(ends.back() == text.size());
            CHECK(spelled.back() == text.size());
            CHECK(std::is_sorted(ends.begin(), ends.end()));
            if (std::all_of(text.begin(), text.end(), [](char c) { return c > 0; })) // no character of several tokens
                CHECK(ends == spelled);
        }
    }

    TEST_CASE("engine: tokenizer_config.json decides what stands before a text")
    {
        std::string const model = settings_file::contents(root() / "model/tokenizer.model");
        auto const bos = [&](std::string const& settings)
        { return tokenizer(model, settings, "tokenizer.model").bos(); };
        auto const piece = [&](std::string const& bytes) { return tokenizer(model, "", "x").encode(bytes).front(); };
        CHECK_FALSE(bos("").has_value()); // none of its own
        CHECK_FALSE(bos("{}").has_value());
        CHECK_FALSE(bos(R"({"add_bos_token":false,"bos_token":"the"})").has_value());
        CHECK_FALSE(bos(R"({"bos_token":null})").has_value());
        CHECK(bos(R"({"add_bos_token":true,"bos_token":"the"})") == piece("the"));
        CHECK(bos(R"({"bos_token":{"content":"the","lstrip":false}})") == piece("the"));
        CHECK(bos(R"({"bos_token":"<s>","added_tokens_decoder":{"4096":{"content":"<s>"}}})") == 4096);
        CHECK(tokenizer(model, R"({"bos_token":"the"})", "x").encode_from_start("a") ==
              std::vector<token>{piece("the"), piece("a")});
        CHECK_THROWS_WITH_AS(bos(R"({"add_bos_token":true})"),
                             "tokenizer_config.json: 'add_bos_token' is true, expected false: there is no token that "
                             "starts a text",
                             jackplane::format_error);
        CHECK_THROWS_WITH_AS(bos(R"({"bos_token":"<s>"})"),
                             "tokenizer_config.json: 'bos_token' is \"<s>\", expected one of the 4096 pieces of the "
                             "tokenizer",
                             jackplane::format_error);
        CHECK_THROWS_AS(bos(R"({"add_bos_token":"no"})"), jackplane::format_error);
        CHECK_THROWS_AS(bos("{,}"), jackplane::format_error);
    }

    TEST_CASE("engine: a file that is no tokenizer is one line of error that says what it is")
    {
        std::ofstream("no.model") << "no";
        CHECK_THROWS_AS(tokenizer("no.model"), jackplane::format_error);
        CHECK_THROWS_AS(tokenizer("absent.model"), jackplane::error);
        for (auto const& [bytes, name] : std::map<std::string, std::string>{
                 {"", "an empty file"},
                 {std::string("GGUF\3\0\0\0", 8),
                  "a GGUF file; a model, which quantize and eval read"},
                 {"\x1f\x8b\x08", "a gzip archive; unpack it first"},
                 {"{version: 1.0, layers: 2}", "a JSON text"}})
            CHECK_THROWS_WITH_AS(tokenizer(bytes, "", "t"), ("t: not a SentencePiece model: " + name).c_str(),
                                 jackplane::format_error);
    }
}
