// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <vector>
#include "../core/parallel.hpp"
#include "best.hpp"
#include "bf16.hpp"
#include "dispatch/task.hpp"
#include "kernel.hpp"
#include "limbs.hpp"
#include "sum.hpp"

// y = A x, and Y = A X for several vectors: x [vectors, cols], y [vectors, rows], a vector a row, as engines keep
// tokens. x and y may be unaligned, must not overlap. Throws shape_error. With a prepared x nothing is allocated. The
// same bits for any thread count and row split within one arch.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // What runs: "avx2"; "sse2" in a unit whose flags ask for no more; of `dispatched` what was chosen.
    template <arch Arch = best_arch>
    char const* kernel_name()
    {
        return Arch::name();
    }

    // Something that an activation has prepared.
    template <class X>
    concept prepared = requires(X const& x)
    {
        {
            x.floats()
            } -> std::same_as<exact_view>;
        {
            x.cols()
            } -> std::same_as<std::size_t>;
        {
            x.vectors()
            } -> std::same_as<std::size_t>;
        x.view();
    };

    // Whether their product takes the integers of x, and not its fp32: for what limbs<N> prepared, on an arch that
    // multiplies bytes, codes of a linear codebook (tables of 4 bits with one limb) in aligned planes, groups of a
    // multiple of 32 columns or of a whole row.
    template <arch Arch = best_arch, packed_matrix M, prepared X>
    bool takes_integers(M const& a, X const&)
    {
        auto const& v = a.view();
        using view = std::remove_cvref_t<decltype(v)>;
        constexpr unsigned limbs = kernel::limbs_of<decltype(std::declval<X const&>().view())>;
        if constexpr (limbs == 0 || std::derived_from<Arch, scalar>) // which is the definition
            return limbs != 0;
        else if constexpr (requires { Arch::choice(); })
            return kernel::multiplies_as_integers<view, limbs>(Arch::choice()) && kernel::of_whole_blocks(v);
        else
            return kernel::multiplies_as_integers<view, limbs>(Arch{}) && kernel::of_whole_blocks(v);
    }

    namespace detail
    {
        // y[n, r] += (A x_n)[r] for first <= r < last; y [vectors, stride]. The kernel of Arch: shapes are right.
        template <class Arch, accumulator Acc, class View, class X>
        void run_kernel(View const& a, X const& x, float* y, std::size_t stride, std::size_t first, std::size_t last)
        {
            using task = dispatch::multiply_rows_by<View, X>;
            if constexpr (dispatch::decides_at_run_time<Arch, task>)
            {
                static_assert(std::same_as<Acc, suited>, "kernels that are chosen at run time have no other "
                                                         "accumulator");
                auto const run = Arch::template function<task>(); // throws arch_error
                if (first < last)
                    run(a, x, y, stride, first, last);
            }
            else
            {
                static_assert(Arch::supported(), "this unit is not compiled with the flags of that arch");
                if constexpr (Arch::supported())
                    if (first < last)
                        kernel::multiply_rows<Arch, Acc>(a, x, y, stride, first, last);
            }
        }
    }

    // The rows [first, last) for engines that schedule themselves: any split; multiples of 16 do no work twice.
    template <arch Arch = best_arch, accumulator Acc = suited, packed_matrix M, prepared X>
    void multiply_rows(M const& a, X const& x, matrix_view<float> y, std::size_t first, std::size_t last)
    {
        auto const& v = a.view();
        detail::expect_product(v.rows, v.cols, x.vectors(), x.cols(), y);
        JACKPLANE_EXPECTS(first <= last && last <= v.rows, shape_error, "rows ", first, " to ", last, " of ", v.rows);
        if (x.vectors() == 0)
            last = first; // kernels take one or more
        detail::run_kernel<Arch, Acc>(v, x.view(), y.data, y.stride, first, last);
    }
    template <arch Arch = best_arch, accumulator Acc = suited, packed_matrix M, prepared X>
    void multiply_rows(M const& a, X const& x, std::span<float> y, std::size_t first, std::size_t last)
    {
        multiply_rows<Arch, Acc>(a, x, matrix_view<float>{y.data(), 1, y.size()}, first, last);
    }

    // y += A x, x prepared
    template <arch Arch = best_arch, accumulator Acc = suited, packed_matrix M, prepared X,
              parallel_policy Parallel = serial>
    void multiply_add(M const& a, X const& x, matrix_view<float> y, Parallel parallel = {})
    {
        multiply_rows<Arch, Acc>(a, x, y, 0, 0); // checks shapes once, before any thread starts
        std::size_t const rows = a.rows();
        parallel(ceil_div(rows, block::rows), [&](std::size_t first, std::size_t last)
                 { multiply_rows<Arch, Acc>(a, x, y, first * block::rows, std::min(rows, last * block::rows)); });
    }
    template <arch Arch = best_arch, accumulator Acc = suited, packed_matrix M, prepared X,
              parallel_policy Parallel = serial>
    void multiply_add(M const& a, X const& x, std::span<float> y, Parallel parallel = {})
    {
        multiply_add<Arch, Acc>(a, x, matrix_view<float>{y.data(), 1, y.size()}, parallel);
    }

    // y += A x
    template <arch Arch = best_arch, accumulator Acc = suited, packed_matrix M,
              parallel_policy Parallel = serial>
    void multiply_add(M const& a, std::span<float const> x, std::span<float> y, Parallel parallel = {})
    {
        exact::prepared ready;
        exact::prepare<Arch>(x, ready);
        multiply_add<Arch, Acc>(a, ready, y, parallel);
    }

    // y = A x for any linear map; x as values (float or 16 bits) or prepared
    template <arch Arch = best_arch, accumulator Acc = suited, linear_map M, class X,
              parallel_policy Parallel = serial>
    void multiply(M const& a, X const& x, std::span<float> y, Parallel parallel = {})
    {
        matrix_view<float> const out{y.data(), 1, y.size()}; // what does not fit leaves y as it was
        if constexpr (std::convertible_to<X const&, std::span<float const>>)
            detail::expect_product(a.rows(), a.cols(), 1, std::span<float const>(x).size(), out);
        else if constexpr (requires { std::span(x).size(); })
            detail::expect_product(a.rows(), a.cols(), 1, std::span(x).size(), out);
        else if constexpr (prepared<X>)
            detail::expect_product(a.rows(), a.cols(), x.vectors(), x.cols(), out);
        for (float& v : y)
            v = 0;
        if constexpr (std::convertible_to<X const&, std::span<float const>>)
            detail::add_product<Arch, Acc>(a, std::span<float const>(x), y, parallel);
        else if constexpr (requires { std::span(x); })
        {
            exact::prepared ready;
            exact::prepare<Arch>(x, ready);
            detail::add_product<Arch, Acc>(a, ready, y, parallel);
        }
        else
            detail::add_product<Arch, Acc>(a, x, y, parallel);
    }

    // Y = A X, x prepared
    template <arch Arch = best_arch, accumulator Acc = suited, linear_map M, prepared X,
              parallel_policy Parallel = serial>
    void multiply(M const& a, X const& x, matrix_view<float> y, Parallel parallel = {})
    {
        detail::expect_product(a.rows(), a.cols(), x.vectors(), x.cols(), y);
        for (std::size_t n = 0; n < y.rows; ++n)
            for (float& v : y.row(n))
                v = 0;
        detail::add_product<Arch, Acc>(a, x, y, parallel);
    }
    template <arch Arch = best_arch, accumulator Acc = suited, linear_map M, prepared X, shaped Y,
              parallel_policy Parallel = serial>
        requires plain_matrix<Y> // else a std::span could be made of it, too
    void multiply(M const& a, X const& x, Y& y, Parallel parallel = {})
    {
        multiply<Arch, Acc>(a, x, matrix_view<float>(y), parallel);
    }

    // The same for y of 16 bits: sums in float, rounded once.
    template <arch Arch = best_arch, accumulator Acc = suited, linear_map M, class X, class U,
              parallel_policy Parallel = serial>
        requires(std::same_as<U, half> || std::same_as<U, bfloat16>)
    void multiply(M const& a, X const& x, std::span<U> y, Parallel parallel = {})
    {
        expect_whole(matrix_view<U>{y.data(), 1, y.size()}, "y");
        aligned_vector<float> wide(y.size());
        multiply<Arch, Acc>(a, x, std::span<float>(wide), parallel);
        std::transform(wide.begin(), wide.end(), y.begin(), [](float v) { return from_float<U>(v); });
    }

    static_assert(linear_map<packed<bit_planes>> && linear_map<prefixed<bit_planes, uniform<8>, half, no_zero>>);
    static_assert(dense_map<packed<bit_planes>> && linear_map<sum<packed<bit_planes>, packed<bit_planes>>>);
}
#include "misuse.hpp"
