// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "settings_file.hpp"
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace engine
{
    // What some keys of config.json are neutral beside.
    struct key_context
    {
        std::size_t head_dim, hidden, positions;
        double eps, theta;
        nlohmann::json const& tree;                   // of the same file
        std::string_view class_name;                  // of the family, in `architectures`
        std::span<std::string_view const> understood; // keys that the family reads
    };

    // Throws format_error for a key whose value makes another function of the model, and that nobody reads.
    void check_keys(settings_file const& file, key_context const& c);

    // Beyond so many tokens such a key does: what attention sees. The largest number without one.
    std::size_t tokens_seen(settings_file const& file, std::span<std::string_view const> understood);

    // Keys that nothing is known of: read past, but not silently.
    std::vector<std::string> unknown_keys(settings_file const& file);
}
