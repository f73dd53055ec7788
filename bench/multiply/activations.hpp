// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// One unit each: kernels take long to compile.
#include "options.hpp"
#include "product.hpp"

namespace bench
{
    void add_bf16(options const& o, shape s);
    void add_exact(options const& o, shape s);
    void add_limbs1(options const& o, shape s);
    void add_limbs2(options const& o, shape s);
    void add_limbs3(options const& o, shape s);

    struct named_activation
    {
        char const* name;
        void (*add)(options const& o, shape s);
    };
    inline constexpr named_activation activations[] = {
        {"bf16", add_bf16},     {"exact", add_exact},   {"limbs1", add_limbs1},
        {"limbs2", add_limbs2}, {"limbs3", add_limbs3},
    };
}
