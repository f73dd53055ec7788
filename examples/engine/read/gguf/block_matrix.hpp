// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/quantize/levels.hpp>
#include "../stored_codes.hpp"
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace engine
{
    // A matrix as a GGUF file holds it: rows of blocks of one type, one after the other.
    struct block_matrix
    {
        std::uint32_t type = 0; // number of the type
        std::size_t rows = 0, cols = 0;
        std::vector<std::byte> bytes{};

        bool empty() const noexcept { return rows == 0; }
        std::size_t row_bytes() const noexcept { return rows == 0 ? 0 : bytes.size() / rows; }
        std::span<std::byte const> row(std::size_t i) const noexcept
        {
            return std::span(bytes).subspan(i * row_bytes(), row_bytes());
        }
        std::span<std::byte> row(std::size_t i) noexcept
        {
            return std::span(bytes).subspan(i * row_bytes(), row_bytes());
        }

        // Its values -> out [rows, cols].
        void decode(jackplane::matrix_view<float> out) const;

        // Of a type whose codes stand for ascending values (has_levels), what its codes are and stand for; other codes
        // by the same scales.
        bool has_levels() const;
        jackplane::given_levels levels() const;
        jackplane::aligned_vector<jackplane::code> codes() const;
        void put_codes(std::span<jackplane::code const> q);

        // Of a type whose blocks have one scale, and a zero that is a code: all that they hold. Throws value_error for
        // a scale that is not finite (name, row, group).
        std::optional<stored_codes> with_zeros(std::string_view name) const;
    };
    std::string types_with_zeros(); // their names

    // Rows of w in blocks of that type, as ggml's quantizer makes them; importance: a weight >= 0 for each column, or
    // empty. Throws shape_error where a row is no whole number of blocks, value_error for what no block holds (tensor,
    // row, column).
    block_matrix to_blocks(jackplane::matrix_view<float const> w, std::uint32_t type, std::span<float const> importance,
                           std::string_view name);
}
