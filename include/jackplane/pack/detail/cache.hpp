// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <span>
#include <string>
#include "../../core/storage.hpp"
#include "../../quantize/quantize.hpp"
#include "blocks.hpp"

// What caches of rows and of columns share.
namespace jackplane::inline v0::inline JACKPLANE_TARGET::detail
{
    // Vectors as codes, until they are packed with those that stand in the same blocks. `most`: how many share one.
    template <codebook C, scale_number S, scale<C> P>
    class vector_codes
    {
    public:
        using zero_type = typename P::zero_type;
        static constexpr bool has_zeros = !std::same_as<zero_type, no_zero>;

        vector_codes(std::size_t most, std::size_t length, std::size_t columns, P policy)
            : grid(group_grid::of({columns}, length)),
              codes(most * length),
              scales(most * grid.per_row),
              zeros(has_zeros ? scales.size() : 0),
              m_most(most),
              m_length(length),
              m_policy(policy)
        {
        }

        // Throws value_error for a number that is not finite, for a scale that S does not hold and a zero that does not
        // fit. A scale below the smallest number of S is 0: then so is the group, which was that small.
        void quantize(std::size_t at, std::span<float const> v, std::size_t nth)
        {
            for (std::size_t g = 0; g < grid.per_row; ++g)
            {
                std::size_t const left = g * grid.columns, right = std::min(left + grid.columns, v.size());
                for (std::size_t i = left; i < right; ++i)
                    JACKPLANE_EXPECTS(is_finite(v[i]), value_error, "cache: number ", i, " of vector ", nth, " is ",
                                      v[i]);
                scale_and_zero s = m_policy(v.subspan(left, right - left), C{}, std::span<float const>{});
                S const stored = from_float<S>(s.scale);
                JACKPLANE_EXPECTS(is_finite(stored), value_error, "cache: scale ", s.scale, " of group ", g,
                                  " of vector ", nth, why_not_held<S>(s.scale));
                s.scale = to_float(stored);
                scales[at * grid.per_row + g] = stored;
                if constexpr (has_zeros)
                {
                    zero_type& zero = zeros[at * grid.per_row + g];
                    zero = stored_zero<zero_type>(s.zero, "cache", g, " of vector ", nth);
                    s.zero = to_float(zero);
                }
                for (std::size_t i = left; i < right; ++i)
                    codes[at * m_length + i] = encode(C{}, nearest{}, v[i], s, {nth, i});
            }
        }

        // The rows of v behind the first `size` of a cache, those of the same blocks at a time: put(first, count) finds
        // their codes and puts them at `first` in the blocks. size grows by what was put.
        template <class Put>
        void append(matrix_view<float const> v, std::size_t& size, Put&& put)
        {
            for (std::size_t done = 0, count = 0; done < v.rows; done += count, size += count)
            {
                std::size_t const first = size % m_most;
                count = std::min(m_most - first, v.rows - done);
                for (std::size_t n = 0; n < count; ++n)
                    quantize(n, v.row(done + n), size + n);
                put(first, count);
            }
        }
        // The scales and zeros of the first `count` vectors -> to [groups, apart], `at` the place of the first.
        void put_scales(std::size_t count, S* to_scales, [[maybe_unused]] zero_type* to_zeros, std::size_t at,
                        std::size_t apart) const noexcept
        {
            for (std::size_t n = 0; n < count; ++n)
                for (std::size_t g = 0; g < grid.per_row; ++g)
                {
                    to_scales[at + g * apart + n] = scales[n * grid.per_row + g];
                    if constexpr (has_zeros)
                        to_zeros[at + g * apart + n] = zeros[n * grid.per_row + g];
                }
        }

        group_grid grid;
        aligned_vector<code> codes; // [most, length]
        aligned_vector<S> scales;   // [most, groups]
        aligned_vector<zero_type> zeros;

    private:
        std::size_t m_most, m_length;
        P m_policy;
    };

    // Blocks of planes that are written again as vectors come and go.
    template <code_layout L>
    class block_store
    {
    public:
        explicit block_store(std::size_t blocks)
        {
            for (std::size_t p = 0; p < L::count; ++p)
                m_plane[p].resize(p * plane_stagger + blocks * L::bytes(p));
        }
        std::array<std::byte const*, L::count> planes(std::size_t nth) const noexcept
        {
            std::array<std::byte const*, L::count> from{};
            for (std::size_t p = 0; p < L::count; ++p)
                from[p] = m_plane[p].data() + p * plane_stagger + nth * L::bytes(p);
            return from;
        }
        // change(codes) [16, 32]; of a fresh block all are 0.
        template <class Change>
        void rewrite(std::size_t nth, bool fresh, Change&& change)
        {
            std::array<code, block::codes> codes{};
            if (!fresh)
                L::unpack(L::count, planes(nth).data(), codes.data());
            change(codes.data());
            std::array<std::byte*, L::count> to{};
            for (std::size_t p = 0; p < L::count; ++p)
                to[p] = m_plane[p].data() + p * plane_stagger + nth * L::bytes(p);
            L::pack(L::count, codes.data(), block::cols, to.data());
        }

    private:
        std::array<unset_vector<std::byte>, L::count> m_plane;
    };

    // room, where so many vectors and their scales have addresses.
    inline std::size_t expect_room(std::size_t room, std::size_t length)
    {
        constexpr std::size_t side = block::cols; // of the squares that are counted: panels and blocks are no larger
        bool const fits =
            fits_in_memory(std::max<std::size_t>(1, ceil_div(room, side)), ceil_div(length, side), side * side * 4);
        JACKPLANE_EXPECTS(fits, shape_error, "a cache of ", room, " vectors of ", length,
                          " numbers does not fit in memory");
        return room;
    }
    inline void expect_vectors(matrix_view<float const> v, std::size_t length, std::size_t size, std::size_t room)
    {
        JACKPLANE_EXPECTS(v.cols == length, shape_error, "vectors of ", v.cols, " numbers for a cache of ", length);
        JACKPLANE_EXPECTS(v.rows <= room - size, shape_error, "the cache holds ", size, " vectors and has room for ",
                          room, ": ", v.rows, " more do not fit");
        expect_whole(v, "cache: vectors");
    }
    inline void expect_fewer(std::size_t n, std::size_t size)
    {
        JACKPLANE_EXPECTS(n <= size, shape_error, "a cache of ", size, " vectors has no first ", n);
    }
    template <code_layout L>
    void expect_width(unsigned bits)
    {
        std::string list;
        for (unsigned k = 1; L::planes_of(bits) == 0 && k <= L::bits; ++k)
            if (L::planes_of(k) != 0)
                list += text(list.empty() ? "" : ", ", k);
        JACKPLANE_EXPECTS(L::planes_of(bits) != 0, width_error, "no ", bits,
                          " bits of this cache; readable widths: ", list);
    }
}
