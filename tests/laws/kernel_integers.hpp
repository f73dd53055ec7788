// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// Integers through a kernel are equal, not near: x with a scale of 1, weights with a scale of 1 or -1, sums that a
// float holds.
#include <utility>
#include "kernels.hpp"

namespace laws
{
    // x [cols] of integers; the largest of every group is that of the limbs, which makes its scale 1.
    enum class whole
    {
        largest, // what a saturating product would not survive
        smallest,
        alternating,
        cancelling // any integer; the second half of a group takes away the first but for a little
    };
    inline constexpr std::array all_wholes{whole::largest, whole::smallest, whole::alternating, whole::cancelling};

    inline std::vector<float> whole_numbers(whole kind, std::size_t cols, std::size_t group, float largest,
                                            std::uint64_t seed)
    {
        sequence next{seed};
        std::vector<float> x(cols);
        for (std::size_t i = 0; i < cols; ++i)
        {
            std::size_t const in_group = i % group, half = std::min(group, cols - (i - in_group)) / 2;
            x[i] = kind == whole::smallest || (kind == whole::alternating && i % 2 != 0) ? -largest : largest;
            if (kind != whole::cancelling || in_group == 0)
                continue;
            if (in_group >= half)
                x[i] = static_cast<float>(next() % 9) - 4 - (in_group < 2 * half ? x[i - half] : 0);
            else if (next() % 4 != 0)
                x[i] = std::nearbyint((2 * next.unit() - 1) * (largest - 4));
            else // as large as can be in every limb: 123, 126 (127), 126 (127, 127)
                x[i] = largest == 127 ? 123 : largest / 127 * 126 + (largest > 32512 ? 32639.0f : 127.0f);
            x[i] = std::clamp(x[i], -largest, largest);
        }
        return x;
    }

    // Codes for which such products stay small: the second half of a group of x is as the first, or all are `fill`.
    inline code_matrix whole_codes(kernel_subject const& k, shape s, jackplane::group g, std::size_t x_group, int fill,
                                   std::uint64_t seed)
    {
        auto q = random_codes(k, s, g, seed);
        for (std::size_t i = 0; i < q.scales.size(); ++i)
        {
            float const before = std::exchange(q.scales[i], fill < 0 && q.scales[i] < 0 ? -1.0f : 1.0f);
            q.zeros[i] = q.offset ? -q.scales[i] * std::nearbyint(-q.zeros[i] / before) : std::nearbyint(q.zeros[i]);
        }
        for (std::size_t i = 0; i < q.codes.size(); ++i)
        {
            std::size_t const col = i % s.cols, in_group = col % x_group;
            std::size_t const half = std::min(x_group, s.cols - (col - in_group)) / 2;
            if (fill >= 0)
                q.codes[i] = static_cast<jackplane::code>(fill & ((1 << k.bits) - 1));
            else if (in_group >= half && in_group < 2 * half)
                q.codes[i] = q.codes[i - half];
        }
        return q;
    }

    // Sums by 64-bit integers, in halves: at fewer bits a code stands for a whole number and a half.
    struct halves
    {
        std::vector<std::int64_t> y; // [n, rows]  2 y
        bool fit = true;             // every sum of leading groups is a float
    };
    inline halves integer_product(kernel_subject const& k, code_matrix const& q, unsigned width, std::size_t x_group,
                                  std::vector<float> const& x)
    {
        halves all;
        for (std::size_t n = 0; n * q.cols < x.size(); ++n)
            for (std::size_t row = 0; row < q.rows; ++row)
            {
                std::int64_t sum = 0;
                for (std::size_t col = 0; col < q.cols; ++col)
                {
                    std::size_t const at = q.grid.at(row, col);
                    auto const weight =
                        static_cast<std::int64_t>(2 * q.weight(at, k.value(q.codes[row * q.cols + col], width)));
                    sum += weight * static_cast<std::int64_t>(x[n * q.cols + col]);
                    if ((col + 1) % x_group == 0 || col + 1 == q.cols)
                        all.fit &= static_cast<std::int64_t>(static_cast<float>(sum)) == sum;
                }
                all.y.push_back(sum);
            }
        return all;
    }
    inline unsigned unequal(std::vector<std::int64_t> const& expected, std::vector<float> const& y)
    {
        unsigned wrong = 0;
        for (std::size_t i = 0; i < y.size(); ++i)
            wrong += !(static_cast<double>(y[i]) * 2 == static_cast<double>(expected[i]));
        return wrong;
    }

    struct wrong_integers
    {
        unsigned kernel = 0, definition = 0;
        bool fit = true;

        // n vectors at all widths. Random codes under x of one sign would give sums that no float holds.
        void check(kernel_subject& k, shape s, jackplane::group g, std::size_t x_group, int fill, std::size_t n,
                   bool also_scalar, std::size_t prepared_group = 0) // 0: x_group
        {
            auto q = whole_codes(k, s, g, x_group, fill, s.cols + n);
            k.pack(q);
            std::vector<float> x;
            for (std::size_t i = 0; i < n; ++i)
            {
                auto const kind = fill < 0 ? whole::cancelling : all_wholes[(i + n) % all_wholes.size()];
                auto const one = whole_numbers(kind, s.cols, x_group, k.largest, s.cols + i);
                x.insert(x.end(), one.begin(), one.end());
            }
            k.prepare(x, n, prepared_group == 0 ? x_group : prepared_group);
            for (unsigned const width : k.widths)
            {
                auto const expected = integer_product(k, q, width, x_group, x);
                fit &= expected.fit;
                kernel += unequal(expected.y, k.times(width, s.rows, n));
                if (!also_scalar)
                    continue;
                std::vector<float> y(n * s.rows);
                k.define(width, {y.data(), n, s.rows});
                definition += unequal(expected.y, y);
            }
        }
        void check(kernel_subject& k, std::size_t x_group)
        {
            using jackplane::group;
            for (std::size_t const n : {1u, 3u, 4u, 5u, 8u, 9u})
            {
                shape const s = n % 2 == 0 ? shape{16, 250} : shape{35, 130};
                check(k, s, group{x_group}, x_group, -1, n, n == 9);
                check(k, {5, 30}, group::per_row(), x_group, -1, n, n == 3);
                for (int const fill : {0, 255})
                    check(k, {17, 256}, group{2 * x_group}, x_group, fill, n, n == 5);
            }
            // groups of x that do not divide those of the weights: numbers that cancel in every block
            for (group const g : {group{32}, group{96}, group{160}})
                for (std::size_t const n : {1u, 5u})
                    check(k, {35, 330}, g, 32, -1, n, n == 5, x_group);
            // several vectors take the columns in stretches
            for (group const g : {group{2 * x_group}, group{1536}, group::per_row()})
                check(k, {17, 2500}, g, x_group, -1, 3, false);
        }
    };
}
