// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <xsimd/xsimd.hpp>
#include "../core/concepts.hpp"

namespace jackplane::inline v0
{
    // Kernels of one name are chosen by these tags: one that takes a nearer ancestor wins.
    struct common
    {
    };

    struct scalar : common // plain loops in double: the definition of a product
    {
        static constexpr char const* name() noexcept { return "scalar"; }
        static constexpr bool supported() noexcept { return true; }
    };

    template <class X>
    struct simd : common // batches of xsimd's arch X
    {
        using batch_arch = X;
        static constexpr char const* name() noexcept { return X::name(); }
        static constexpr bool supported() noexcept { return X::supported(); }
    };

    using best_arch = simd<xsimd::default_arch>; // of the flags of this unit
    static_assert(arch<scalar> && arch<best_arch>);
}
