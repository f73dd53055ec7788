// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <iterator>
#include <numeric>
#include <span>
#include <utility>
#include <vector>
#include "../../quantize/levels.hpp"
#include "blocks.hpp"

// Rounding again inside the scales that blocks hold: what their codes stand for, codes out of them and into them.
//     auto q = gguf::codes<gguf::q2_k>(bytes, cols);
//     round_to_levels(w, gguf::levels<gguf::q2_k>(bytes, cols), q, feedback(gram));
//     gguf::put_codes<gguf::q2_k>(q, bytes);
namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf
{
    // A type whose codes stand for ascending values.                               all but mxfp4
    template <class T>
    concept ordered_block = linear_block<T> || (coded_block<T> && std::ranges::is_sorted(T::table));
    static_assert(ordered_block<iq4_nl> && !ordered_block<mxfp4>);
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf::detail
{
    // Blocks in so many bytes, which are whole rows of `cols` values.
    template <class T>
    std::size_t expect_blocks(std::size_t bytes, std::size_t cols)
    {
        std::size_t const row = cols / T::values * T::bytes;
        JACKPLANE_EXPECTS(cols % T::values == 0 && (row == 0 ? bytes == 0 : bytes % row == 0), shape_error, bytes,
                          " bytes as rows of ", cols, " values in ", T::name, " blocks of ", T::values, " values in ",
                          T::bytes, " bytes");
        return bytes / T::bytes;
    }
    // f(scale, offset) of each sub-block, one after the other.
    template <class T>
    void for_each_sub_block(std::span<std::byte const> blocks, auto&& f)
    {
        for (std::size_t at = 0; at < blocks.size(); at += T::bytes)
        {
            auto const c = T::read(blocks.data() + at);
            for (std::size_t s = 0; s < T::values / T::sub_block; ++s)
                f(T::scale(c, s), T::offset(c, s));
        }
    }
    template <class T>
    constexpr std::size_t levels_of() // codes that a type has
    {
        if constexpr (requires { T::levels; })
            return T::levels;
        else
            return std::size_t{1} << T::bits;
    }
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf
{
    // The codes [rows, cols] of rows of blocks. Throws shape_error.
    template <coded_block T>
    aligned_vector<code> codes(std::span<std::byte const> blocks, std::size_t cols)
    {
        aligned_vector<code> q(detail::expect_blocks<T>(blocks.size(), cols) * T::values);
        for (std::size_t i = 0; i < q.size() / T::values; ++i)
            T::codes(blocks.data() + i * T::bytes, q.data() + i * T::values);
        return q;
    }
    // Other codes into blocks, whose scales stay. Throws shape_error.
    template <coded_block T>
    void put_codes(std::span<code const> q, std::span<std::byte> blocks)
    {
        JACKPLANE_EXPECTS(q.size() % T::values == 0 && blocks.size() == q.size() / T::values * T::bytes, shape_error,
                          q.size(), " codes into ", blocks.size(), " bytes of ", T::name, " blocks of ", T::values,
                          " values in ", T::bytes, " bytes");
        for (std::size_t i = 0; i < q.size() / T::values; ++i)
            T::put_codes(q.data() + i * T::values, blocks.data() + i * T::bytes);
    }
    // What the codes of these blocks stand for. Throws shape_error.
    template <ordered_block T>
    given_levels levels(std::span<std::byte const> blocks, std::size_t cols)
    {
        detail::expect_blocks<T>(blocks.size(), cols);
        std::vector<float> values;
        if constexpr (linear_block<T>)
        {
            values.resize(detail::levels_of<T>());
            std::iota(values.begin(), values.end(), 0.0f);
        }
        else
            values.assign(std::begin(T::table), std::end(T::table));
        aligned_vector<float> scales, offsets;
        detail::for_each_sub_block<T>(
            blocks, [&](float scale, float offset) { scales.push_back(scale), offsets.push_back(offset); });
        return {std::move(values), T::sub_block, std::move(scales), std::move(offsets)};
    }
}
