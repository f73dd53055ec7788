// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>
#include "../../core/pages.hpp"
#include "../packed.hpp"

// Making a packed: its memory, and the panels that fill it.
namespace jackplane::inline v0::inline JACKPLANE_TARGET::detail
{
    // Elements that resize() adds have no value until they are written, so that a page is first touched by the thread
    // that fills it.
    template <class T>
    struct unset_allocator : cache_line_allocator<T>
    {
        template <class U>
        struct rebind
        {
            using other = unset_allocator<U>;
        };
        unset_allocator() = default;
        template <class U>
        constexpr unset_allocator(unset_allocator<U> const&) noexcept
        {
        }
        template <class U, class... Args>
        void construct(U* at, Args&&... args) noexcept(std::is_nothrow_constructible_v<U, Args...>)
        {
            if constexpr (sizeof...(Args) == 0)
                ::new (static_cast<void*>(at)) U;
            else
                ::new (static_cast<void*>(at)) U(std::forward<Args>(args)...);
        }
    };
    template <class T>
    using unset_vector = std::vector<T, unset_allocator<T>>;

    template <code_layout L, scale_number S, zero_number Z>
    struct packed_storage
    {
        std::array<unset_vector<std::byte>, L::count> plane;
        unset_vector<S> scales;
        unset_vector<Z> zeros;

        void resize_scales(std::size_t n)
        {
            scales.resize(n);
            if constexpr (!std::same_as<Z, no_zero>)
                zeros.resize(n);
        }
        // Asks for the pages of panels [first, last) of so many, which are written next.
        void prefault(std::size_t first, std::size_t last, std::size_t panels) noexcept
        {
            auto const touch = [&](auto* from, std::size_t n)
            {
                std::size_t const in_panel = n / panels;
                JACKPLANE_TARGET::prefault(from + first * in_panel, (last - first) * in_panel * sizeof *from);
            };
            for (std::size_t p = 0; p < plane.size() && !plane[p].empty(); ++p)
                touch(plane[p].data() + p * plane_stagger, plane[p].size() - p * plane_stagger);
            touch(scales.data(), scales.size());
            if constexpr (!std::same_as<Z, no_zero>)
                touch(zeros.data(), zeros.size());
        }
        Z const* zeros_or_null() const noexcept { return std::same_as<Z, no_zero> ? nullptr : zeros.data(); }
    };

    // The scales and zeros of one panel of q, as a packed_view lays them out: [panels, stride, 16], 0 in padded rows.
    template <code_layout L, codebook C, scale_number S, zero_number Z>
    void pack_scales(quantized<C, S, Z> const& q, std::size_t panel, std::size_t stride, packed_storage<L, S, Z>& to)
    {
        std::size_t const groups = q.grid.per_row, first = panel * block::rows;
        for (std::size_t g = 0; g < groups; ++g)
            for (std::size_t r = 0; r < block::rows; ++r)
            {
                std::size_t const at = (panel * stride + g) * block::rows + r;
                bool const padded = first + r >= q.rows;
                std::size_t const from = padded ? 0 : q.grid.at(first + r, g * q.grid.columns);
                to.scales[at] = padded ? S{} : q.scales[from];
                if constexpr (!std::same_as<Z, no_zero>)
                    to.zeros[at] = padded ? Z{} : q.zeros[from];
            }
    }

    // from [panels, stride] -> to [panels, count], the first of each.
    template <class T>
    void gather_panels(T const* from, std::size_t panels, std::size_t count, std::size_t stride, T* to) noexcept
    {
        for (std::size_t panel = 0; panel < panels; ++panel)
            std::copy_n(from + panel * stride, count, to + panel * count);
    }

    // An owner with room for the first n planes of the shape in `v` (its strides are its counts), whose scales are in
    // storage or come there with the panels. fill(panel, put) gives the blocks of a panel: put(nth, codes, apart),
    // codes of all bits of L [16, 32] whose rows begin `apart` codes apart.
    template <code_layout L, codebook C, scale_number S, zero_number Z, parallel_policy Parallel, class Fill>
    packed<L, C, S, Z> pack_blocks(packed_view<L, C, S, Z> v, std::shared_ptr<packed_storage<L, S, Z>> storage,
                                   Parallel& parallel, Fill&& fill)
    {
        std::array<std::byte*, L::count> plane{};
        for (std::size_t p = 0; p < v.planes; ++p)
        {
            storage->plane[p].resize(p * plane_stagger + v.panels * v.blocks * L::bytes(p));
            v.plane[p] = plane[p] = storage->plane[p].data() + p * plane_stagger;
        }
        constexpr std::size_t at_once = 32; // panels: some 2 MB, which stay in a cache until they are written
        parallel(v.panels, [&](std::size_t first, std::size_t last)
        {
            for (std::size_t panel = first; panel < last; ++panel)
            {
                if ((panel - first) % at_once == 0)
                    storage->prefault(panel, std::min(panel + at_once, last), v.panels);
                fill(panel, [&](std::size_t nth, code const* codes, std::size_t apart)
                {
                    std::array<std::byte*, L::count> to{};
                    for (std::size_t p = 0; p < v.planes; ++p)
                        to[p] = plane[p] + (panel * v.blocks + nth) * L::bytes(p);
                    L::pack(v.planes, codes, apart, to.data());
                });
            }
        });
        v.scales = storage->scales.data();
        v.zeros = storage->zeros_or_null();
        return {v, storage};
    }
}
