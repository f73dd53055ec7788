// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "dispatch/task.hpp"
#include "multiply.hpp"

namespace jackplane::inline v0 // shared by all units: core/target.hpp
{
    struct arch_choice
    {
        std::size_t place; // among the archs of the target, best first
        char const* name;
    };

    // What this machine can run best of what jackplane_add_kernels built, or what the environment variable
    // JACKPLANE_ARCH names. Decided at the first call; throws arch_error if the wish cannot be had.
    arch_choice const& chosen_arch();
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // The tag of a program that is built for no machine in particular and runs the best kernels of the one it meets:
    //     jackplane_add_kernels(kernels ARCHS avx2 avx512_vnni)             # CMake, then link kernels
    //     how.prepare<dispatched>(x, ready);
    //     multiply<compensated, dispatched>(a.prefix(4), ready, y);
    // A link error about dispatch::table<...> names a format, an activation or a sparse type that the target was
    // not asked to build.
    struct dispatched : common
    {
        static char const* name() { return chosen_arch().name; }
        static constexpr bool supported() noexcept { return true; }

        template <class Task>
        static typename Task::signature* function()
        {
            return dispatch::table<Task>()[chosen_arch().place];
        }
    };
}
