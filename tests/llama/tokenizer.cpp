// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>
#include <llama/tokenizer.hpp>
#include <llama/config.hpp>
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace llama
{
    namespace
    {
        std::filesystem::path root()
        {
            char const* const folder = std::getenv("JACKPLANE_ROOT");
            return std::filesystem::path(folder ? folder : ".") / "examples/llama";
        }
    }

    TEST_CASE("llama: the tokenizer of the repository's model loses no byte")
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

    TEST_CASE("llama: a file that is no tokenizer is one line of error")
    {
        std::ofstream("no.model") << "no";
        CHECK_THROWS_AS(tokenizer("no.model"), jackplane::format_error);
        CHECK_THROWS_AS(tokenizer("absent.model"), jackplane::error);
    }
}
