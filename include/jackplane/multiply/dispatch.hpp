// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "dispatch/task.hpp"
#include "multiply.hpp"
#if __has_include(<jackplane_kernels.hpp>)
#include <jackplane_kernels.hpp> // what the target that is linked was asked to build
#endif

namespace jackplane::inline v0 // shared by all units: core/target.hpp
{
    // The arch that was chosen, of those that the linked target was built for.
    struct arch_choice
    {
        std::size_t place; // among the archs of the target, best first
        char const* name;
        bool multiplies_bytes, looks_up_bytes; // as the tag says (arch.hpp)
    };
    struct arch_attempt // the choice, or why there is none
    {
        arch_choice choice;
        char const* error; // one line that says why there is none, until this thread tries again; null: there is
        [[gnu::always_inline]] explicit operator bool() const noexcept { return error == nullptr; }
    };

    // The best arch for this machine of those that jackplane_add_kernels built, or the one that the environment
    // variable JACKPLANE_ARCH names. Decided at the first call, which is that of the first product unless a program
    // calls it before; throws arch_error if the named one is not available. try_chosen_arch() returns the error
    // instead, at every call:
    //     if (auto const arch = try_chosen_arch(); !arch)
    //         return std::fprintf(stderr, "%s\n", arch.error), 2; // or unset the variable, and continue
    arch_choice const& chosen_arch();
    arch_attempt try_chosen_arch();
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // The tag of a program that is built for many machines and runs the best kernels for the one it runs on:
    //     jackplane_add_kernels(kernels ARCHS avx2 avx512_vnni)             # CMake, then link kernels
    //     how.prepare<dispatched>(x, ready);
    //     multiply<dispatched>(a.prefix(4), ready, y);
    // Products that the target was not asked to build (another format, activation or sparse type) are compiled in the
    // unit that asks for them, by its own flags: kernels_are_built tells. In a library that is compiled without the
    // target, the linker misses dispatch::table<...>.
    struct dispatched : common
    {
        static char const* name() { return chosen_arch().name; }
        static constexpr bool supported() noexcept { return true; }
        static arch_choice const& choice() { return chosen_arch(); }

        template <class Task>
            requires Task::built
        static typename Task::signature* function()
        {
            return dispatch::table<Task>()[chosen_arch().place];
        }
    };

    // Whether the kernels of a product are among those of the target; for a static_assert where it has to be fast.
    template <packed_matrix M, prepared X>
    inline constexpr bool kernels_are_built =
        dispatch::multiply_rows<std::remove_cvref_t<decltype(std::declval<M const&>().view())>, X>::built;
}
