// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../arch/batches.hpp"
#include "unit.hpp"

// Included by the units of jackplane_add_kernels that every machine runs: generic and scalar.
namespace jackplane::inline v0 // shared by all units: core/target.hpp
{
    namespace dispatch
    {
        template <>
        struct kernels_of<generic>
        {
            using arch = any_arch;
        };
    }
}
