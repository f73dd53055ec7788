// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <sys/resource.h>
#include <cstddef>

namespace cli
{
    inline std::size_t peak_memory() // bytes, of this program so far
    {
        rusage used{};
        getrusage(RUSAGE_SELF, &used);
        return static_cast<std::size_t>(used.ru_maxrss) * 1024;
    }
}
