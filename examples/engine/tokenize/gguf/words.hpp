// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/store/gguf/file.hpp>
#include <string>

namespace engine
{
    // The tokenizer of a GGUF file, in the words of a Hugging Face folder: a SentencePiece model or a tokenizer.json,
    // and a tokenizer_config.json beside it. Empty where the file has none ("none", "no_vocab").
    struct gguf_words
    {
        std::string bytes, settings;
    };

    // Throws format_error for a kind of tokenizer, or of rule by which texts are cut (tokenizer.ggml.pre), that is not
    // known here.
    gguf_words words_of(jackplane::gguf::file const& file);
}
