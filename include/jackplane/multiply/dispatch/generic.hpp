// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../batches.hpp"
#include "unit.hpp"

// Included by the units of jackplane_add_kernels that every machine runs: generic and scalar.
namespace jackplane::inline v0 // shared by all units: core/target.hpp
{
    namespace dispatch
    {
        template <>
        struct kernels_of<generic>
        {
            using arch = simd<xsimd::default_arch>;
            // Batches have no dot product of bytes. 512 x 4096 at 4 bits, SSE2, one vector: 0.34 ms by floats, 0.54 as
            // limbs<1>, 1.3 as limbs<3>; eight: 1.8, 4.8, 14.5.
            static constexpr bool by_floats = true;
        };
    }
}
