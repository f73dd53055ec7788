// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../pack/any_packed.hpp"
#include "multiply.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // y = A x at `bits`, for a matrix whose format a file decided. Throws width_error, shape_error.
    template <accumulator Acc = compensated, arch Arch = best_arch, class X, parallel_policy Parallel = serial>
    void multiply(any_packed const& m, unsigned bits, X const& x, std::span<float> y, Parallel parallel = {})
    {
        std::visit([&](auto const& a) { multiply<Acc, Arch>(a.prefix(bits), x, y, parallel); }, m);
    }
}
