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
            void view() const&& = delete; // would point into a temporary

        private:
            friend struct limbs;
            aligned_vector<std::int8_t> m_q;
            aligned_vector<float> m_scales, m_sums, m_block_scales, m_block_sums;
            std::size_t m_group = 0;
        };

        // Throws shape_error for another group, and as exact::prepare.
        template <class Arch = best_arch, class X>
        void prepare(X const& vectors, prepared& into) const
        {
            using compiled = detail::compiled_arch<Arch>;
            static_assert(compiled::supported(), "this unit is not compiled with the flags of that arch");
            JACKPLANE_EXPECTS(group == 32 || group == 64 || group == 128, shape_error, "activation groups of ", group,
                              " columns; there are 32, 64 and 128");
            exact::prepare<Arch>(vectors, into.m_x);
            exact_view const floats = into.m_x.view();
            into.m_group = group;
            std::size_t const places = kernel::tiles<Limbs>::padded(floats.vectors);
            std::size_t const groups = ceil_div(floats.cols, group);
            into.m_q.resize(floats.blocks * block::cols * places * Limbs);
            into.m_scales.resize(groups * places);
            into.m_sums.resize(groups * places * Limbs);
            into.m_block_scales.resize(floats.blocks * places);
            into.m_block_sums.resize(floats.blocks * places * Limbs);
            limbs_memory const to{into.m_q.data(), into.m_scales.data(), into.m_sums.data(),
                                  into.m_block_scales.data(), into.m_block_sums.data()};
            limbs_range const range{largest, smallest_scale};
            if constexpr (dispatch::decides_at_run_time<Arch, dispatch::prepare_limbs<Limbs>>)
                Arch::template function<dispatch::prepare_limbs<Limbs>>()(floats, group, range, to);
            else if constexpr (compiled::supported())
                kernel::prepare_limbs<compiled, Limbs>(floats, group, range, to, compiled{});
        }
        template <class Arch = best_arch, class X>
        void prepare(X const& vectors, std::span<std::size_t const> rows, prepared& into) const
        {
            prepare<Arch>(detail::gather(vectors_of(vectors), rows), into);
        }
    };
    static_assert(activation<limbs<1>> && activation<limbs<3>>);
}
