// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../activation/activation.hpp"
#include "fields.hpp"

namespace jackplane::inline v0 // shared by all units: core/target.hpp
{
    // Vectors side by side as integers. Tiles of vectors follow each other (kernel::tiles); inside one:
    template <unsigned Limbs>
    struct limbs_view
    {
        std::int8_t const* q; // [blocks * 8 steps, vectors of the tile, limbs, 4 columns]
        float const* scales;  // [groups, vectors of the tile]; NaN where an x is NaN or Inf
        float const* sums;    // [groups, vectors of the tile, limbs]: of q over the group, exact
        std::size_t group, groups;
        float const *block_scales, *block_sums; // the same with a group for each block of 32 columns
        exact_view x;
    };

    // How they are made.
    struct limbs_range
    {
        float largest, smallest_scale;
    };
    struct limbs_memory
    {
        std::int8_t* q;
        float *scales, *sums, *block_scales, *block_sums;
    };
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace kernel
    {
        template <class View>
        inline constexpr unsigned limbs_of = 0; // of x that is no integers
        template <unsigned Limbs>
        inline constexpr unsigned limbs_of<limbs_view<Limbs>> = Limbs;

        // Vectors are multiplied in tiles of `widest`, the last ones in a tile of 4 or 1; places without a vector are
        // 0.
        template <unsigned Limbs>
        struct tiles
        {
            static constexpr std::size_t widest = Limbs == 1 ? 8 : 4;

            static constexpr std::size_t width(std::size_t left) noexcept // of the tile for the first of `left` vectors
            {
                return left > 4 ? widest : left > 1 ? 4 : 1;
            }
            static constexpr std::size_t padded(std::size_t vectors) noexcept
            {
                std::size_t sum = 0;
                for (std::size_t n = 0; n < vectors; n += width(vectors - n))
                    sum += width(vectors - n);
                return sum;
            }
        };

        // For weights whose groups those of x do not divide, but blocks do.
        template <unsigned Limbs>
        [[gnu::always_inline]] inline limbs_view<Limbs> by_blocks(limbs_view<Limbs> x) noexcept
        {
            x.scales = x.block_scales;
            x.sums = x.block_sums;
            x.group = block::cols;
            x.groups = x.x.blocks;
            return x;
        }

        // A group of nothing: all q are 0.
        template <unsigned Limbs>
        [[gnu::always_inline]] inline void blank_group(float scale, std::size_t cols, std::size_t stride,
                                                       limbs_memory to) noexcept
        {
            *to.scales = scale;
            for (std::size_t l = 0; l < Limbs; ++l)
                to.sums[l] = 0;
            for (std::size_t b = 0; b < cols / block::cols; ++b)
            {
                to.block_scales[b * stride] = scale;
                for (std::size_t l = 0; l < Limbs; ++l)
                    to.block_sums[b * stride * Limbs + l] = 0;
            }
            for (std::size_t s = 0; s < cols / 4; ++s)
                __builtin_memset(to.q + s * stride * Limbs * 4, 0, Limbs * 4);
        }

        // One group of one vector: x [cols] -> q [cols / 4, stride, limbs, 4].
        template <class V, unsigned Limbs>
        [[gnu::always_inline]] inline void prepare_group(float const* x, std::size_t cols, std::size_t stride,
                                                         limbs_range range, limbs_memory to) noexcept
        {
            auto magnitude = V::zero();
            for (std::size_t c = 0; c < cols; c += V::rows)
                magnitude = V::max(magnitude, V::magnitude(V::load(x + c)));
            float const largest = __builtin_bit_cast(float, V::largest(magnitude));
            if (!is_finite(largest))
                return blank_group<Limbs>(__builtin_nanf(""), cols, stride, to);
            float const wanted = largest / range.largest,
                        scale = wanted < range.smallest_scale ? range.smallest_scale : wanted;
            *to.scales = scale;
            typename V::floats const inverse(1 / scale);
            std::int32_t total[Limbs] = {};
            for (std::size_t begin = 0; begin < cols; begin += block::cols)
            {
                std::array<typename V::ints, Limbs> sum; // of a block
                for_each<Limbs>([&](auto l) __attribute__((always_inline)) { sum[l] = V::zero(); });
                for (std::size_t c = begin; c < begin + block::cols; c += V::rows)
                {
                    auto q = V::round(V::load(x + c) * inverse);
                    for_each<Limbs>([&](auto l) __attribute__((always_inline)) {
                        auto digit = q;
                        if constexpr (l + 1 < Limbs)
                        {
                            digit = V::low_byte(q);
                            q = V::template plus_shifted<8>(V::zero(), V::minus(q, digit));
                        }
                        sum[l] = V::template plus_shifted<0>(sum[l], digit);
                        std::int8_t bytes[V::rows];
                        V::store_bytes(digit, bytes);
                        for (std::size_t s = 0; s < V::rows / 4; ++s)
                            __builtin_memcpy(to.q + ((c / 4 + s) * stride * Limbs + l) * 4, bytes + 4 * s, 4);
                    });
                }
                std::size_t const at = begin / block::cols * stride;
                to.block_scales[at] = scale;
                for_each<Limbs>([&](auto l) __attribute__((always_inline)) {
                    std::int32_t const of_block = V::total(sum[l]);
                    to.block_sums[at * Limbs + l] = static_cast<float>(of_block);
                    total[l] += of_block;
                });
            }
            for (std::size_t l = 0; l < Limbs; ++l)
                to.sums[l] = static_cast<float>(total[l]);
        }

        template <unsigned Limbs, class Group>
        [[gnu::always_inline]] inline void prepare_tiles(exact_view x, std::size_t group, limbs_memory to,
                                                         Group&& prepare_group) noexcept
        {
            std::size_t const cols = x.blocks * block::cols, groups = ceil_div(x.cols, group);
            for (std::size_t n = 0, width = 0; n < x.vectors; n += width)
            {
                width = tiles<Limbs>::width(x.vectors - n);
                for (std::size_t k = 0; k < width; ++k)
                    for (std::size_t g = 0; g < groups; ++g)
                    {
                        std::size_t const begin = g * group, left = cols - begin, count = left < group ? left : group;
                        std::size_t const scale = g * width + k, block = begin / block::cols * width + k;
                        limbs_memory const at{to.q + (begin * width + 4 * k) * Limbs, to.scales + scale,
                                              to.sums + scale * Limbs, to.block_scales + block,
                                              to.block_sums + block * Limbs};
                        if (n + k < x.vectors)
                            prepare_group(x.x + (n + k) * cols + begin, count, width, at);
                        else
                            blank_group<Limbs>(0, count, width, at);
                    }
                to.q += cols * width * Limbs;
                to.scales += groups * width;
                to.sums += groups * width * Limbs;
                to.block_scales += x.blocks * width;
                to.block_sums += x.blocks * width * Limbs;
            }
        }

        template <class Arch, unsigned Limbs>
        [[gnu::noinline]] void prepare_limbs(exact_view const& x, std::size_t group, limbs_range range, limbs_memory to,
                                             common const&) noexcept
        {
            prepare_tiles<Limbs>(
                x, group, to,
                [&](float const* from, std::size_t cols, std::size_t stride, limbs_memory at) __attribute__((
                    always_inline)) { prepare_group<vectors<Arch>, Limbs>(from, cols, stride, range, at); });
        }
    }
}
