// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <span>
#include "detail/cache.hpp"

// Matrices in planes that grow by a vector at a time, as keys and values do while a text is read. Each vector is
// quantized when it comes, in groups along itself, to codes of all bits; what is read later is the leading bits. Memory
// is taken once, for `room` vectors, and touched when they come. The bytes depend on the vectors alone: not on how many
// came together, nor on what was truncated between.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // A vector is a row: keys, whose products with a query are the scores. The planes are those that pack makes of
    // quantize<S>(all vectors, uniform<L::bits>{}, policy, group{columns}).
    //     row_cache<> keys(room, head_dim);
    //     keys.append(k);
    //     multiply(keys.prefix(4), query, scores);       // query prepared, scores [keys.size()]
    template <code_layout L = bit_planes, scale<uniform<L::bits>> P = minmax<>, scale_number S = half>
    class row_cache
    {
    public:
        using view_type = packed_view<L, uniform<L::bits>, S, typename P::zero_type>;
        using prefix_type = prefixed<L, uniform<L::bits>, S, typename P::zero_type>;

        // columns: numbers of a vector that share a scale; a multiple of 32 is multiplied as integers. Throws
        // shape_error for 0, and for more room than there are addresses.
        row_cache(std::size_t room, std::size_t length, std::size_t columns = 32, P policy = {})
            : m_room(detail::expect_room(room, length)),
              m_length(length),
              m_blocks(ceil_div(length, block::cols)),
              m_staged(block::rows, length, columns, policy),
              m_planes(ceil_div(room, block::rows) * m_blocks)
        {
            m_scales.resize(ceil_div(room, block::rows) * groups() * block::rows);
            m_zeros.resize(has_zeros ? m_scales.size() : 0);
        }

        std::size_t size() const noexcept { return m_size; } // vectors
        std::size_t room() const noexcept { return m_room; }
        std::size_t length() const noexcept { return m_length; }

        // Adds the rows of v. Throws shape_error, before it changes anything, where they have another length or no
        // room; value_error (vector_codes::quantize) at a vector, behind those before it that share no panel with it.
        void append(matrix_view<float const> v)
        {
            detail::expect_vectors(v, m_length, m_size, m_room);
            m_staged.append(v, m_size, [&](std::size_t first, std::size_t count)
            {
                std::size_t const panel = m_size / block::rows;
                if (first == 0)
                    clear_scales(panel, 0);
                m_staged.put_scales(count, m_scales.data(), m_zeros.data(), scale_at(panel, 0) + first, block::rows);
                rewrite(panel, first == 0,
                        [&](std::size_t nth, std::size_t width, code* codes)
                        {
                            for (std::size_t n = 0; n < count; ++n)
                                std::copy_n(m_staged.codes.data() + n * m_length + nth * block::cols, width,
                                            codes + (first + n) * block::cols);
                        });
            });
        }
        void append(std::span<float const> v) { append(matrix_view<float const>{v.data(), 1, v.size()}); }

        // Keeps the first n. Throws shape_error where there are fewer.
        void truncate(std::size_t n)
        {
            detail::expect_fewer(n, m_size);
            std::size_t const panel = n / block::rows, kept = n % block::rows;
            if (kept != 0 && n < m_size)
            {
                rewrite(panel, false,
                        [&](std::size_t, std::size_t, code* codes)
                        { std::fill(codes + kept * block::cols, codes + block::codes, code{0}); });
                clear_scales(panel, kept);
            }
            m_size = n;
        }
        void restart() noexcept { m_size = 0; }

        // The leading bits [size(), length()]: a view, valid until the cache changes. Throws width_error.
        prefix_type prefix(unsigned bits) const&
        {
            detail::expect_width<L>(bits);
            auto v = detail::view_of_shape<view_type>(m_size, m_length, m_staged.grid);
            v.plane = m_planes.planes(0);
            v.scales = m_scales.data();
            v.zeros = has_zeros ? m_zeros.data() : nullptr;
            return {detail::leading_planes(v, bits)};
        }
        void prefix(unsigned) const&& = delete; // it would point into a temporary

    private:
        static constexpr bool has_zeros = !std::same_as<typename P::zero_type, no_zero>;

        std::size_t groups() const noexcept { return m_staged.grid.per_row; }
        std::size_t scale_at(std::size_t panel, std::size_t g) const noexcept
        {
            return (panel * groups() + g) * block::rows;
        }
        void clear_scales(std::size_t panel, std::size_t row) // of the rows from that on
        {
            for (std::size_t g = 0; g < groups(); ++g)
                for (std::size_t r = row; r < block::rows; ++r)
                {
                    m_scales[scale_at(panel, g) + r] = S{};
                    if constexpr (has_zeros)
                        m_zeros[scale_at(panel, g) + r] = {};
                }
        }
        template <class Change> // change(nth, width, codes): block nth of the panel, so many columns wide
        void rewrite(std::size_t panel, bool fresh, Change&& change)
        {
            for (std::size_t nth = 0; nth < m_blocks; ++nth)
                m_planes.rewrite(panel * m_blocks + nth, fresh,
                                 [&](code* codes)
                                 { change(nth, std::min(m_length - nth * block::cols, block::cols), codes); });
        }

        std::size_t m_room, m_length, m_blocks, m_size = 0;
        detail::vector_codes<uniform<L::bits>, S, P> m_staged;
        detail::block_store<L> m_planes;                     // [panels, blocks]
        detail::unset_vector<S> m_scales;                    // [panels, groups, 16]
        detail::unset_vector<typename P::zero_type> m_zeros; // like scales; empty for no_zero
    };
}
