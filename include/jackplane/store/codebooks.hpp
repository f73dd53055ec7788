// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>
#include "../pack/any_packed.hpp"

// What a nested file says of a codebook is its name; what follows from that, and which names there are, comes from the
// types of any_packed.
namespace jackplane::inline v0::inline JACKPLANE_TARGET::nested
{
    // What a reader has to know of a codebook.
    struct codebook_facts
    {
        std::string_view name;
        bool by_row;    // scales are the values of a row: 2^bits of them, whatever the group
        bool is_nested; // fewer bits than a code has can be read
    };

    // Of the codebook of each format.
    template <class... Packed>
    constexpr auto facts_of(std::type_identity<std::variant<Packed...>>) noexcept
    {
        return std::array{codebook_facts{Packed::codebook_type::name(), row_codebook<typename Packed::codebook_type>,
                                         nested_codebook<typename Packed::codebook_type>}...};
    }
    inline constexpr auto codebooks_of_formats = facts_of(std::type_identity<any_packed>{}); // a name more than once

    // The facts of one of codebook_names(); for any other name they are empty.
    constexpr codebook_facts codebook_of(std::string_view name) noexcept
    {
        for (codebook_facts const& each : codebooks_of_formats)
            if (each.name == name)
                return each;
        return {};
    }

    inline std::vector<std::string> codebook_names() // "uniform", "nf4" ...
    {
        std::vector<std::string> names;
        for (codebook_facts const& each : codebooks_of_formats)
            if (std::find(names.begin(), names.end(), each.name) == names.end())
                names.emplace_back(each.name);
        return names;
    }
}
