// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <span>
#include "detail/cache.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // A vector is a column: values, which are summed by weights. A scale belongs to a column, so it goes into the
    // weights: sum_columns (multiply/columns.hpp).
    template <code_layout L = bit_planes, scale<uniform<L::bits>> P = minmax<>, scale_number S = bfloat16>
    class column_cache
    {
    public:
        using prefix_type = prefixed<L, uniform<L::bits>, half, integer_zero>;
        using zero_type = typename P::zero_type;
        static constexpr bool has_zeros = !std::same_as<zero_type, no_zero>;
        static constexpr std::uint8_t centre = 1u << (L::bits - 1); // the zero of every panel

        // columns: numbers of a vector that share a scale. Throws shape_error unless those are whole panels of 16, or
        // the whole vector, and for more room than there are addresses.
        column_cache(std::size_t room, std::size_t length, std::size_t columns = 32, P policy = {})
            : m_room(detail::expect_room(room, length)),
              m_length(length),
              m_blocks(ceil_div(room, block::cols)),
              m_staged(block::cols, length, columns, policy),
              m_planes(panels() * m_blocks),
              m_ones(panels() * block::rows),
              m_centres(m_ones.size())
        {
            JACKPLANE_EXPECTS(columns % block::rows == 0 || groups() <= 1, shape_error, "groups of ", columns,
                              " of vectors that are columns; a multiple of ", block::rows, " wanted");
            m_scales.resize(groups() * room);
            m_zeros.resize(has_zeros ? m_scales.size() : 0);
            std::fill_n(m_ones.begin(), length, from_float<half>(1));
            std::fill_n(m_centres.begin(), length, centre);
        }

        std::size_t size() const noexcept { return m_size; } // vectors
        std::size_t room() const noexcept { return m_room; }
        std::size_t length() const noexcept { return m_length; }
        std::size_t panels() const noexcept { return ceil_div(m_length, block::rows); }
        std::size_t groups() const noexcept { return m_staged.grid.per_row; }
        std::size_t group_of(std::size_t panel) const noexcept { return panel * block::rows / m_staged.grid.columns; }

        // As those of row_cache; a vector shares its blocks with those at the same 32 places.
        void append(matrix_view<float const> v)
        {
            detail::expect_vectors(v, m_length, m_size, m_room);
            m_staged.append(v, m_size, [&](std::size_t first, std::size_t count)
            {
                m_staged.put_scales(count, m_scales.data(), m_zeros.data(), m_size, m_room);
                rewrite(m_size / block::cols, first == 0,
                        [&](std::size_t panel, std::size_t height, code* codes)
                        {
                            for (std::size_t n = 0; n < count; ++n)
                                for (std::size_t r = 0; r < height; ++r)
                                    codes[r * block::cols + first + n] =
                                        m_staged.codes[n * m_length + panel * block::rows + r];
                        });
            });
        }
        void append(std::span<float const> v) { append(matrix_view<float const>{v.data(), 1, v.size()}); }
        void truncate(std::size_t n)
        {
            detail::expect_fewer(n, m_size);
            std::size_t const kept = n % block::cols;
            if (kept != 0 && n < m_size)
                rewrite(n / block::cols, false,
                        [&](std::size_t, std::size_t height, code* codes)
                        {
                            for (std::size_t r = 0; r < height; ++r)
                                std::fill(codes + r * block::cols + kept, codes + (r + 1) * block::cols, code{0});
                        });
            m_size = n;
        }
        void restart() noexcept { m_size = 0; }

        // Numbers [16 panel, 16 panel + 16) of the vectors [first, last), unscaled: decode(code) - centre, as a matrix
        // of their leading bits. first: a multiple of 32. A view, valid until the cache changes. Throws width_error,
        // shape_error.
        prefix_type panel(std::size_t nth, unsigned bits, std::size_t first, std::size_t last) const&
        {
            detail::expect_width<L>(bits);
            JACKPLANE_EXPECTS(nth < panels() && first % block::cols == 0 && first <= last && last <= m_size,
                              shape_error, "panel ", nth, " of ", panels(), " of the vectors ", first, " to ", last,
                              " of ", m_size, ": the first is a multiple of ", block::cols);
            std::size_t const row = nth * block::rows, cols = last - first;
            auto v = detail::view_of_shape<packed_view<L, uniform<L::bits>, half, integer_zero>>(
                std::min(m_length - row, block::rows), cols, group_grid::of(group::per_row(), cols));
            v.plane = m_planes.planes(nth * m_blocks + first / block::cols);
            v.scales = m_ones.data() + row;
            v.zeros = m_centres.data() + row;
            return {detail::leading_planes(v, bits)};
        }
        void panel(std::size_t, unsigned, std::size_t, std::size_t) const&& = delete; // it would point into a temporary

        S const* scales(std::size_t group) const noexcept { return m_scales.data() + group * m_room; } // [size()]
        zero_type const* zeros(std::size_t group) const noexcept { return m_zeros.data() + group * m_room; }

    private:
        template <class Change> // change(panel, height, codes): the block of the panel, so many rows high
        void rewrite(std::size_t nth, bool fresh, Change&& change)
        {
            for (std::size_t panel = 0; panel < panels(); ++panel)
                m_planes.rewrite(panel * m_blocks + nth, fresh,
                                 [&](code* codes)
                                 { change(panel, std::min(m_length - panel * block::rows, block::rows), codes); });
        }

        std::size_t m_room, m_length, m_blocks, m_size = 0;
        detail::vector_codes<uniform<L::bits>, S, P> m_staged;
        detail::block_store<L> m_planes;         // [panels, blocks]
        aligned_vector<half> m_ones;             // [panels, 16]
        aligned_vector<integer_zero> m_centres;  // [panels, 16]
        detail::unset_vector<S> m_scales;        // [groups, room]
        detail::unset_vector<zero_type> m_zeros; // like scales; empty for no_zero
    };
}
