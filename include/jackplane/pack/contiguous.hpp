// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "pack.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // Whether its panels follow one another; those of a view of columns do not.
    template <packed_matrix M>
    bool is_contiguous(M const& a) noexcept
    {
        auto const& v = a.view();
        return v.panels <= 1 || (v.block_stride == v.blocks && v.group_stride == v.groups);
    }

    // `a` itself, or a copy whose panels follow one another, with the scales of single widths: what a file holds, and
    // what lets go of the matrix that a view was cut from.
    template <code_layout L, codebook C, scale_number S, zero_number Z>
    packed<L, C, S, Z> contiguous(packed<L, C, S, Z> const& a)
    {
        if (is_contiguous(a))
            return a;
        using matrix = packed<L, C, S, Z>;
        auto v = a.view();
        struct storage
        {
            detail::packed_storage<L, S, Z> matrix;
            std::array<detail::packed_storage<L, S, Z>, matrix::most_bits + 1> own; // the scales of a width
        };
        auto const keep = std::make_shared<storage>();
        for (std::size_t p = 0; p < v.planes; ++p)
        {
            auto& to = keep->matrix.plane[p];
            std::size_t const in_panel = v.blocks * L::bytes(p);
            to.resize(p * plane_stagger + v.panels * in_panel);
            std::byte* const begin = to.data() + p * plane_stagger;
            detail::gather_panels(v.plane[p], v.panels, in_panel, v.block_stride * L::bytes(p), begin);
            v.plane[p] = begin;
        }
        auto const gather = [&](S const* scales, [[maybe_unused]] Z const* zeros, detail::packed_storage<L, S, Z>& to)
        {
            std::size_t const in_panel = v.groups * block::rows, apart = v.group_stride * block::rows;
            to.resize_scales(v.panels * in_panel);
            detail::gather_panels(scales, v.panels, in_panel, apart, to.scales.data());
            if constexpr (!std::same_as<Z, no_zero>)
                detail::gather_panels(zeros, v.panels, in_panel, apart, to.zeros.data());
            return typename matrix::scales_at_width{to.scales.data(), to.zeros_or_null()};
        };
        auto own = a.own_scales();
        auto const all = gather(v.scales, v.zeros, keep->matrix);
        for (std::size_t bits = 0; bits < own.size(); ++bits)
            if (own[bits].scales == v.scales) // still those of the matrix
                own[bits] = all;
            else if (own[bits].scales != nullptr)
                own[bits] = gather(own[bits].scales, own[bits].zeros, keep->own[bits]);
        v.scales = all.scales;
        v.zeros = all.zeros;
        v.block_stride = v.blocks;
        v.group_stride = v.groups;
        return {v, keep, own};
    }
}
