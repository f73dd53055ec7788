// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "settings_file.hpp"
#include <cstddef>
#include <string>
#include <vector>

namespace engine
{
    // What some keys of config.json are neutral beside.
    struct key_context
    {
        std::size_t head_dim, hidden, positions;
        double eps, theta;
        nlohmann::json const& tree; // of the same file
    };

    // Throws format_error for a key whose value makes another function of the model than a plain Llama's.
    void check_keys(settings_file const& file, key_context const& c);

    // Beyond so many tokens such a key does: what attention sees. The largest number without one.
    std::size_t tokens_seen(settings_file const& file);

    // Keys that nothing is known of: read past, but not silently.
    std::vector<std::string> unknown_keys(settings_file const& file);
}
