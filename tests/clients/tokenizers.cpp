// SPDX-License-Identifier: BSD-3-Clause
// Tokens as the engine finds them, for tokenizers.mjs:
//   tokenizers <tokenizer.json, tokenizer.model or GGUF> [--written] < texts
// --written: by the fields of a GGUF file that are written of it, read again.
// A text is its length in bytes, a newline, and its bytes. Each gives one line: what starts a text (-1: nothing), its
// tokens, and whether their bytes are the text's (= or ~).
#include <engine/read/model_files.hpp>
#include <engine/tokenize/gguf/words.hpp>
#include <engine/write/gguf/words.hpp>
#include <jackplane/store/gguf/write.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

namespace
{
    // Whether ends rise to the text's own.
    bool holds(std::string const& text, std::vector<std::size_t> const& ends)
    {
        return std::is_sorted(ends.begin(), ends.end()) && (ends.empty() || ends.back() == text.size());
    }

    std::unique_ptr<engine::tokenizer> through_fields(std::filesystem::path const& file)
    {
        std::string const bytes = engine::settings_file::contents(file),
                          settings = engine::tokenizer::settings_beside(file);
        engine::config sizes;
        sizes.vocabulary = engine::tokenizer(bytes, settings, file.string()).size() + 3; // rows without a piece
        std::string const written = jackplane::gguf::write_header({}, engine::fields_of_words(bytes, settings, sizes));
        auto const words = engine::words_of(jackplane::gguf::parse(std::as_bytes(std::span(written)), "fields"));
        return std::make_unique<engine::tokenizer>(words.bytes, words.settings, "fields");
    }
}

int main(int count, char** arguments)
try
{
    if (count != 2 && count != 3)
        return std::fprintf(stderr,
                            "usage: tokenizers <tokenizer.json, tokenizer.model or GGUF> [--written] < texts\n"),
               2;
    using clock = std::chrono::steady_clock;
    auto const seconds = [](clock::duration d) { return std::chrono::duration<double>(d).count(); };
    auto const start = clock::now();
    std::filesystem::path const file = arguments[1];
    auto const read = count == 3              ? through_fields(file)
                      : engine::is_gguf(file) ? engine::tokenizer_of(file)
                                              : std::make_unique<engine::tokenizer>(file);
    engine::tokenizer const& words = *read;
    double const loaded = seconds(clock::now() - start);
    double longest = 0.0;
    std::size_t most = 0;
    for (std::size_t size = 0; std::cin >> size;)
    {
        std::string text(size, '\0');
        std::cin.get();
        std::cin.read(text.data(), static_cast<std::streamsize>(size));
        std::vector<std::size_t> ends;
        auto const before = clock::now();
        auto const tokens = words.encode(text, &ends);
        if (double const took = seconds(clock::now() - before); took > longest)
        {
            longest = took;
            most = size;
        }
        if (!holds(text, ends) || ends.size() != tokens.size())
            std::printf("ends are wrong");
        else
        {
            std::printf("%lld", words.bos() ? static_cast<long long>(*words.bos()) : -1);
            for (engine::token const t : tokens)
                std::printf(" %u", t);
            std::printf(words.decode(tokens) == text ? " =" : " ~");
        }
        std::printf("\n");
    }
    std::fprintf(stderr, "read in %.2f s, the slowest text: %zu bytes in %.2f s\n", loaded, most, longest);
    return 0;
}
catch (std::exception const& e)
{
    std::fprintf(stderr, "tokenizers: %s\n", e.what());
    return 1;
}
