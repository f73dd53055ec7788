// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "config.hpp"
#include "settings_file.hpp"
#include <string>

namespace engine
{
    // What config.json says of how heads turn. It travels at the top, inside `rope_scaling` and inside
    // `rope_parameters` (where version 5 of the transformers keeps it), there perhaps once for each type of layer; what
    // is named twice must agree.
    class rotation_settings
    {
    public:
        // layer_type: whose settings count, as "sliding_attention"; empty: all of them.
        explicit rotation_settings(settings_file const& file, std::string const& layer_type = "");

        // Those of one type of layer alone, from inside `rope_parameters`: nothing that holds for all of them.
        static rotation_settings of_type(settings_file const& file, std::string const& layer_type);

        double base(double otherwise) const;
        settings_file const& keys() const noexcept { return _all; } // rope_type and what it needs, merged

        // Head by head, in a model of these sizes. partial: a part of each head may turn. Throws format_error for what
        // is not understood: anything but default, linear, llama3, yarn and longrope.
        rotation of(config const& c, double base, bool partial = false) const;

    private:
        explicit rotation_settings(std::string const& name) : _all(name, "{}") {}
        void take(settings_file const& file, std::string const& layer_type);
        void merge(settings_file const& file, std::string const& key, std::string const& as,
                   nlohmann::json const& value);

        settings_file _all; // merged
    };
}
