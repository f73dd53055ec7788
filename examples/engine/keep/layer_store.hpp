// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/pack/any_packed.hpp>
#include "../read/gguf/block_matrix.hpp"
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
    template <class Matrix>
    struct tuned_layer
    {
        std::vector<Matrix> matrices{};
        width_reports losses{};
    };
    using tuned_matrices = tuned_layer<jackplane::any_packed>;
    using tuned_blocks = tuned_layer<block_matrix>;

    // Layers that are done, one file each, in a folder of their own: a long run that is killed goes on behind them, and
    // planes need no memory while the rest is made. Planes lie in a nested file, blocks in one of kept_tensors.hpp.
    // Nothing in it is trusted: a file counts only if it opens, its digests hold, and it was made from the same
    // everything (`origin`).
    class layer_store
    {
    public:
        // No folder: nothing is kept.
        explicit layer_store(std::filesystem::path folder) : _folder(std::move(folder)) {}

        template <class Matrix>
        std::optional<tuned_layer<Matrix>> find(std::size_t layer, std::string const& origin,
                                                std::span<parameter const> parts) const;
        // Written aside and renamed; what comes back was read from the file: planes lie in it.
        template <class Matrix>
        tuned_layer<Matrix> keep(std::size_t layer, std::string const& origin, std::span<parameter const> parts,
                                 tuned_layer<Matrix> done) const;

    private:
        std::filesystem::path _folder;
    };
}
