// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <vector>

namespace cli
{
    // Throws ValidationError for an option that is given and not among those that are read.
    inline void expect_read(CLI::App const& command, std::vector<std::string> const& read, std::string const& why)
    {
        for (CLI::Option const* const each : command.get_options())
            if (each->count() > 0 && std::find(read.begin(), read.end(), each->get_name()) == read.end())
                throw CLI::ValidationError(each->get_name(), "has no effect here: " + why);
    }
}
