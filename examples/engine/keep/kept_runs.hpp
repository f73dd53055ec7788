// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "layer_store.hpp"
#include "run_store.hpp"
#include <filesystem>
#include <string>
#include <utility>

namespace engine
{
    // Where a long run keeps what a killed one goes on from, with the same settings: layers that are done, and where
    // the training of a whole model stands. By default nothing is kept.
    class kept_runs
    {
    public:
        kept_runs() = default;
        explicit kept_runs(std::filesystem::path folder) : _folder(std::move(folder)) {}

        layer_store layers() const { return layer_store(_folder); }
        run_store run(std::string const& name, std::string origin) const { return {_folder, name, std::move(origin)}; }
        bool keeps() const noexcept { return !_folder.empty(); }

    private:
        std::filesystem::path _folder{};
    };
}
