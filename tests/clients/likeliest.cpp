// SPDX-License-Identifier: BSD-3-Clause
// The likeliest next token after each, as the engine finds them, for llama_cpp.py: likeliest MODEL TOKENS CONTEXT
// MODEL is a Hugging Face folder, TOKENS a file of u32, little-endian, cut into windows of CONTEXT. JSON on stdout.
#include <engine/measure/evaluate.hpp>
#include <engine/read/source.hpp>
#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <vector>

int main(int count, char** arguments)
try
{
    static_assert(std::endian::native == std::endian::little);
    if (count != 4)
        return std::fprintf(stderr, "usage: likeliest MODEL TOKENS CONTEXT\n"), 2;
    engine::model const model = engine::load_model(arguments[1]);
    std::ifstream in(arguments[2], std::ios::binary);
    std::vector<engine::token> tokens;
    for (std::uint32_t t; in.read(reinterpret_cast<char*>(&t), sizeof t);)
        tokens.push_back(static_cast<engine::token>(t));
    engine::windows const text(tokens, std::strtoul(arguments[3], nullptr, 10));
    engine::detail::dense_source source(model, text);
    std::size_t const words = model.sizes.vocabulary;
    char const* before = "{\"top1\": [";
    for (std::size_t i = 0; i < text.size(); ++i)
    {
        source.start(text[i]);
        for (std::size_t first = 0, rows; first < text[i].size(); first += rows)
        {
            rows = std::min(source.most_rows, text[i].size() - first);
            auto const logits = source.logits(text[i], first, rows);
            for (std::size_t t = 0; t < rows; ++t, before = ", ")
                std::printf("%s%zu", before, engine::detail::best(logits.subspan(t * words, words)));
        }
    }
    std::printf("]}\n");
}
catch (std::exception const& error)
{
    return std::fprintf(stderr, "likeliest: %s\n", error.what()), 1;
}
