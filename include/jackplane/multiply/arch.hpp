// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../core/concepts.hpp"

namespace jackplane::inline v0 // shared by all units: core/target.hpp
{
    // What machine code is made for. A tag is part of the signature of everything that reaches a kernel; where the same
    // name exists for several tags, the nearest ancestor wins. supported(): by the flags of this unit; what the CPU has
    // is asked in cpu.hpp.
    struct common
    {
    };

    struct scalar : common // plain loops in double: the definition of a product
    {
        [[gnu::always_inline]] static constexpr char const* name() noexcept { return "scalar"; }
        [[gnu::always_inline]] static constexpr bool supported() noexcept { return true; }
    };

    template <class X>
    struct simd : common // batches of xsimd's arch X: any machine
    {
        using batch_arch = X;
        [[gnu::always_inline]] static constexpr char const* name() noexcept { return X::name(); }
        [[gnu::always_inline]] static constexpr bool supported() noexcept { return X::supported(); }
    };

    struct avx2 : common // and FMA, F16C
    {
        [[gnu::always_inline]] static constexpr char const* name() noexcept { return "avx2"; }
        [[gnu::always_inline]] static constexpr bool supported() noexcept
        {
#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
            return true;
#else
            return false;
#endif
        }
    };
    struct avx2_vnni : avx2
    {
        [[gnu::always_inline]] static constexpr char const* name() noexcept { return "avx2_vnni"; }
        [[gnu::always_inline]] static constexpr bool supported() noexcept
        {
#if defined(__AVXVNNI__)
            return avx2::supported();
#else
            return false;
#endif
        }
    };

    struct avx512 : common // F, CD, DQ, BW, VL: what every CPU with BW has
    {
        [[gnu::always_inline]] static constexpr char const* name() noexcept { return "avx512"; }
        [[gnu::always_inline]] static constexpr bool supported() noexcept
        {
#if defined(__AVX512CD__) && defined(__AVX512DQ__) && defined(__AVX512BW__) && defined(__AVX512VL__) // they imply F
            return true;
#else
            return false;
#endif
        }
    };
    struct avx512_vnni : avx512
    {
        [[gnu::always_inline]] static constexpr char const* name() noexcept { return "avx512_vnni"; }
        [[gnu::always_inline]] static constexpr bool supported() noexcept
        {
#if defined(__AVX512VNNI__)
            return avx512::supported();
#else
            return false;
#endif
        }
    };
    struct avx512_bf16 : avx512_vnni
    {
        [[gnu::always_inline]] static constexpr char const* name() noexcept { return "avx512_bf16"; }
        [[gnu::always_inline]] static constexpr bool supported() noexcept
        {
#if defined(__AVX512BF16__)
            return avx512_vnni::supported();
#else
            return false;
#endif
        }
    };

    struct neon : common // 64 bits
    {
        [[gnu::always_inline]] static constexpr char const* name() noexcept { return "neon"; }
        [[gnu::always_inline]] static constexpr bool supported() noexcept
        {
#if defined(__ARM_NEON) && defined(__aarch64__)
            return true;
#else
            return false;
#endif
        }
    };
    struct neon_dot : neon
    {
        [[gnu::always_inline]] static constexpr char const* name() noexcept { return "neon_dot"; }
        [[gnu::always_inline]] static constexpr bool supported() noexcept
        {
#if defined(__ARM_FEATURE_DOTPROD)
            return neon::supported();
#else
            return false;
#endif
        }
    };
    static_assert(arch<scalar> && arch<avx512_bf16> && arch<neon_dot>);
}
