// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <iterator>
#include <type_traits>
#include <utility>

namespace engine
{
    // Of codes that a matrix in planes is made of: those of 8 bits serve all widths, others one.
    inline constexpr unsigned parent_widths[]{8, 4, 3, 2};
    constexpr bool is_parent_width(unsigned bits)
    {
        return std::find(std::begin(parent_widths), std::end(parent_widths), bits) != std::end(parent_widths);
    }

    // body(width as a constant) of 1 to 8 bits
    template <class Body>
    void with_width(unsigned bits, Body&& body)
    {
        [&]<unsigned... B>(std::integer_sequence<unsigned, B...>)
        {
            ((bits == B + 1 ? body(std::integral_constant<unsigned, B + 1>{}) : void()), ...);
        }
        (std::make_integer_sequence<unsigned, 8>{});
    }
}
