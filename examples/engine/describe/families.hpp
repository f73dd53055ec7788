// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "families/gemma2.hpp"
#include "families/gemma3.hpp"
#include "families/llama.hpp"
#include "families/mistral.hpp"
#include "families/mixtral.hpp"
#include "families/phi3.hpp"
#include "families/qwen2.hpp"
#include "families/qwen3.hpp"
#include "families/qwen3_moe.hpp"

namespace engine
{
    // `model_type` around `text_config` of the larger models (of images) whose texts are read as by their language
    // model alone.
    inline constexpr std::string_view larger_models[] = {"gemma3", "llava", "mistral3"};

    // The one list.
    inline family const* const all_families[] = {&families::llama,  &families::mistral, &families::mixtral,
                                                 &families::qwen2,  &families::qwen3,   &families::qwen3_moe,
                                                 &families::gemma2, &families::gemma3,  &families::phi3};
}
