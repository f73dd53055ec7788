// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../../core/view.hpp"
#include "fields.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace kernel
    {
        // Whole bytes in the order in which matrices of them are multiplied: of every two steps of four rows, first
        // the 8 columns of rows 0 and 1, then those of rows 2 and 3.
        struct paired_bytes : planes<8>
        {
        };

        // Two steps of x [2, Sums, 4 columns], vectors in pairs: 8 columns of one, 8 of the next. x lies as for every
        // other arch: to pair it here costs a quarter of the products that read it, and no second form of it is kept.
        template <class V, std::size_t Sums>
        [[gnu::always_inline]] inline auto paired_x(std::int8_t const* q) noexcept
        {
            using bytes = typename V::bytes;
            std::array<bytes, ceil_div(Sums, 4) * 2> x;
            for_each<ceil_div(Sums, 4)>([&](auto four) __attribute__((always_inline)) {
                std::byte const* const from = reinterpret_cast<std::byte const*>(q) + four * 16;
                bytes a, b;
                if constexpr (Sums % 4 == 0)
                {
                    a = V::load_bytes(from);
                    b = V::load_bytes(from + 4 * Sums);
                }
                else // the last vector alone
                {
                    std::byte some[2][16] = {};
                    __builtin_memcpy(some[0], from, 4 * Sums);
                    __builtin_memcpy(some[1], from + 4 * Sums, 4 * Sums);
                    a = V::load_bytes(some[0]);
                    b = V::load_bytes(some[1]);
                }
                V::pair_steps(a, b);
                x[2 * four] = a;
                x[2 * four + 1] = b;
            });
            return x;
        }

        // The dots of `blocks` blocks of paired bytes, from the rows that `codes` points at, and q from q on:
        // [Batches of V::rows rows][Sums].
        template <class V, std::size_t Sums, std::size_t Batches>
        [[gnu::always_inline]] inline auto dot_paired(std::byte const* codes, std::int8_t const* q,
                                                      std::size_t blocks) noexcept
        {
            static_assert(V::rows == 4 && (Sums < 4 || Sums % 4 == 0));
            using ints = typename V::ints;
            constexpr std::size_t pairs = ceil_div(Sums, 2);
            std::array<std::array<ints, pairs>, 2 * Batches> sum; // of two rows
            for_each<2 * Batches * pairs>([&](auto i) __attribute__((always_inline)) {
                sum[i / pairs][i % pairs] = V::zero();
            });
            for (std::size_t b = 0; b < blocks; ++b, codes += block::codes, q += block::cols * Sums)
                for_each<block::steps / 2>([&](auto s) __attribute__((always_inline)) {
                    auto const x = paired_x<V, Sums>(q + s * 8 * Sums);
                    for_each<2 * Batches>([&](auto r) __attribute__((always_inline)) {
                        auto const two = V::load_bytes(codes + (2 * s + r % 2) * block::lanes + r / 2 * 16);
                        for_each<pairs>([&](auto k) __attribute__((always_inline)) {
                            sum[r][k] = V::dot_matrices(sum[r][k], two, x[k]);
                        });
                    });
                });
            std::array<std::array<ints, Sums>, Batches> all;
            for_each<Batches * pairs>([&](auto i) __attribute__((always_inline)) {
                constexpr std::size_t h = i / pairs, k = i % pairs;
                ints a = sum[2 * h][k], b = sum[2 * h + 1][k];
                V::part_vectors(a, b);
                all[h][2 * k] = a;
                if constexpr (2 * k + 1 < Sums)
                    all[h][2 * k + 1] = b;
            });
            return all;
        }
    }
}
