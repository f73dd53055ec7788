// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>

// Of tokenizer.ggml.token_type; SentencePiece has the same numbers.
namespace engine::token_type
{
    inline constexpr std::int32_t normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6;
}
