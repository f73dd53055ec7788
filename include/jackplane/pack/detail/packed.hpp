// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../packed.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace detail
    {
        // decode(code) - zero is exact or rounded once, times scale rounded again: the same on every machine.
        template <code_layout L, codebook C, scale_number S, zero_number Z>
        float decode(packed_view<L, C, S, Z> const& a, unsigned q) noexcept
        {
            if constexpr (linear_codebook<C>)
                return a.step * static_cast<float>(q) + a.base;
            else
                return a.book.decode(static_cast<code>(q));
        }
        template <code_layout L, codebook C, scale_number S, zero_number Z>
        float zero(packed_view<L, C, S, Z> const& a, [[maybe_unused]] std::size_t at) noexcept
        {
            if constexpr (std::same_as<Z, no_zero>)
                return C::centre;
            else
                return to_float(a.zeros[at]);
        }
        template <code_layout L, codebook C, scale_number S, zero_number Z>
        unsigned code_at(packed_view<L, C, S, Z> const& a, std::size_t row, std::size_t col) noexcept
        {
            std::size_t const nth = row / block::rows * a.blocks + col / block::cols, step = col % block::cols / 4;
            std::size_t const lane = row % block::rows * 4 + col % 4;
            unsigned q = 0;
            for (std::size_t p = 0; p < a.planes; ++p)
            {
                field const f = field_of(L::widths[p], step);
                std::byte const byte = a.plane[p][nth * L::bytes(p) + f.vector * block::lanes + lane];
                q = q << L::widths[p] | (std::to_integer<unsigned>(byte) >> f.shift & ((1u << L::widths[p]) - 1));
            }
            return q;
        }
        template <code_layout L, codebook C, scale_number S, zero_number Z>
        std::size_t scale_index(packed_view<L, C, S, Z> const& a, std::size_t row, std::size_t col) noexcept
        {
            return (row / block::rows * a.groups + col / a.group) * block::rows + row % block::rows;
        }
        template <code_layout L, codebook C, scale_number S, zero_number Z>
        float weight_at(packed_view<L, C, S, Z> const& a, std::size_t row, std::size_t col) noexcept
        {
            unsigned const q = code_at(a, row, col);
            std::size_t const at = scale_index(a, row, row_codebook<C> ? q : col);
            float const scale = to_float(a.scales[at]);
            return row_codebook<C> ? scale : scale * (decode(a, q) - zero(a, at));
        }
    }

    template <code_layout L, codebook C, scale_number S, zero_number Z>
    float prefixed<L, C, S, Z>::at(std::size_t row, std::size_t col) const noexcept
    {
        return detail::weight_at(of, row, col);
    }

    template <code_layout L, codebook C, scale_number S, zero_number Z>
        requires(L::bits >= C::bits)
    float packed<L, C, S, Z>::at(std::size_t row, std::size_t col) const noexcept
    {
        return detail::weight_at(m_view, row, col);
    }

    template <code_layout L, codebook C, scale_number S, zero_number Z>
        requires(L::bits >= C::bits)
    prefixed<L, C, S, Z> packed<L, C, S, Z>::prefix(unsigned bits) const&
    {
        JACKPLANE_EXPECTS(readable(bits), width_error, "no ", bits, "-bit prefix here; readable widths: ",
                          readable_widths());
        view_type v = m_view;
        if (bits != m_view.bits)
        {
            // One step at fewer bits is 2^dropped of ours; its value is the middle of the codes it stands for.
            float const dropped = static_cast<float>(1u << (m_view.bits - bits));
            v.planes = L::planes_of(bits);
            v.bits = bits;
            v.base = m_view.base + m_view.step * (dropped - 1) / 2;
            v.step = m_view.step * dropped;
            for (std::size_t p = v.planes; p < L::count; ++p)
                v.plane[p] = nullptr;
        }
        if (scales_at_width const& own = m_own[bits]; own.scales != nullptr)
        {
            v.scales = own.scales;
            v.zeros = own.zeros;
        }
        return {v};
    }
    template <code_layout L, codebook C, scale_number S, zero_number Z>
        requires(L::bits >= C::bits)
    packed<L, C, S, Z> packed<L, C, S, Z>::prefix(unsigned bits) const&&
    {
        width_scales own = m_own;
        for (scales_at_width& at : own) // still fewer bits read theirs, not those of this width
            if (at.scales == nullptr)
                at = {m_view.scales, m_view.zeros};
        return {prefix(bits).view(), m_keep, own};
    }
}
