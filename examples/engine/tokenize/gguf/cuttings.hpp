// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <string_view>

namespace engine
{
    // How texts are cut into words before pairs are merged: llama.cpp names the rules, a tokenizer.json holds them.
    struct cutting
    {
        std::string_view name, regex; // no regex: that of ByteLevel, as GPT-2's
        bool whole_words = false;     // ignore_merges
        bool bos = false;             // where tokenizer.ggml.add_bos_token says nothing
        bool composes = false;        // NFC, which llama.cpp leaves out
    };
    inline constexpr std::string_view llama3_words =
        R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
        R"(\s*[\r\n]+|\s+(?!\S)|\s+)";
    inline constexpr std::string_view qwen2_words =
        R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
        R"(\s*[\r\n]+|\s+(?!\S)|\s+)";
    inline constexpr std::string_view tekken_words =
        R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|)"
        R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}|)"
        R"( ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
    inline constexpr std::string_view gpt4o_words =
        R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
        R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
        R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
        R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
        R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
    inline constexpr cutting all_cuttings[] = {
        {.name = "llama-bpe", .regex = llama3_words, .whole_words = true, .bos = true},
        {.name = "llama-v3", .regex = llama3_words, .whole_words = true, .bos = true},
        {.name = "llama3", .regex = llama3_words, .whole_words = true, .bos = true},
        {.name = "falcon3", .regex = llama3_words, .whole_words = true, .bos = true},
        {.name = "pixtral", .regex = llama3_words, .whole_words = true, .bos = true}, // Mistral Small 3
        {.name = "dbrx", .regex = llama3_words},                                      // Phi-4
        {.name = "smaug-bpe", .regex = llama3_words},
        {.name = "qwen2", .regex = qwen2_words, .composes = true},
        {.name = "deepseek-r1-qwen", .regex = qwen2_words, .composes = true},
        {.name = "tekken", .regex = tekken_words, .whole_words = true, .bos = true}, // Mistral Nemo
        {.name = "gpt-4o", .regex = gpt4o_words},                                    // Phi-4-mini
        {.name = "gpt-2", .regex = ""},
    };
}
