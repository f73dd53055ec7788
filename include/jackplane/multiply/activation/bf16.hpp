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
            // The vectors [first, last), any of them, without a copy. Throws shape_error.
            prepared_rows<bf16_view> rows(std::size_t first, std::size_t last) const&
            {
                detail::expect_some(first, last, vectors(), 1);
                return {detail::some_vectors(view(), first, last - first)};
            }
            void view() const&& = delete; // both would point into a temporary
            void rows(std::size_t, std::size_t) const&& = delete;

        private:
            friend struct bf16;
            template <class X>
            void take_pairs(X const& x, std::size_t begin, std::size_t end)
            {
                exact_view const v = take(x, begin, end);
                for (std::size_t nth = 0; nth < v.vectors * v.blocks; ++nth)
                {
                    std::size_t const b = begin * v.blocks + nth;
                    float rounded[block::cols];
                    for (std::size_t c = 0; c < block::cols; ++c)
                        rounded[c] = to_float(from_float<bfloat16>(v.x[nth * block::cols + c]));
                    m_sums[b] = sum_of_block(rounded);
                    for (std::size_t c = 0; c < block::cols; c += 4)
                        for (std::size_t odd = 0; odd < 2; ++odd)
                            m_pairs[(b * block::cols + c) / 2 + odd] =
                                std::bit_cast<std::uint32_t>(rounded[c + odd]) >> 16 |
                                (std::bit_cast<std::uint32_t>(rounded[c + odd + 2]) & 0xffff0000u);
                }
            }

            aligned_vector<std::uint32_t> m_pairs;
            aligned_vector<float> m_sums;
        };

        template <class Arch = void, class X, parallel_policy Parallel = serial>
        static void prepare(X const& vectors, prepared& into, Parallel const& parallel = {})
        {
            auto const x = vectors_of(vectors);
            expect_whole(x, "x");
            into.make_room(x.rows, x.cols);
            std::size_t const blocks = x.rows * ceil_div(x.cols, block::cols);
            into.m_pairs.resize(blocks * block::cols / 2);
            into.m_sums.resize(blocks);
            parallel(x.rows, [&](std::size_t first, std::size_t last) { into.take_pairs(x, first, last); });
        }
        template <class Arch = void, class X, parallel_policy Parallel = serial>
        static void prepare(X const& vectors, std::span<std::size_t const> rows, prepared& into,
                            Parallel const& parallel = {})
        {
            prepare<Arch>(detail::gather(vectors_of(vectors), rows), into, parallel);
        }
    };
    static_assert(activation<bf16>);
    using brain = bf16; // its name before
}
