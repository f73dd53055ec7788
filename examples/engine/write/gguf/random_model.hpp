// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../../describe/config.hpp"
#include <jackplane/store/gguf/types.hpp>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace engine
{
    // Types of blocks that random_model can be written in, as "q4_k", the first ones first.
    std::vector<std::string> random_block_types();
    // Throws value_error with the names there are.
    jackplane::gguf::type_facts block_type_of(std::string_view name);

    // Writes a model of these sizes as a GGUF file that llama.cpp runs, to measure how fast: matrices of layers and the
    // embedding in random blocks of one type, the head in those of another, no tokenizer. The same bytes every time.
    // Throws shape_error where a row is no whole number of blocks, format_error for sizes that such a file cannot hold.
    void save_random_gguf(config const& c, jackplane::gguf::type_facts const& type,
                          jackplane::gguf::type_facts const& head, std::filesystem::path const& out);
}
