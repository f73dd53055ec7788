// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../../core/concepts.hpp"
#include "archs.hpp"

namespace jackplane::inline v0 // shared by all units: core/target.hpp
{
    // The instruction set that code is compiled for. A tag is part of the signature of everything that reaches a
    // kernel; where the same name exists for several tags, the nearest ancestor wins. supported(): by the flags of this
    // unit; what the CPU has is asked in cpu.hpp. The tags of the library's own kernels stand in archs.hpp.
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

#define JACKPLANE_TAG(tag, parent, multiplies, looks_up, ...)                                             \
    struct tag : parent                                                                                   \
    {                                                                                                     \
        static constexpr bool multiplies_bytes = multiplies, looks_up_bytes = looks_up;                   \
        [[gnu::always_inline]] static constexpr char const* name() noexcept { return #tag; }              \
        [[gnu::always_inline]] static constexpr bool supported() noexcept { return JACKPLANE_HAS_##tag; } \
    };
    JACKPLANE_ARCHS(JACKPLANE_TAG) // avx2, avx2_vnni ... neon_i8mm
#undef JACKPLANE_TAG
    static_assert(arch<scalar> && arch<avx512_bf16> && arch<neon_i8mm>);
}
