// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <variant>
#include "../quantize/overlapping.hpp"
#include "../quantize/row_table.hpp"
#include "pack.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // A matrix whose format is known at run time only: one of the types that files hold. This is their one list: a
    // nested file knows the codebooks that stand here (store/codebooks.hpp), and CMake reads these lines, one type each
    // (jackplane_add_kernels). To read another format, pass the reader a variant of your own.
    //     std::visit([&](auto const& a) { multiply(a.prefix(4), x, y); }, m);
    using any_packed = std::variant<
        packed<bit_planes, uniform<8>, half, no_zero>,
        packed<bit_planes, uniform<8>, half, integer_zero>,
        packed<bit_planes, uniform<8>, half, real_zero>,
        packed<bit_planes, uniform<8>, bfloat16, no_zero>,
        packed<bit_planes, uniform<8>, bfloat16, integer_zero>,
        packed<bit_planes, uniform<8>, float, no_zero>,
        packed<bit_planes, uniform<8>, float, integer_zero>,
        packed<bit_planes, overlapping<8>, half, no_zero>,
        packed<bit_planes, overlapping<8>, half, integer_zero>,
        packed<bit_planes, overlapping<8>, bfloat16, no_zero>,
        packed<bit_planes, overlapping<8>, bfloat16, integer_zero>,
        packed<planes<2, 2, 2, 2>, uniform<8>, half, no_zero>,
        packed<planes<2, 2, 2, 2>, uniform<8>, half, integer_zero>,
        packed<planes<4, 4>, uniform<8>, half, no_zero>,
        packed<planes<4, 4>, uniform<8>, half, integer_zero>,
        packed<planes<8>, uniform<8>, half, no_zero>,
        packed<planes<8>, uniform<8>, half, integer_zero>,
        packed<planes<4>, uniform<4>, half, no_zero>,
        packed<planes<4>, uniform<4>, half, integer_zero>,
        packed<planes<4>, uniform<4>, bfloat16, no_zero>,
        packed<planes<4>, uniform<4>, bfloat16, integer_zero>,
        packed<planes<2, 1>, uniform<3>, half, no_zero>,
        packed<planes<2, 1>, uniform<3>, half, integer_zero>,
        packed<planes<2, 1>, uniform<3>, bfloat16, no_zero>,
        packed<planes<2, 1>, uniform<3>, bfloat16, integer_zero>,
        packed<planes<2>, uniform<2>, half, no_zero>,
        packed<planes<2>, uniform<2>, half, integer_zero>,
        packed<planes<2>, uniform<2>, bfloat16, no_zero>,
        packed<planes<2>, uniform<2>, bfloat16, integer_zero>,
        packed<planes<4>, nf4, half, no_zero>,
        packed<planes<4>, fp4, half, no_zero>,
        packed<planes<4>, row_table<4>, half, no_zero>,
        packed<planes<2, 1>, row_table<3>, half, no_zero>,
        packed<planes<2>, row_table<2>, half, no_zero>,
        packed<planes<4>, row_table<4>, bfloat16, no_zero>,
        packed<planes<2, 1>, row_table<3>, bfloat16, no_zero>,
        packed<planes<2>, row_table<2>, bfloat16, no_zero>>;

    // Its size, which does not depend on the format.
    inline std::size_t rows_of(any_packed const& m)
    {
        return std::visit([](auto const& a) { return a.rows(); }, m);
    }
    inline std::size_t cols_of(any_packed const& m)
    {
        return std::visit([](auto const& a) { return a.cols(); }, m);
    }

    // Such a matrix (any_packed, or a variant of your own) read at one width: a view, valid as long as the matrix.
    // Products take it as any linear map.
    template <class Any>
    class any_prefixed
    {
    public:
        // Throws width_error with the readable widths.
        any_prefixed(Any const& of, unsigned bits) : m_of(&of), m_bits(bits)
        {
            visit([&](auto const& a) { m_rows = a.rows(), m_cols = a.cols(); });
        }
        any_prefixed(Any const&&, unsigned) = delete; // it would point to a temporary
        std::size_t rows() const noexcept { return m_rows; }
        std::size_t cols() const noexcept { return m_cols; }
        float at(std::size_t row, std::size_t col) const // w^; row < rows, col < cols
        {
            return visit([&](auto const& a) { return a.at(row, col); });
        }
        // each(prefix) of what the matrix holds
        template <class Each>
        decltype(auto) visit(Each&& each) const
        {
            return std::visit([&](auto const& a) -> decltype(auto) { return each(a.prefix(m_bits)); }, *m_of);
        }

    private:
        Any const* m_of;
        unsigned m_bits;
        std::size_t m_rows = 0, m_cols = 0;
    };
}
