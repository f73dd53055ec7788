// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <string>
#include "check.hpp"
#include "number.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // "half", "bfloat16", "float", for messages
    template <scale_number S>
    constexpr char const* storage_name() noexcept
    {
        return std::same_as<S, half> ? "half" : std::same_as<S, bfloat16> ? "bfloat16" : "float";
    }

    // Ends the line of an error about a number that S does not hold: what is wrong with it, and which type holds it.
    //     " is below the smallest normal half, 6.10351562e-05; bfloat16 or float holds it"
    template <scale_number S>
    std::string why_not_held(float x)
    {
        float const magnitude = x < 0 ? -x : x;
        bool const narrow = std::same_as<S, half> && holds<bfloat16>(x), wide = holds<float>(x) && x != 0;
        char const* const holder = !wide    ? "no type holds it: scale the weights"
                                   : narrow ? "bfloat16 or float holds it"
                                            : "float holds it";
        if (magnitude < smallest_normal<S>)
            return text(" is below the smallest normal ", storage_name<S>(), ", ", smallest_normal<S>, "; ", holder);
        if (magnitude > largest_finite<S>)
            return text(" is above the largest ", storage_name<S>(), ", ", largest_finite<S>, "; ", holder);
        return " is not a number";
    }
}
