// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include "target.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // A parallel policy is called as policy(count, body) and calls body(begin, end) on disjoint ranges that cover [0,
    // count). Results never depend on how the range is split. Others: parallel.hpp, team.hpp.

    struct serial // the calling thread does all
    {
        template <class Body>
        void operator()(std::size_t count, Body&& body) const
        {
            if (count != 0)
                body(std::size_t{0}, count);
        }
    };
}
