// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cstddef>
#include <span>
#include "pack.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // One row of what dequantize gives -> out [cols]: an embedding in planes is read so, a token at a time. Throws
    // shape_error.
    template <packed_matrix M>
    void dequantize_row(M const& a, std::size_t row, std::span<float> out)
    {
        auto const& v = a.view();
        JACKPLANE_EXPECTS(row < v.rows && out.size() == v.cols, shape_error, "dequantize row ", row, " of ", v.rows,
                          " x ", v.cols, " into ", out.size(), " elements");
        matrix_view<float> const every_row{out.data(), v.rows, v.cols, 0}; // whichever is written lands in out
        std::array<code, block::codes> codes;
        for (std::size_t nth = 0; nth < v.blocks; ++nth)
        {
            detail::unpack_block(v, row / block::rows, nth, codes.data());
            detail::decode_row(v, row, nth, codes.data() + row % block::rows * block::cols, every_row);
        }
    }
}
