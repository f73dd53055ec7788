// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/pack/any_packed.hpp>
#include "../quantize/quantize_model.hpp"
#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace engine
{
    // Layers that are done, one nested file each, in a folder of their own: a long run that is killed goes on behind
    // them, and they need no memory while the rest is made. Nothing in it is trusted: a file counts only if it opens,
    // its digests hold, and it was made from the same everything (`origin`).
    class layer_store
    {
    public:
        struct kept
        {
            std::vector<jackplane::any_packed> matrices{};
            std::vector<width_report> losses{};
        };

        explicit layer_store(std::filesystem::path folder) : _folder(std::move(folder)) {}

        std::optional<kept> find(std::size_t layer, std::string const& origin, std::span<parameter const> parts) const;
        // Written aside and renamed; the matrices that come back lie in the file.
        kept keep(std::size_t layer, std::string const& origin, std::span<parameter const> parts,
                  kept const& done) const;

    private:
        std::filesystem::path file_of(std::size_t layer) const { return _folder / text("layer.", layer, ".jack"); }

        std::filesystem::path _folder;
    };
}
