// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <utility>
#include "../core/check.hpp"
#include "../core/parallel.hpp"
#include "../core/view.hpp"
#include "../pack/planes.hpp"
#include "accumulate.hpp"
#include "best.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace detail
    {
        // y += m x with these policies where the map takes them; a user's map may have a multiply_add of its own only.
        template <class Arch, accumulator Acc, class M, class X, class Y, parallel_policy Parallel>
        void add_product(M const& m, X const& x, Y y, Parallel const& parallel)
        {
            if constexpr (requires { multiply_add<Arch, Acc>(m, x, y, parallel); })
                multiply_add<Arch, Acc>(m, x, y, parallel);
            else
                multiply_add(m, x, y);
        }
    }

    // A + B, never formed: two packed matrices (residual quantization), or a dense one and a sparse one.
    template <class A, class B>
    class sum
    {
    public:
        // Throws shape_error when the two differ in shape.
        sum(A a, B b) : m_a(std::move(a)), m_b(std::move(b))
        {
            JACKPLANE_EXPECTS(m_a.rows() == m_b.rows() && m_a.cols() == m_b.cols(), shape_error, "sum of ", m_a.rows(),
                              " x ", m_a.cols(), " and ", m_b.rows(), " x ", m_b.cols());
        }
        std::size_t rows() const noexcept { return m_a.rows(); }
        std::size_t cols() const noexcept { return m_a.cols(); }
        A const& first() const& noexcept { return m_a; }
        A first() && { return std::move(m_a); }
        B const& second() const& noexcept { return m_b; }
        B second() && { return std::move(m_b); }

    private:
        A m_a;
        B m_b;
    };

    // The rows [first, last), for engines that schedule themselves.
    template <arch Arch = best_arch, accumulator Acc = suited, class A, class B, class X, class Y>
        requires requires(A const& a, B const& b, X const& x, Y y) {
            multiply_rows<Arch, Acc>(a, x, y, 0, 0);
            multiply_rows<Arch, Acc>(b, x, y, 0, 0);
        }
    void multiply_rows(sum<A, B> const& m, X const& x, Y y, std::size_t first, std::size_t last)
    {
        multiply_rows<Arch, Acc>(m.first(), x, y, first, last);
        multiply_rows<Arch, Acc>(m.second(), x, y, first, last);
    }

    namespace detail
    {
        // Both parts in one parallel region where they can be multiplied by rows: threads meet once.
        template <class Arch, accumulator Acc, class A, class B, class X, class Y, parallel_policy Parallel>
        void add_sum(sum<A, B> const& m, X const& x, Y y, Parallel const& parallel)
        {
            if constexpr (requires { multiply_rows<Arch, Acc>(m, x, y, 0, 0); })
            {
                multiply_rows<Arch, Acc>(m, x, y, 0, 0); // checks shapes once, before any thread starts
                parallel(ceil_div(m.rows(), block::rows), [&](std::size_t first, std::size_t last) {
                    std::size_t const end = last * block::rows;
                    multiply_rows<Arch, Acc>(m, x, y, first * block::rows, end < m.rows() ? end : m.rows());
                });
            }
            else
            {
                add_product<Arch, Acc>(m.first(), x, y, parallel);
                add_product<Arch, Acc>(m.second(), x, y, parallel);
            }
        }
    }

    // y += (A + B) x, x as values or prepared
    template <arch Arch = best_arch, accumulator Acc = suited, class A, class B, class X,
              parallel_policy Parallel = serial>
    void multiply_add(sum<A, B> const& m, X const& x, std::span<float> y, Parallel parallel = {})
    {
        detail::add_sum<Arch, Acc>(m, x, y, parallel);
    }
    // Y += (A + B) X, prepared
    template <arch Arch = best_arch, accumulator Acc = suited, class A, class B, class X,
              parallel_policy Parallel = serial>
    void multiply_add(sum<A, B> const& m, X const& x, matrix_view<float> y, Parallel parallel = {})
    {
        detail::add_sum<Arch, Acc>(m, x, y, parallel);
    }
}
