// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/store/write.hpp>
#include "packed_model.hpp"
#include <filesystem>

namespace llama
{
    // Writes one file that is all a run needs: config.json of `folder`, tokenizer, dense tensors as fp16, planes.
    void save_nested(packed_model const& m, std::filesystem::path const& folder, jackplane::atomic_file& out);
    void save_nested(packed_model const& m, std::filesystem::path const& folder, std::filesystem::path const& path);

    // Opens a nested file at the widths its length holds. Matrices stay in the file's mapping: planes that nobody asks
    // for are never read. most_bits: hand out no planes beyond that width.
    packed_model load_nested(std::filesystem::path const& path, unsigned most_bits = 8);

    // Reads what `bits` bits need and compares digests. Throws format_error.
    void verify_nested(std::filesystem::path const& path, unsigned bits);
}
