// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/store/gguf/types.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
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
        void decode(jackplane::matrix_view<float> out) const
        {
            jackplane::gguf::visit_type(type,
                                        [&]<class T>(T)
                                        {
                                            for (std::size_t i = 0; i < rows; ++i)
                                                jackplane::gguf::decode<T>(row(i), {&out(i, 0), cols});
                                        });
        }
    };
}
