// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../arch/best.hpp"
#include "../dispatch/task.hpp"
#include "../kernel/limbs.hpp"
#include "../reference.hpp"
#include "activation.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace detail
    {
        // first: a multiple of all widths of tiles; and others follow, more than the narrower tiles take.
        template <unsigned Limbs>
        limbs_view<Limbs> some_vectors(limbs_view<Limbs> x, std::size_t first, std::size_t count) noexcept
        {
            std::size_t const blocks = first * x.x.blocks, groups = first * x.groups;
            x.q += blocks * block::cols * Limbs;
            x.scales += groups;
            x.sums += groups * Limbs;
            x.block_scales += blocks;
            x.block_sums += blocks * Limbs;
            x.x = some_vectors(x.x, first, count);
            return x;
        }
    }

    // x as integers of Limbs signed bytes, one scale s for every `group` columns:  x = s * sum_l 256^l q_l  with s =
    // max |x| / (127 * 256^(Limbs - 1)), at least 2^-120. Each x is off by at most s / 2 + 2^-23 |x|. Of Gaussian x
    // the product is off by 6e-3 (1 limb), 2e-5 (2), 1e-7 (3: as good as fp32) of itself (bench/activations.cpp).
    template <unsigned Limbs>
        requires(1 <= Limbs && Limbs <= 3)
    struct limbs
    {
        static constexpr unsigned count = Limbs;
        static constexpr float largest = Limbs == 1 ? 127.0f : Limbs == 2 ? 127.0f * 256 : 127.0f * 65536;
        static constexpr float smallest_scale = 0x1p-120f; // below it 1 / s would overflow
        static constexpr std::size_t tile = kernel::tiles<Limbs>::widest; // vectors whose integers lie side by side

        // 32, 64 or 128 columns. A group that divides the matrix's is fastest; any multiple of 32 is multiplied as
        // integers, others as fp32: takes_integers(a, ready) tells.
        std::size_t group = 64;
        // The group for matrices that share an x.
        template <class... M>
        static constexpr limbs for_matrix(M const&... a) noexcept
        {
            auto const divides = [](auto const& v) { return v.groups == 1 || v.group % 64 == 0; };
            return {(divides(a.view()) && ...) ? 64u : 32u};
        }

        class prepared : public detail::prepared_floats // keeps its memory from one x to the next
        {
        public:
            limbs_view<Limbs> view() const& noexcept
            {
                return {m_q.data(),
                        m_scales.data(),
                        m_sums.data(),
                        m_group,
                        ceil_div(m_x.cols(), m_group),
                        m_block_scales.data(),
                        m_block_sums.data(),
                        floats()};
            }
            // The vectors [first, last) without a copy: first is a multiple of tile, last is one or vectors(). Throws
            // shape_error.
            prepared_rows<limbs_view<Limbs>> rows(std::size_t first, std::size_t last) const&
            {
                detail::expect_some(first, last, vectors(), tile);
                return {detail::some_vectors(view(), first, last - first)};
            }
            void view() const&& = delete; // both would point into a temporary
            void rows(std::size_t, std::size_t) const&& = delete;

        private:
            friend struct limbs;
            void make_room(std::size_t vectors, std::size_t cols, std::size_t columns_of_group)
            {
                detail::prepared_floats::make_room(vectors, cols);
                m_group = columns_of_group;
                std::size_t const places = kernel::tiles<Limbs>::padded(vectors), groups = ceil_div(cols, m_group);
                std::size_t const blocks = ceil_div(cols, block::cols);
                m_q.resize(blocks * block::cols * places * Limbs);
                m_scales.resize(groups * places);
                m_sums.resize(groups * places * Limbs);
                m_block_scales.resize(blocks * places);
                m_block_sums.resize(blocks * places * Limbs);
            }
            limbs_memory memory_of(std::size_t first) noexcept // of the tile that begins with that vector
            {
                std::size_t const blocks = ceil_div(m_x.cols(), block::cols), groups = ceil_div(m_x.cols(), m_group);
                return {m_q.data() + first * blocks * block::cols * Limbs, m_scales.data() + first * groups,
                        m_sums.data() + first * groups * Limbs, m_block_scales.data() + first * blocks,
                        m_block_sums.data() + first * blocks * Limbs};
            }
            aligned_vector<std::int8_t> m_q;
            aligned_vector<float> m_scales, m_sums, m_block_scales, m_block_sums;
            std::size_t m_group = 0;
        };

        // Throws shape_error for another group, and as exact::prepare.
        template <class Arch = best_arch, class X, parallel_policy Parallel = serial>
        void prepare(X const& vectors, prepared& into, Parallel const& parallel = {}) const
        {
            using compiled = detail::compiled_arch<Arch>;
            static_assert(compiled::supported(), "this unit is not compiled with the flags of that arch");
            JACKPLANE_EXPECTS(group == 32 || group == 64 || group == 128, shape_error, "activation groups of ", group,
                              " columns; there are 32, 64 and 128");
            auto const x = vectors_of(vectors);
            expect_whole(x, "x");
            into.make_room(x.rows, x.cols, group);
            auto const each_tile = [&](auto const& prepare_tile) // while its fp32 are in the cache
            {
                auto const do_tiles = [&](std::size_t nth, std::size_t last)
                {
                    for (; nth < last; ++nth)
                    {
                        std::size_t const begin = nth * tile, end = std::min(begin + tile, x.rows);
                        prepare_tile(into.take(x, begin, end), group, limbs_range{largest, smallest_scale},
                                     into.memory_of(begin));
                    }
                };
                parallel(ceil_div(x.rows, tile), do_tiles);
            };
            if constexpr (dispatch::decides_at_run_time<Arch, dispatch::prepare_limbs<Limbs>>)
                each_tile(Arch::template function<dispatch::prepare_limbs<Limbs>>());
            else if constexpr (compiled::supported())
                each_tile([](exact_view const& floats, std::size_t columns, limbs_range range, limbs_memory to)
                          { kernel::prepare_limbs<compiled, Limbs>(floats, columns, range, to, compiled{}); });
        }
        template <class Arch = best_arch, class X, parallel_policy Parallel = serial>
        void prepare(X const& vectors, std::span<std::size_t const> rows, prepared& into,
                     Parallel const& parallel = {}) const
        {
            prepare<Arch>(detail::gather(vectors_of(vectors), rows), into, parallel);
        }
    };
    static_assert(activation<limbs<1>> && activation<limbs<3>>);
}
