// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/store/gguf/file.hpp>
#include "../family.hpp"
#include <string>
#include <vector>

namespace engine
{
    // The family of a GGUF file's model. Throws format_error for an architecture that is not known here.
    family const& family_of(jackplane::gguf::file const& file);

    // What a GGUF file says of its model, as the config.json of a Hugging Face folder. Throws format_error for values
    // that make a function which is not implemented here.
    std::string config_json_of(jackplane::gguf::file const& file);

    // Keys of its architecture that nothing is known of: read past, but not silently.
    std::vector<std::string> unknown_keys(jackplane::gguf::file const& file);
}
