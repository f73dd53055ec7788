// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <type_traits>
#include "avx2.hpp"
#include "avx512.hpp"
#include "neon.hpp"
#if !defined(__AVX2__) && !(defined(__ARM_NEON) && defined(__aarch64__))
#include "batches.hpp" // xsimd, where no house tag will do
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
                return std::type_identity<simd<xsimd::default_arch>>{};
#endif
            else
                return first_supported<Rest...>();
        }
    }
    // of the flags of this unit
    using best_arch =
        decltype(detail::first_supported<avx512_bf16, avx512_vnni, avx512, avx2_vnni, avx2, neon_dot, neon>())::type;
}
