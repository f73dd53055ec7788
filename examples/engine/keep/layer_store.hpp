// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/pack/any_packed.hpp>
#include "../read/table.hpp"
#include "width_report.hpp"
#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace engine
{
    struct tuned_matrices
    {
        std::vector<jackplane::any_packed> matrices{};
        width_reports losses{};
    };

    // Layers that are done, one nested file each, in a folder of their own: a long run that is killed goes on behind
    // them, and they need no memory while the rest is made. Nothing in it is trusted: a file counts only if it opens,
    // its digests hold, and it was made from the same everything (`origin`).
    class layer_store
    {
    public:
        // No folder: nothing is kept.
        explicit layer_store(std::filesystem::path folder) : _folder(std::move(folder)) {}

        std::optional<tuned_matrices> find(std::size_t layer, std::string const& origin,
                                           std::span<parameter const> parts) const;
        // Written aside and renamed; the matrices that come back lie in the file.
        tuned_matrices keep(std::size_t layer, std::string const& origin, std::span<parameter const> parts,
                            tuned_matrices done) const;

    private:
        std::filesystem::path file_of(std::size_t layer) const { return _folder / text("layer.", layer, ".jack"); }

        std::filesystem::path _folder;
    };
}
