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

    // What a GGUF file says of its model, as the config.json of a Hugging Face folder.
    struct gguf_settings
    {
        std::string config_json;
        std::vector<std::string> unread; // keys of its architecture that are read past
    };
    // Throws format_error for values that make a function which is not implemented here.
    gguf_settings settings_of(jackplane::gguf::file const& file);
}
