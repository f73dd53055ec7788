// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <functional>
#include <string_view>
#include "target.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // Called after each step of a long job; the library itself never writes to a terminal. name: the tensor or layer
    // just finished; done of total steps.
    using progress = std::function<void(std::string_view name, std::size_t done, std::size_t total)>;
}
