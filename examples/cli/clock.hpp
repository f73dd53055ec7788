// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <chrono>

namespace cli
{
    using clock = std::chrono::steady_clock;

    inline double seconds_since(clock::time_point from, clock::time_point to = clock::now())
    {
        return std::chrono::duration<double>(to - from).count();
    }
}
