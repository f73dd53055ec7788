// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <type_traits>
#include "avx2.hpp"
#include "avx512.hpp"
#include "neon.hpp"
#if !JACKPLANE_HAS_avx2 && !JACKPLANE_HAS_neon
#include "batches.hpp" // xsimd, where no house tag will do
#endif

// No warning: a distribution may mean it. Where the target of jackplane_add_kernels is linked, there are better ones.
#if defined(__x86_64__) && !defined(__SSE3__) && !__has_include(<jackplane_kernels.hpp>)
#pragma message("jackplane: kernels for the oldest x86-64, several times slower than for AVX2; compile with " \
                "-march=native (CMake: link jackplane::native), or choose at run time (jackplane_add_kernels and " \
                "dispatched)")
#endif

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace detail
    {
        template <class Best, class... Better> // best last
        struct last_supported : std::type_identity<Best>
        {
        };
        template <class Best, class A, class... Better>
        struct last_supported<Best, A, Better...>
            : last_supported<std::conditional_t<A::supported(), A, Best>, Better...>
        {
        };
#if defined(XSIMD_VERSION_MAJOR)
        using least_arch = any_arch;
#else
        using least_arch = common; // never the best: one of the house's is supported
#endif
    }
#define JACKPLANE_CANDIDATE(tag, ...) , tag
    // Of those that the flags of this unit allow.
    using best_arch = detail::last_supported<detail::least_arch JACKPLANE_ARCHS(JACKPLANE_CANDIDATE)>::type;
#undef JACKPLANE_CANDIDATE

    namespace detail
    {
        // What this unit compiles for an arch: of one that is chosen at run time, which has units of its own, the best
        // that the flags of this one allow, for tasks that no other was asked to build.
        template <class Arch>
        using compiled_arch = std::conditional_t<requires { Arch::choice(); }, best_arch, Arch>;
    }
}
