// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <numeric>
#include "../packed.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    template <code_layout L, codebook C, scale_number S, zero_number Z>
    void expect_whole(packed_view<L, C, S, Z> const& v, std::string_view name)
    {
        static_assert(!row_codebook<C> || L::bits == C::bits,
                      "planes of a row_codebook hold the bits of its codes and no more: kernels read a value of each "
                      "row's table for every code that a layout may name");
        constexpr bool has_zeros = !std::same_as<Z, no_zero>;
        JACKPLANE_EXPECTS(v.panels == ceil_div(v.rows, block::rows) && v.blocks == ceil_div(v.cols, block::cols),
                          shape_error, name, ": ", v.rows, " x ", v.cols, " in ", v.panels, " panels of ", v.blocks,
                          " blocks");
        JACKPLANE_EXPECTS(row_codebook<C> ? v.group == 1 && v.groups == C::size
                                          : v.group != 0 && v.groups == ceil_div(v.cols, v.group),
                          shape_error, name, ": ", v.rows, " x ", v.cols, " in ", v.groups, " groups of ", v.group);
        JACKPLANE_EXPECTS(v.block_stride >= v.blocks && v.group_stride >= v.groups, shape_error, name, ": panels of ",
                          v.blocks, " blocks and ", v.groups, " groups, of which the next begins ", v.block_stride,
                          " blocks and ", v.group_stride, " groups on");
        JACKPLANE_EXPECTS(fits_in_memory(v.panels, v.block_stride, block::codes) &&
                              fits_in_memory(v.panels, v.group_stride, block::rows * sizeof(S)),
                          shape_error, name, ": ", v.rows, " x ", v.cols, " do not fit in memory");

        std::size_t const planes = L::count < v.planes ? L::count : v.planes;
        unsigned bits = 0;
        for (std::size_t p = 0; p < planes; ++p)
            bits += L::widths[p];
        JACKPLANE_EXPECTS(v.planes == planes && v.bits == bits && (linear_codebook<C> || bits <= C::bits), shape_error,
                          name, ": ", v.bits, " bits in ", v.planes, " of ", L::count, " planes");
        for (std::size_t p = 0; p < planes; ++p)
            JACKPLANE_EXPECTS(v.plane[p] != nullptr || v.panels * v.blocks == 0, shape_error, name, ": ", v.rows, " x ",
                              v.cols, " without plane ", p, " of ", v.planes);
        JACKPLANE_EXPECTS(v.panels * v.groups == 0 || (v.scales != nullptr && (v.zeros != nullptr) == has_zeros),
                          shape_error, name, ": ", v.rows, " x ", v.cols, v.scales == nullptr ? " without" : " with",
                          " scales, ", v.zeros == nullptr ? "without" : "with", " zeros");
    }

    namespace detail
    {
        // What a linear codebook makes of whole codes, a leveled one of levels; others have the line of the codes.
        struct code_line
        {
            float step = 1, base = 0;
            bool operator==(code_line const&) const = default;
        };
        template <codebook C>
        constexpr code_line line_of() noexcept
        {
            if constexpr (linear_codebook<C>)
                return {C::step, C::base};
            else if constexpr (leveled_codebook<C>)
                return {C::step_at(C::bits), C::base_at(C::bits)};
            else
                return {};
        }
        // What a packed_view says of a matrix [rows, cols] in all bits of its layout, panel by panel without gaps; what
        // it points at is added by name.
        template <class View>
        View view_of_shape(std::size_t rows, std::size_t cols, group_grid grid,
                           typename View::codebook_type book = {}) noexcept
        {
            using L = typename View::layout;
            constexpr code_line line = line_of<typename View::codebook_type>();
            View v{};
            v.rows = rows, v.cols = cols;
            v.panels = ceil_div(rows, block::rows);
            v.blocks = v.block_stride = ceil_div(cols, block::cols);
            v.group = grid.columns, v.groups = v.group_stride = grid.per_row;
            v.planes = L::count, v.bits = L::bits;
            v.step = line.step, v.base = line.base;
            v.book = book;
            return v;
        }

        // v with its first planes alone, those of `bits`. One step at fewer bits of a linear codebook is 2^dropped of
        // ours; its value is the middle of the codes it stands for.
        template <code_layout L, codebook C, scale_number S, zero_number Z>
        packed_view<L, C, S, Z> leading_planes(packed_view<L, C, S, Z> v, unsigned bits) noexcept
        {
            if (bits == v.bits)
                return v;
            [[maybe_unused]] float const dropped = static_cast<float>(1u << (v.bits - bits));
            v.planes = L::planes_of(bits);
            v.bits = bits;
            if constexpr (leveled_codebook<C>)
                v.step = C::step_at(bits), v.base = C::base_at(bits);
            else
            {
                v.base += v.step * (dropped - 1) / 2;
                v.step *= dropped;
            }
            for (std::size_t p = v.planes; p < L::count; ++p)
                v.plane[p] = nullptr;
            return v;
        }

        // v with its panels [first, last) alone.
        template <code_layout L, codebook C, scale_number S, zero_number Z>
        packed_view<L, C, S, Z> some_panels(packed_view<L, C, S, Z> v, std::size_t first, std::size_t last) noexcept
        {
            std::size_t const scales = first * v.group_stride * block::rows, end = last * block::rows;
            for (std::size_t p = 0; p < v.planes; ++p)
                v.plane[p] += first * v.block_stride * L::bytes(p);
            v.scales += scales;
            if (v.zeros != nullptr)
                v.zeros += scales;
            v.rows = (end < v.rows ? end : v.rows) - first * block::rows;
            v.panels = last - first;
            return v;
        }
        template <code_layout L, codebook C, scale_number S, zero_number Z>
        packed_view<L, C, S, Z> some_rows(packed_view<L, C, S, Z> const& v, std::size_t first, std::size_t last)
        {
            bool const whole = first % block::rows == 0 && (last % block::rows == 0 || last == v.rows);
            JACKPLANE_EXPECTS(first <= last && last <= v.rows && whole, shape_error, "rows ", first, " to ", last,
                              " of ", v.rows, ": a view of rows begins at a multiple of ", block::rows,
                              " and ends at one or with the matrix");
            return some_panels(v, first / block::rows, ceil_div(last, block::rows));
        }

        // Where a view of columns may begin and end.
        template <code_layout L, codebook C, scale_number S, zero_number Z>
        std::size_t column_step(packed_view<L, C, S, Z> const& v) noexcept
        {
            return row_codebook<C> || v.groups <= 1 ? block::cols : std::lcm(v.group, block::cols);
        }
        template <code_layout L, codebook C, scale_number S, zero_number Z>
        packed_view<L, C, S, Z> some_cols(packed_view<L, C, S, Z> v, std::size_t first, std::size_t last)
        {
            std::size_t const step = column_step(v);
            bool const whole = first % step == 0 && (last % step == 0 || last == v.cols);
            JACKPLANE_EXPECTS(first <= last && last <= v.cols && whole, shape_error, "columns ", first, " to ", last,
                              " of ", v.cols, ": a view of columns begins at a multiple of ", step,
                              " and ends at one or with the matrix");
            for (std::size_t p = 0; p < v.planes && v.panels != 0; ++p) // without rows there may be no memory
                v.plane[p] += first / block::cols * L::bytes(p);
            v.cols = last - first;
            v.blocks = ceil_div(v.cols, block::cols);
            if constexpr (!row_codebook<C>)
            {
                std::size_t const scales = v.panels == 0 || v.groups <= 1 ? 0 : first / v.group * block::rows;
                v.scales += scales;
                if (v.zeros != nullptr)
                    v.zeros += scales;
                group_grid const grid = group_grid::of({v.group}, v.cols); // as pack would have it
                v.group = grid.columns;
                v.groups = grid.per_row;
            }
            return v;
        }

        // What value_of needs.
        template <code_layout L, codebook C, scale_number S, zero_number Z>
        float decode(packed_view<L, C, S, Z> const& a, unsigned q) noexcept
        {
            if constexpr (linear_codebook<C>)
                return a.step * static_cast<float>(q) + a.base;
            else if constexpr (leveled_codebook<C>)
                return a.step * static_cast<float>(C::level_at(q, a.bits)) + a.base;
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
            std::size_t const nth = row / block::rows * a.block_stride + col / block::cols;
            std::size_t const step = col % block::cols / 4;
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
            return (row / block::rows * a.group_stride + col / a.group) * block::rows + row % block::rows;
        }
        template <code_layout L, codebook C, scale_number S, zero_number Z>
        float weight_at(packed_view<L, C, S, Z> const& a, std::size_t row, std::size_t col) noexcept
        {
            unsigned const q = code_at(a, row, col);
            std::size_t const at = scale_index(a, row, row_codebook<C> ? q : col);
            float const scale = to_float(a.scales[at]);
            return row_codebook<C> ? scale : value_of<Z>(scale, decode(a, q), zero(a, at));
        }
    }

    template <code_layout L, codebook C, scale_number S, zero_number Z>
    float prefixed<L, C, S, Z>::at(std::size_t row, std::size_t col) const noexcept
    {
        return detail::weight_at(of, row, col);
    }

    template <code_layout L, codebook C, scale_number S, zero_number Z>
    prefixed<L, C, S, Z> prefixed<L, C, S, Z>::rows(std::size_t first, std::size_t last) const
    {
        return {detail::some_rows(of, first, last)};
    }
    template <code_layout L, codebook C, scale_number S, zero_number Z>
    prefixed<L, C, S, Z> prefixed<L, C, S, Z>::cols(std::size_t first, std::size_t last) const
    {
        return {detail::some_cols(of, first, last)};
    }
    template <code_layout L, codebook C, scale_number S, zero_number Z>
        requires(L::bits >= C::bits)
    packed<L, C, S, Z> packed<L, C, S, Z>::part(view_type const& some) const
    {
        width_scales own = m_own;
        for (scales_at_width& at : own)
            if (at.scales != nullptr)
            {
                at.scales += some.scales - m_view.scales;
                if (at.zeros != nullptr)
                    at.zeros += some.zeros - m_view.zeros;
            }
        return {some, m_keep, own};
    }
    template <code_layout L, codebook C, scale_number S, zero_number Z>
        requires(L::bits >= C::bits)
    packed<L, C, S, Z> packed<L, C, S, Z>::rows(std::size_t first, std::size_t last) const
    {
        return part(detail::some_rows(m_view, first, last));
    }
    template <code_layout L, codebook C, scale_number S, zero_number Z>
        requires(L::bits >= C::bits)
    packed<L, C, S, Z> packed<L, C, S, Z>::cols(std::size_t first, std::size_t last) const
    {
        return part(detail::some_cols(m_view, first, last));
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
        view_type v = detail::leading_planes(m_view, bits);
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
