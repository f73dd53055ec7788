// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../pack/any_packed.hpp"
#include "multiply.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // y = A x at `bits`, for a matrix whose format a file decided: any_packed, or a variant of your own, which compiles
    // kernels of its formats alone (those of any_packed take a minute). Throws width_error, shape_error.
    template <arch Arch = best_arch, accumulator Acc = suited, packed_matrix... M, class X,
              parallel_policy Parallel = serial>
    void multiply(std::variant<M...> const& m, unsigned bits, X const& x, std::span<float> y, Parallel parallel = {})
    {
        std::visit([&](auto const& a) { multiply<Arch, Acc>(a.prefix(bits), x, y, parallel); }, m);
    }
}
