// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "packed_model.hpp"
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace engine
{
    // Sizes by name, for what depends on nothing else: "tiny" for tests, "1b", "3b" and "8b" of Llama 3; with experts
    // "tiny-experts" and "30b-a3b". Their output matrix counts as one of its own, tied or not: decoding reads all of
    // it. Throws value_error with the names.
    std::vector<std::string> shape_names();
    config shape_of(std::string_view name);

    // Random codes in eight bit planes, groups of 64 with fp16 scales and u8 zeros, sized so that the stream neither
    // dies nor grows out of hand. All matrices of 16 k rows and 32 k columns.
    packed_model random_planes(config const& c, std::uint64_t seed);
}
