// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include "../../quantize/quantized.hpp"
#include "file.hpp"
#include "levels.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf::detail
{
    // Blocks in so many bytes, which are a whole matrix. Rows without columns have no bytes that bound their number.
    template <class T>
    void expect_matrix(std::size_t bytes, std::size_t rows, std::size_t cols)
    {
        JACKPLANE_EXPECTS(cols % T::values == 0 && (cols > 0 || rows == 0) &&
                              JACKPLANE_TARGET::detail::is_product(bytes, rows, cols / T::values * T::bytes),
                          shape_error, rows, " x ", cols, " from ", bytes, " bytes of ", T::name, " blocks of ",
                          T::values, " values in ", T::bytes, " bytes");
    }
    // The name of a tensor of this type, for errors.
    template <class T>
    std::string expect_type(tensor const& t)
    {
        std::string name = text("tensor '", printable(t.name), "'");
        JACKPLANE_EXPECTS(t.type.id == T::id, format_error, name, ": ", t.type.name, " read as ", T::name);
        return name;
    }
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf
{
    // Rows of blocks as codes [rows, cols] with a scale and an offset for each sub-block, to be packed and multiplied
    // as they are: dequantize() gives the values that decode() gives, bit for bit. Throws shape_error where the bytes
    // are not those of the sizes, value_error where a scale or offset is not finite (name, row, group).
    //     auto const a = pack<planes<4>>(gguf::from_blocks<gguf::q4_k>(file.at("blk.0.ffn_up.weight")));
    template <linear_block T>
    quantized<uniform<T::bits>, float, offset_zero<float>> from_blocks(std::span<std::byte const> blocks,
                                                                       std::size_t rows, std::size_t cols,
                                                                       std::string_view name = T::name)
    {
        detail::expect_matrix<T>(blocks.size(), rows, cols);
        quantized<uniform<T::bits>, float, offset_zero<float>> q{
            {}, rows, cols, group_grid::of(group{T::sub_block}, cols), codes<T>(blocks, cols),
            {}, {}};
        q.scales.reserve(rows * cols / T::sub_block);
        q.zeros.reserve(rows * cols / T::sub_block);
        detail::for_each_sub_block<T>(
            blocks, [&](float scale, float offset) { q.scales.push_back(scale), q.zeros.push_back({offset}); });
        q.expect_whole(name);
        return q;
    }

    // The same of a tensor. Throws format_error for one of another type.
    template <linear_block T>
    auto from_blocks(tensor const& t)
    {
        return from_blocks<T>(t.bytes, t.rows(), t.cols(), detail::expect_type<T>(t));
    }
}
