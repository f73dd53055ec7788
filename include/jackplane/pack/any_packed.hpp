// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <variant>
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
}
