// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <vector>
#include "../core/parallel.hpp"
#include "accumulate.hpp"
#include "generic.hpp"
#include "sum.hpp"

// y = A x. x [cols] and y [rows] may be unaligned, must not overlap. Throws shape_error. With a prepared x nothing is
// allocated. The same bits for any thread count and row split within one arch.
namespace jackplane::inline v0
{
    // Panels of 16 rows for engines that schedule themselves: y[row] += for the rows of panels [first, last).
    template <accumulator Acc = compensated, class Arch = best_arch, packed_matrix M>
    void multiply_panels(M const& a, exact::prepared const& x, std::span<float> y, std::size_t first, std::size_t last)
    {
        auto const& v = a.view();
        JACKPLANE_EXPECTS(x.cols() == v.cols && y.size() == v.rows, shape_error, "a matrix of ", v.rows, " x ", v.cols,
                          " times x of ", x.cols(), " into y of ", y.size());
        JACKPLANE_EXPECTS(first <= last && last <= v.panels, shape_error, "panels ", first, " to ", last, " of ",
                          v.panels);
        if constexpr (std::same_as<Arch, scalar>)
            kernel::multiply_add<Acc>(v, x.view(), y.data(), first, last, scalar{});
        else
            kernel::multiply_add<Acc, Arch>(v, x.view(), y.data(), first, last, Arch{});
    }

    // y += A x, x prepared
    template <accumulator Acc = compensated, class Arch = best_arch, packed_matrix M, class Parallel = serial>
    void multiply_add(M const& a, exact::prepared const& x, std::span<float> y, Parallel parallel = {})
    {
        multiply_panels<Acc, Arch>(a, x, y, 0, 0); // checks shapes once, before any thread starts
        parallel(a.view().panels,
                 [&](std::size_t first, std::size_t last) { multiply_panels<Acc, Arch>(a, x, y, first, last); });
    }

    // y += A x
    template <accumulator Acc = compensated, class Arch = best_arch, packed_matrix M, class Parallel = serial>
    void multiply_add(M const& a, std::span<float const> x, std::span<float> y, Parallel parallel = {})
    {
        exact::prepared ready;
        exact::prepare(x, ready);
        multiply_add<Acc, Arch>(a, ready, y, parallel);
    }

    // y = A x for any linear map; x as values (float or 16 bits) or prepared
    template <accumulator Acc = compensated, class Arch = best_arch, linear_map M, class X, class Parallel = serial>
    void multiply(M const& a, X const& x, std::span<float> y, Parallel parallel = {})
    {
        std::fill(y.begin(), y.end(), 0.0f);
        if constexpr (std::convertible_to<X const&, std::span<float const>>)
            detail::add_product<Acc, Arch>(a, std::span<float const>(x), y, parallel);
        else if constexpr (requires { std::span(x); })
        {
            exact::prepared ready;
            exact::prepare(std::span<typename X::value_type const>(x), ready);
            detail::add_product<Acc, Arch>(a, ready, y, parallel);
        }
        else
            detail::add_product<Acc, Arch>(a, x, y, parallel);
    }

    // The same for y of 16 bits: sums in float, rounded once.
    template <accumulator Acc = compensated, class Arch = best_arch, linear_map M, class X, class U,
              class Parallel = serial>
        requires(std::same_as<U, half> || std::same_as<U, bfloat16>)
    void multiply(M const& a, X const& x, std::span<U> y, Parallel parallel = {})
    {
        std::vector<float> wide(y.size());
        multiply<Acc, Arch>(a, x, wide, parallel);
        std::transform(wide.begin(), wide.end(), y.begin(), [](float v) { return from_float<U>(v); });
    }

    static_assert(linear_map<packed<bit_planes>> && linear_map<prefixed<bit_planes, uniform<8>, half, no_zero>>);
    static_assert(dense_map<packed<bit_planes>> && linear_map<sum<packed<bit_planes>, packed<bit_planes>>>);
}
