// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>

namespace engine
{
    // So many bits a weight, in bits. 2.3 bits on average are 23 for ten weights, though 2.3 is a little less as a
    // double.
    inline std::uint64_t budget_of(double average, std::uint64_t weights)
    {
        return static_cast<std::uint64_t>((average + 1e-9) * static_cast<double>(weights));
    }
}
