// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/checkpoint.hpp>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>

namespace engine
{
    // Where a long run over a whole model stands, in a file (kept_tensors.hpp): one that is killed goes on from there.
    class run_store
    {
    public:
        // No folder: nothing is kept.
        run_store(std::filesystem::path const& folder, std::string const& name, std::string origin);

        // The run goes on from what is there, and keeps where it stands every so many steps, while this store lives.
        jackplane::checkpoint serve(std::size_t every);

    private:
        std::optional<jackplane::run_state> find() const;
        void keep(jackplane::run_state const& s) const; // written aside and renamed

        std::filesystem::path _file;
        std::string _origin;
        std::optional<jackplane::run_state> _found;
    };
}
