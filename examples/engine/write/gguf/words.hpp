// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/store/gguf/metadata.hpp>
#include "../../describe/config.hpp"
#include <string_view>

namespace engine
{
    // A tokenizer as the fields of a GGUF file: the reverse of words_of() (tokenize/gguf/words.hpp). bytes: a
    // tokenizer.model or tokenizer.json, or nothing where a model has none; settings: a tokenizer_config.json, or
    // nothing. Ids without a piece get unused ones, up to the vocabulary of the model. Flags of added tokens (lstrip,
    // rstrip, single_word) have no field and are left out, as converters do. Throws format_error for rules that
    // llama.cpp has no name for.
    jackplane::gguf::metadata fields_of_words(std::string_view bytes, std::string_view settings, config const& c);
}
