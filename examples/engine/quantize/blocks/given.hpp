// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../../read/gguf/block_matrix.hpp"
#include "types.hpp"
#include <filesystem>
#include <vector>

namespace engine
{
    // The matrices of the layers of a GGUF file of the same model. Their types become those of the layers; those of its
    // head and embedding, where they are written here, and `general.file_type` become what they are there. Throws
    // value_error for a file of another model, or with a value that is not finite (tensor, row, column).
    std::vector<block_matrix> take_blocks(std::filesystem::path const& path, config const& c, block_types& types);
}
