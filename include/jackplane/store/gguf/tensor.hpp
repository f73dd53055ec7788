// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>
#include "metadata.hpp"
#include "types.hpp"

// What a GGUF file holds, as its head says it.
namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf
{
    // As the header describes it, with its bytes where the file is mapped.
    struct tensor
    {
        std::string name;
        type_facts type;
        extents shape;                      // rows first: [rows, columns] of a matrix
        std::uint64_t offset = 0, size = 0; // bytes, from the file's start
        std::span<std::byte const> bytes;   // little-endian

        // Of the tensor as rows of its last dimension.
        std::size_t cols() const noexcept { return shape.empty() ? 1 : static_cast<std::size_t>(shape.back()); }
        std::size_t rows() const noexcept
        {
            std::uint64_t n = 1;
            for (std::size_t i = 0; i + 1 < shape.size(); ++i)
                n *= shape[i];
            return static_cast<std::size_t>(n);
        }
        std::size_t row_bytes() const noexcept { return cols() / type.values * type.bytes; }
    };
    // By name.
    using tensor_map = std::map<std::string, tensor, std::less<>>;

    // Of a file, checked.
    struct header
    {
        std::uint32_t version = 0;
        bool is_big_endian = false;
        std::uint64_t alignment = 32;
        gguf::metadata metadata;
        tensor_map tensors;
        std::vector<tensor*> order;            // as they lie in the file
        std::uint64_t data_start = 0, end = 0; // bytes from the file's start; end: of the last tensor, without padding

        header() = default;
        header(header&&) = default; // a moved map keeps its nodes
        header& operator=(header&&) = default;
    };

    // Dimensions of a tensor; ggml's limit, as the next two.
    inline constexpr std::size_t largest_rank = 4;
    // Bytes of a key.
    inline constexpr std::size_t largest_key = 65535;
    // Bytes of a tensor's name, where we write.
    inline constexpr std::size_t largest_name = 63;
    // The key of the alignment of data, a power of two; 32 without it.
    inline constexpr std::string_view alignment_key = "general.alignment";
}
