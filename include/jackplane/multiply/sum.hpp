// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <utility>
#include "../core/check.hpp"
#include "parts.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
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

    namespace detail
    {
        template <sum_of_maps M>
        using first_of = std::remove_cvref_t<decltype(std::declval<M const&>().first())>;
        template <sum_of_maps M>
        using second_of = std::remove_cvref_t<decltype(std::declval<M const&>().second())>;

        template <sum_of_maps M>
        inline constexpr bool has_parts<M> = (has_parts<first_of<M>> && has_parts<second_of<M>>);

        // Both maps, 16 rows a part.
        template <class Arch, accumulator Acc, sum_of_maps M, class X>
        class product_parts<Arch, Acc, M, X>
        {
        public:
            product_parts(M const& m, X const& x, matrix_view<float> y)
                : m_rows(m.rows()), m_first(m.first(), x, y), m_second(m.second(), x, y)
            {
            }
            std::size_t count() const noexcept { return ceil_div(m_rows, block::rows); }
            void operator()(std::size_t first, std::size_t last) const
            {
                std::size_t const end = last * block::rows;
                add_rows(first * block::rows, end < m_rows ? end : m_rows);
            }
            void add_rows(std::size_t first, std::size_t last) const
            {
                m_first.add_rows(first, last);
                m_second.add_rows(first, last);
            }

        private:
            std::size_t m_rows;
            product_parts<Arch, Acc, first_of<M>, X> m_first;
            product_parts<Arch, Acc, second_of<M>, X> m_second;
        };
    }
}
