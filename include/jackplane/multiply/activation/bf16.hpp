// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../kernel/pairs.hpp"
#include "activation.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace detail
    {
        inline bf16_view some_vectors(bf16_view x, std::size_t first, std::size_t count) noexcept
        {
            x.pairs += first * x.x.blocks * block::cols / 2;
            x.sums += first * x.x.blocks;
            x.x = some_vectors(x.x, first, count);
            return x;
        }
    }

    // x rounded to bfloat16, for machines that multiply pairs of them (avx512_bf16); all others take the fp32 x. Each
    // |x| <= 3.38e38 is off by at most 2^-8 |x| + 2^-126 (below the smallest normal number it becomes 0).
    struct bf16
    {
        class prepared : public detail::prepared_floats // keeps its memory from one x to the next
        {
        public:
            bf16_view view() const& noexcept { return {m_pairs.data(), m_sums.data(), floats()}; }
            void view() const&& = delete; // would point into a temporary

        private:
            friend struct bf16;
            aligned_vector<std::uint32_t> m_pairs;
            aligned_vector<float> m_sums;
        };

        template <class Arch = void, class X>
        static void prepare(X const& vectors, prepared& into)
        {
            exact::prepare<Arch>(vectors, into.m_x);
            exact_view const v = into.m_x.view();
            std::size_t const blocks = v.vectors * v.blocks;
            into.m_pairs.resize(blocks * block::cols / 2);
            into.m_sums.resize(blocks);
            for (std::size_t b = 0; b < blocks; ++b)
            {
                float rounded[block::cols];
                for (std::size_t c = 0; c < block::cols; ++c)
                    rounded[c] = to_float(from_float<bfloat16>(v.x[b * block::cols + c]));
                into.m_sums[b] = sum_of_block(rounded);
                for (std::size_t c = 0; c < block::cols; c += 4)
                    for (std::size_t odd = 0; odd < 2; ++odd)
                        into.m_pairs[(b * block::cols + c) / 2 + odd] =
                            std::bit_cast<std::uint32_t>(rounded[c + odd]) >> 16 |
                            (std::bit_cast<std::uint32_t>(rounded[c + odd + 2]) & 0xffff0000u);
            }
        }
        template <class Arch = void, class X>
        static void prepare(X const& vectors, std::span<std::size_t const> rows, prepared& into)
        {
            prepare<Arch>(detail::gather(vectors_of(vectors), rows), into);
        }
    };
    static_assert(activation<bf16>);
    using brain = bf16; // its name before
}
