// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../../read/table.hpp"
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

// Which GGUF type each matrix of a model gets.
namespace engine
{
    struct block_types
    {
        std::vector<std::uint32_t> of_layers; // of each matrix of the layers, by the numbers of the types
        std::uint32_t of_head, of_embedding;  // the embedding's own, where it is not the head
        std::uint32_t file_type;              // what `general.file_type` says of such a mixture
    };

    // One type for all matrices: "Q4_K", in any case. Throws value_error with the names there are.
    block_types types_of(std::string_view type, config const& c);
    // llama.cpp's mixture of that name: "Q4_K_M". Throws value_error with the names there are.
    block_types recipe_of(std::string_view name, config const& c);
    void expect_recipe(std::string_view name); // throws the same

    // Of the layers' matrices in these types.
    std::uint64_t bytes_of(parameter_table const& table, std::vector<std::uint32_t> const& types);
    // The most that they take where each gets one of these types, with at most `average` bits a weight.
    std::uint64_t most_bytes_of(parameter_table const& table, std::vector<std::uint32_t> const& types, double average);
    // The least that all other tensors take. A dense head and embedding are in half at least, the rest is F32.
    std::uint64_t least_bytes_of_others(parameter_table const& table, block_types const& types, bool dense_head);

    // The number of a type of numbers or blocks, by its name in any case. Throws value_error with the names there are.
    std::uint32_t type_of(std::string_view name);
    // The type itself where rows of so many values are whole blocks, else what llama.cpp takes in its place: a type
    // with blocks of 32, or F16.
    std::uint32_t type_for(std::uint32_t wanted, std::size_t cols);
}
