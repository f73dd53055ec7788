// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../core/concepts.hpp"

// The arch tags that the flags of this unit allow: decided here alone, and used by every header of intrinsics.
#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#define JACKPLANE_HAS_AVX2
#if defined(__AVXVNNI__)
#define JACKPLANE_HAS_AVX2_VNNI
#endif
#if defined(__AVX512CD__) && defined(__AVX512DQ__) && defined(__AVX512BW__) && defined(__AVX512VL__) // they imply F
#define JACKPLANE_HAS_AVX512
#if defined(__AVX512VNNI__)
#define JACKPLANE_HAS_AVX512_VNNI
#if defined(__AVX512BF16__)
#define JACKPLANE_HAS_AVX512_BF16
#endif
#endif
#endif
#elif defined(__ARM_NEON) && defined(__aarch64__)
#define JACKPLANE_HAS_NEON
#if defined(__ARM_FEATURE_DOTPROD)
#define JACKPLANE_HAS_NEON_DOT
#endif
#endif

namespace jackplane::inline v0 // shared by all units: core/target.hpp
{
    // The instruction set that code is compiled for. A tag is part of the signature of everything that reaches a
    // kernel; where the same name exists for several tags, the nearest ancestor wins. supported(): by the flags of this
    // unit; what the CPU has is asked in cpu.hpp.
    struct common
    {
        // Products with x as integers: of codes, and of tables of 4 bits as bytes. Without them x is read as fp32.
        static constexpr bool multiplies_bytes = false, looks_up_bytes = false;
    };

    struct scalar : common // plain loops in double: the definition of a product
    {
        static constexpr bool multiplies_bytes = true, looks_up_bytes = true;
        [[gnu::always_inline]] static constexpr char const* name() noexcept { return "scalar"; }
        [[gnu::always_inline]] static constexpr bool supported() noexcept { return true; }
    };

    // Batches of xsimd's arch X: any machine. They have no product of bytes. 512 x 4096 at 4 bits, SSE2, by products of
    // 32 bits: one vector 0.34 ms as fp32, 0.54 as limbs<1>, 1.3 as limbs<3>; eight 1.8, 4.8, 14.5.
    template <class X>
    struct simd : common
    {
        using batch_arch = X;
        // "xsimd sse2": avx2 is another's
        [[gnu::always_inline]] static constexpr char const* name() noexcept { return m_name.data(); }
        [[gnu::always_inline]] static constexpr bool supported() noexcept { return X::supported(); }

    private:
        static constexpr std::array<char, 48> m_name = []
        {
            std::array<char, 48> all{'x', 's', 'i', 'm', 'd', ' '};
            char const* const own = X::name();
            for (std::size_t i = 0; own[i] != '\0' && i + 7 < all.size(); ++i)
                all[i + 6] = own[i];
            return all;
        }();
    };

    struct avx2 : common // and FMA, F16C
    {
        static constexpr bool multiplies_bytes = true;
        [[gnu::always_inline]] static constexpr char const* name() noexcept { return "avx2"; }
        [[gnu::always_inline]] static constexpr bool supported() noexcept
        {
#if defined(JACKPLANE_HAS_AVX2)
            return true;
#else
            return false;
#endif
        }
    };
    struct avx2_vnni : avx2 // dot products of four bytes (AVX-VNNI)
    {
        static constexpr bool looks_up_bytes = true;
        [[gnu::always_inline]] static constexpr char const* name() noexcept { return "avx2_vnni"; }
        [[gnu::always_inline]] static constexpr bool supported() noexcept
        {
#if defined(JACKPLANE_HAS_AVX2_VNNI)
            return true;
#else
            return false;
#endif
        }
    };

    struct avx512 : common // F, CD, DQ, BW, VL: what every CPU with BW has
    {
        static constexpr bool multiplies_bytes = true;
        [[gnu::always_inline]] static constexpr char const* name() noexcept { return "avx512"; }
        [[gnu::always_inline]] static constexpr bool supported() noexcept
        {
#if defined(JACKPLANE_HAS_AVX512)
            return true;
#else
            return false;
#endif
        }
    };
    struct avx512_vnni : avx512 // dot products of four bytes (AVX-512 VNNI)
    {
        static constexpr bool looks_up_bytes = true;
        [[gnu::always_inline]] static constexpr char const* name() noexcept { return "avx512_vnni"; }
        [[gnu::always_inline]] static constexpr bool supported() noexcept
        {
#if defined(JACKPLANE_HAS_AVX512_VNNI)
            return true;
#else
            return false;
#endif
        }
    };
    struct avx512_bf16 : avx512_vnni // products of bfloat16 pairs (AVX-512 BF16)
    {
        [[gnu::always_inline]] static constexpr char const* name() noexcept { return "avx512_bf16"; }
        [[gnu::always_inline]] static constexpr bool supported() noexcept
        {
#if defined(JACKPLANE_HAS_AVX512_BF16)
            return true;
#else
            return false;
#endif
        }
    };

    struct neon : common // 64 bits
    {
        static constexpr bool multiplies_bytes = true;
        [[gnu::always_inline]] static constexpr char const* name() noexcept { return "neon"; }
        [[gnu::always_inline]] static constexpr bool supported() noexcept
        {
#if defined(JACKPLANE_HAS_NEON)
            return true;
#else
            return false;
#endif
        }
    };
    struct neon_dot : neon // dot products of four bytes (FEAT_DotProd)
    {
        [[gnu::always_inline]] static constexpr char const* name() noexcept { return "neon_dot"; }
        [[gnu::always_inline]] static constexpr bool supported() noexcept
        {
#if defined(JACKPLANE_HAS_NEON_DOT)
            return true;
#else
            return false;
#endif
        }
    };
    static_assert(arch<scalar> && arch<avx512_bf16> && arch<neon_dot>);
}
