// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include "../../pack/pack.hpp"
#include "from_blocks.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf::detail
{
    // One block each of sixteen rows, 0 where there is no row.
    template <linear_block T>
    struct blocks_of_panel
    {
        static constexpr std::size_t groups = T::values / T::sub_block;

        std::array<code, block::rows * T::values> codes{};           // [16, values]
        std::array<float, groups * block::rows> scales{}, offsets{}; // [groups, 16], as a packed_view has them

        // `rows` blocks, so many bytes apart.
        void read(std::byte const* from, std::size_t apart, std::size_t rows) noexcept
        {
            for (std::size_t r = 0; r < rows; ++r, from += apart)
            {
                T::codes(from, codes.data() + r * T::values);
                auto const c = T::read(from);
                for (std::size_t g = 0; g < groups; ++g)
                    scales[g * block::rows + r] = T::scale(c, g), offsets[g * block::rows + r] = T::offset(c, g);
            }
        }
        bool finite() const noexcept
        {
            std::size_t others = 0;
            for (std::size_t i = 0; i < scales.size(); ++i)
                others += std::size_t{!is_finite(scales[i])} + std::size_t{!is_finite(offsets[i])};
            return others == 0;
        }
    };
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf
{
    // Rows of blocks -> planes of L: the bytes that jackplane::pack<L>(from_blocks<T>(blocks, rows, cols)) gives, and
    // the same errors, panel by panel without the codes of the whole matrix in between.
    //     auto const a = gguf::pack<planes<4>, gguf::q4_k>(file.at("blk.0.ffn_up.weight"), team(2));
    template <code_layout L, linear_block T, parallel_policy Parallel = serial>
    packed<L, uniform<T::bits>, float, offset_zero<float>> pack(std::span<std::byte const> blocks, std::size_t rows,
                                                                std::size_t cols, Parallel parallel = {},
                                                                std::string_view name = T::name)
    {
        static_assert(L::bits == T::bits, "the planes of the layout must add up to the bits of the type");
        static_assert(T::values % block::cols == 0);
        detail::expect_matrix<T>(blocks.size(), rows, cols);
        using in_panel = detail::blocks_of_panel<T>;
        using storage_type = JACKPLANE_TARGET::detail::packed_storage<L, float, offset_zero<float>>;
        std::size_t const row_bytes = cols / T::values * T::bytes, panels = ceil_div(rows, block::rows);
        group_grid const grid = group_grid::of({T::sub_block}, cols);
        using view_type = packed_view<L, uniform<T::bits>, float, offset_zero<float>>;
        auto const v = JACKPLANE_TARGET::detail::view_of_shape<view_type>(rows, cols, grid);
        auto storage = std::make_shared<storage_type>();
        storage->resize_scales(panels * grid.per_row * block::rows);
        std::atomic<bool> finite = true;
        auto a = JACKPLANE_TARGET::detail::pack_blocks(v, storage, parallel, [&](std::size_t panel, auto&& put)
        {
            std::size_t const first = panel * block::rows, height = std::min(rows - first, block::rows);
            in_panel now;
            bool all_finite = true;
            for (std::size_t nth = 0; nth < cols / T::values; ++nth)
            {
                now.read(blocks.data() + first * row_bytes + nth * T::bytes, row_bytes, height);
                all_finite = all_finite && now.finite();
                std::size_t const at = (panel * grid.per_row + nth * in_panel::groups) * block::rows;
                std::ranges::copy(now.scales, storage->scales.data() + at);
                std::ranges::transform(now.offsets, storage->zeros.data() + at,
                                       [](float x) { return offset_zero<float>{x}; });
                for (std::size_t left = 0; left < T::values; left += block::cols)
                    put((nth * T::values + left) / block::cols, now.codes.data() + left, T::values);
            }
            if (!all_finite)
                finite.store(false, std::memory_order_relaxed);
        });
        if (!finite.load(std::memory_order_relaxed))
            from_blocks<T>(blocks, rows, cols, name); // throws: it says which
        return a;
    }

    // The same of a tensor. Throws format_error for one of another type.
    template <code_layout L, linear_block T, parallel_policy Parallel = serial>
    auto pack(tensor const& t, Parallel parallel = {})
    {
        return pack<L, T>(t.bytes, t.rows(), t.cols(), parallel, detail::expect_type<T>(t));
    }
}
