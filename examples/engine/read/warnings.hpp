// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace engine
{
    // What a user should know of a Hugging Face folder or a nested file that is no error: keys of config.json that are
    // read past, files of weights that are not read, rules of the tokenizer that are not followed. One line each.
    // Nothing is said of a path that holds neither: reading it will. Errors come first: throws those of config.json and
    // of tensors that do not fit it.
    std::vector<std::string> warnings_about(std::filesystem::path const& model);
}
