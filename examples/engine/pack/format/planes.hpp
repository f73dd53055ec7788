// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/check.hpp>
#include <jackplane/pack/planes.hpp>
#include "../../read/with_width.hpp"

namespace engine
{
    // body(the planes that codes of so many bits lie in). Throws width_error for other than parent_widths.
    template <class Body>
    auto with_planes(unsigned bits, Body&& body)
    {
        switch (bits)
        {
        case 8:
            return body(jackplane::bit_planes{});
        case 4:
            return body(jackplane::planes<4>{});
        case 3:
            return body(jackplane::planes<2, 1>{});
        case 2:
            return body(jackplane::planes<2>{});
        default:
            jackplane::fail<jackplane::width_error>(
                jackplane::text("no planes for codes of ", bits, " bits; there are those of 8, 4, 3 and 2"));
        }
    }
}
