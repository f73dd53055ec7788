// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <type_traits>
#include "avx2.hpp"
#include "avx512.hpp"
#include "neon.hpp"
#if !defined(JACKPLANE_HAS_AVX2) && !defined(JACKPLANE_HAS_NEON)
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
        template <class A, class... Rest>
        constexpr auto first_supported() noexcept
        {
            if constexpr (A::supported())
                return std::type_identity<A>{};
#if defined(XSIMD_VERSION_MAJOR)
            else if constexpr (sizeof...(Rest) == 0)
                return std::type_identity<any_arch>{};
#endif
            else
                return first_supported<Rest...>();
        }
    }
    // of the flags of this unit
    using best_arch =
        decltype(detail::first_supported<avx512_bf16, avx512_vnni, avx512, avx2_vnni, avx2, neon_dot, neon>())::type;
}
