// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/store/write.hpp>
#include "packed_model.hpp"
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace engine
{
    // Writes one file that is all a run needs: config.json of `folder`, tokenizer, planes, dense tensors in 16 bits
    // where those hold them (storage.hpp).
    void save_nested(packed_model const& m, std::filesystem::path const& folder, jackplane::atomic_file& out);
    void save_nested(packed_model const& m, std::filesystem::path const& folder, std::filesystem::path const& path);

    // Opens a nested file at the widths its length holds. Matrices stay in the file's mapping: planes that nobody asks
    // for are never read. most_bits: hand out no planes of layers beyond it.
    packed_model load_nested(std::filesystem::path const& path, unsigned most_bits = 8);

    // The model of a nested file, for methods that begin with another one's codes.
    struct given_model
    {
        std::string name{};                          // of the file, in errors
        std::string digest{};                        // of all its bytes: a killed run resumes only beside the same
        std::shared_ptr<packed_model const> model{}; // null: none is given
    };
    given_model give_nested(std::filesystem::path const& path);

    // Reads what `bits` bits need, or every matrix at its own, and compares digests. Throws format_error.
    void verify_nested(std::filesystem::path const& path, unsigned bits);
    void verify_nested(std::filesystem::path const& path, packed_model const& m,
                       std::span<unsigned const> bits_of_matrices);

    struct tensor_report
    {
        std::string name;
        std::size_t rows, cols;
        double relative_error; // |w^ - w| / |w|, Frobenius norms
    };
    // Of every packed matrix, weights beside it in their places: how far w^ at `bits` (packed_model::mix) is from w,
    // the weights that were quantized: those of a model (balanced ones), or null for those of the folder.
    std::vector<tensor_report> errors_of(packed_model const& m, unsigned bits, std::filesystem::path const& folder,
                                         model const* w = nullptr);
}
