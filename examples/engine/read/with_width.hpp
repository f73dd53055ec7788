// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <type_traits>
#include <utility>

namespace engine
{
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
