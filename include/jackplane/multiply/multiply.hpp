// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../core/parallel.hpp"
#include "activation/bf16.hpp"
#include "activation/limbs.hpp"
#include "arch/best.hpp"
#include "dispatch/task.hpp"
#include "kernel/kernel.hpp"
#include "operands.hpp"
#include "sum.hpp"

// y = A x, and Y = A X for several vectors: x [vectors, cols], y [vectors, rows], a vector a row, as engines keep
// tokens. One vector is any contiguous range, several are a matrix: multiply(a, {x, 3, cols}, {y, 3, rows}). x is
// float, double or of 16 bits, or prepared. x and y may be unaligned, must not overlap. Throws shape_error. With a
// prepared x nothing is allocated, but for y of 16 bits. The same bits for any thread count and row split within one
// arch.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // What runs: "avx2"; "sse2" in a unit whose flags ask for no more; of `dispatched` what was chosen.
    template <arch Arch = best_arch>
    char const* kernel_name()
    {
        return Arch::name();
    }

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
        else if constexpr (dispatch::decides_at_run_time<Arch, dispatch::multiply_rows<view, X>>)
            return kernel::multiplies_as_integers<view, limbs>(Arch::choice()) && kernel::of_whole_blocks(v);
        else
            return kernel::multiplies_as_integers<view, limbs>(detail::compiled_arch<Arch>{}) &&
                   kernel::of_whole_blocks(v);
    }

    namespace detail
    {
        // y[n, r] += (A x_n)[r] for first <= r < last; y [vectors, stride]. The kernel of Arch: shapes are right.
        template <class Arch, accumulator Acc, class View, class X>
        [[gnu::always_inline]] inline void run_kernel(View const& a, X const& x, float* y, std::size_t stride,
                                                      std::size_t first, std::size_t last)
        {
            using task = dispatch::multiply_rows_by<View, X>;
            using compiled = compiled_arch<Arch>;
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
                static_assert(compiled::supported(), "this unit is not compiled with the flags of that arch");
                if constexpr (compiled::supported())
                    if (first < last)
                        kernel::multiply_rows<compiled, Acc>(a, x, y, stride, first, last, compiled{});
            }
        }

        // Its format is known at run time: any.hpp.
        template <class M>
        inline constexpr bool is_visited = false;
        template <class M>
            requires(packed_matrix<M> || is_visited<M>)
        inline constexpr bool has_parts<M> = true;

        // Panels of 16 rows, each of which one thread does.
        template <class Arch, accumulator Acc, class M, class X>
            requires(packed_matrix<M> || is_visited<M>)
        class product_parts<Arch, Acc, M, X>
        {
        public:
            product_parts(M const& a, X const& x, matrix_view<float> y) : m_a(a), m_x(x.view()), m_y(y)
            {
                add_rows(0, 0); // may throw arch_error
            }
            std::size_t count() const noexcept { return ceil_div(m_a.rows(), block::rows); }
            void operator()(std::size_t first, std::size_t last) const
            {
                std::size_t const end = last * block::rows;
                add_rows(first * block::rows, end < m_a.rows() ? end : m_a.rows());
            }
            [[gnu::always_inline]] void add_rows(std::size_t first, std::size_t last) const
            {
                std::size_t const end = m_y.rows == 0 ? first : last; // kernels take one x or more
                if constexpr (packed_matrix<M>)
                    run_kernel<Arch, Acc>(m_a.view(), m_x, m_y.data, m_y.stride, first, end);
                else
                    m_a.visit([&](auto const& a)
                              { run_kernel<Arch, Acc>(a.view(), m_x, m_y.data, m_y.stride, first, end); });
            }

        private:
            M const& m_a;
            decltype(std::declval<X const&>().view()) m_x;
            matrix_view<float> m_y; // [vectors, rows]
        };

        // y += m x for one map of a sum, or of somebody else. Policies reach it where it takes them; it may have a
        // multiply_add(m, x, y) of one vector alone.
        template <class Arch, accumulator Acc, class M, prepared X, parallel_policy Parallel>
        void add_product(M const& m, X const& x, matrix_view<float> y, Parallel const& parallel)
        {
            if constexpr (requires { multiply_add<Arch, Acc>(m, x, y, parallel); })
                multiply_add<Arch, Acc>(m, x, y, parallel);
            else
                for (std::size_t n = 0; n < y.rows; ++n)
                {
                    exact_view const all = x.floats();
                    multiply_add(m, std::span<float const>(all.x + n * all.blocks * block::cols, all.cols), y.row(n));
                }
        }
    }

    // The rows [first, last) for engines that schedule themselves, y += A x: any split; multiples of 16 do no work
    // twice. x is best prepared: values are prepared at every call.
    template <arch Arch = best_arch, accumulator Acc = suited, map_of_rows M, class X = matrix_view<float const>,
              class Y = matrix_view<float>>
        requires operand_x<X> && float_operand_y<Y>
    void multiply_rows(M const& a, X const& x, Y&& y, std::size_t first, std::size_t last)
    {
        matrix_view<float> const to = detail::outputs_of(y);
        auto const& ready = detail::prepared_of<Arch, M>(x, serial{});
        detail::expect_product(a.rows(), a.cols(), ready.vectors(), ready.cols(), to);
        JACKPLANE_EXPECTS(first <= last && last <= a.rows(), shape_error, "rows ", first, " to ", last, " of ",
                          a.rows());
        detail::parts_of<Arch, Acc>(a, ready, to).add_rows(first, last);
    }

    // y += A x
    template <arch Arch = best_arch, accumulator Acc = suited, detail::map_or_sum M, class X = matrix_view<float const>,
              class Y = matrix_view<float>, parallel_policy Parallel = serial>
        requires operand_x<X> && float_operand_y<Y>
    void multiply_add(M const& a, X const& x, Y&& y, Parallel const& parallel = {})
    {
        matrix_view<float> const to = detail::outputs_of(y);
        auto const& ready = detail::prepared_of<Arch, M>(x, parallel);
        detail::expect_product(a.rows(), a.cols(), ready.vectors(), ready.cols(), to);
        if constexpr (map_of_rows<M>) // threads meet once, for all parts of a sum
        {
            auto const parts = detail::parts_of<Arch, Acc>(a, ready, to);
            parallel(parts.count(), parts);
        }
        else
        {
            detail::add_product<Arch, Acc>(a.first(), ready, to, parallel);
            detail::add_product<Arch, Acc>(a.second(), ready, to, parallel);
        }
    }

    // y = A x for any linear map. Of y of 16 bits: sums in float, rounded once. What does not fit leaves y as it was.
    template <arch Arch = best_arch, accumulator Acc = suited, linear_map M, class X = matrix_view<float const>,
              class Y = matrix_view<float>, parallel_policy Parallel = serial>
        requires operand_x<X> && operand_y<Y>
    void multiply(M const& a, X const& x, Y&& y, Parallel const& parallel = {})
    {
        auto const to = detail::outputs_of(y);
        auto const& ready = detail::prepared_of<Arch, M>(x, parallel);
        detail::expect_product(a.rows(), a.cols(), ready.vectors(), ready.cols(), to);
        aligned_vector<float> beside;
        matrix_view<float> const sums = detail::zeros_for(to, beside);
        if constexpr (map_of_rows<M>) // five calls from here to the loop over blocks
        {
            auto const parts = detail::parts_of<Arch, Acc>(a, ready, sums);
            parallel(parts.count(), parts);
        }
        else
            detail::add_product<Arch, Acc>(a, ready, sums, parallel);
        detail::put_rounded(sums, to);
    }

    // The same by another activation, which prepares the values of x for this product alone:
    //     multiply(a, x, y, limbs<1>{}, workers);
    template <arch Arch = best_arch, accumulator Acc = suited, linear_map M, vector_values X = matrix_view<float const>,
              class Y = matrix_view<float>, activation How, parallel_policy Parallel = serial>
        requires operand_y<Y>
    void multiply(M const& a, X const& x, Y&& y, How const& how, Parallel const& parallel = {})
    {
        typename How::prepared ready;
        detail::prepare_by<Arch>(how, x, ready, parallel);
        multiply<Arch, Acc>(a, ready, y, parallel);
    }

    static_assert(linear_map<packed<bit_planes>> && linear_map<prefixed<bit_planes, uniform<8>, half, no_zero>>);
    static_assert(dense_map<packed<bit_planes>> && linear_map<sum<packed<bit_planes>, packed<bit_planes>>>);
}
#include "misuse.hpp"
