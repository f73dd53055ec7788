// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// Seeded numbers that are the same on every machine (integers, then exact conversions), and the ragged shapes.
#include <array>
#include <cstdint>
#include <vector>
#include <jackplane/core/view.hpp>

namespace laws
{
    struct sequence // 64-bit linear congruential generator, Knuth's MMIX constants; the upper half is used
    {
        std::uint64_t state;

        constexpr std::uint32_t operator()() noexcept
        {
            state = state * 6364136223846793005u + 1442695040888963407u;
            return static_cast<std::uint32_t>(state >> 32);
        }
        constexpr float bell() noexcept // multiples of 2^-20 in [-2, 2), variance 1/3: the sum of four uniform numbers
        {
            std::int32_t sum = 0;
            for (int k = 0; k < 4; ++k)
                sum += static_cast<std::int32_t>((*this)() >> 12) - (1 << 19);
            return static_cast<float>(sum) * 0x1p-20f;
        }
        constexpr float unit() noexcept { return static_cast<float>((*this)() >> 8) * 0x1p-24f; } // [0, 1)
    };

    struct sample // owns a matrix
    {
        std::size_t rows, cols;
        jackplane::aligned_vector<float> data;

        jackplane::matrix_view<float const> view() const { return {data.data(), rows, cols}; }
        jackplane::matrix_view<float> view() { return {data.data(), rows, cols}; }
    };

    // Bell-shaped, an outlier now and then, another magnitude per row. Large: the few weights of a ragged group,
    // by chance near 0, have scales of 8 bits that half holds.
    inline sample weights(std::size_t rows, std::size_t cols, std::uint64_t seed, float size = 256)
    {
        constexpr std::array<float, 5> gain{1.0f, 0.03125f, 0.2f, 3.0f, 0.7f};
        sample w{rows, cols, jackplane::aligned_vector<float>(rows * cols)};
        sequence next{seed};
        for (std::size_t i = 0; i < w.data.size(); ++i)
            w.data[i] = next.bell() * gain[i / cols % gain.size()] * (next() % 64 == 0 ? 5.0f : 1.0f) * size;
        return w;
    }

    // Positive numbers, some of them 0.
    inline sample importance(std::size_t rows, std::size_t cols, std::uint64_t seed)
    {
        sample m{rows, cols, jackplane::aligned_vector<float>(rows * cols)};
        sequence next{seed};
        for (float& x : m.data)
            x = next() % 16 == 0 ? 0.0f : next.unit() * 4;
        return m;
    }

    // sum of x x^T over tokens whose numbers depend on each other: each a mix of a few common causes and noise of its
    // own. [cols, cols]
    inline sample correlated(std::size_t cols, unsigned seed, std::size_t tokens = 400, std::size_t causes = 6)
    {
        sample const mix = weights(causes, cols, seed, 1), drive = weights(tokens, causes, seed + 1, 1),
                     noise = weights(tokens, cols, seed + 2, 1);
        sample gram{cols, cols, jackplane::aligned_vector<float>(cols * cols)};
        std::vector<double> x(cols), sum(cols * cols);
        for (std::size_t t = 0; t < tokens; ++t)
        {
            for (std::size_t c = 0; c < cols; ++c)
            {
                x[c] = 0.5 * noise.data[t * cols + c];
                for (std::size_t k = 0; k < causes; ++k)
                    x[c] += double{mix.data[k * cols + c]} * drive.data[t * causes + k];
            }
            for (std::size_t a = 0; a < cols; ++a)
                for (std::size_t b = 0; b < cols; ++b)
                    sum[a * cols + b] += x[a] * x[b];
        }
        for (std::size_t i = 0; i < sum.size(); ++i)
            gram.data[i] = static_cast<float>(sum[i]);
        return gram;
    }

    // tr((W - W^) H (W - W^)^T): the squared error of the product over the tokens of the Gram matrix
    template <class Q>
    double output_error(sample const& w, Q const& q, sample const& gram)
    {
        double sum = 0;
        for (std::size_t r = 0; r < w.rows; ++r)
            for (std::size_t a = 0; a < w.cols; ++a)
                for (std::size_t b = 0; b < w.cols; ++b)
                    sum += (double{w.data[r * w.cols + a]} - q.at(r, a)) * gram.data[a * w.cols + b] *
                           (double{w.data[r * w.cols + b]} - q.at(r, b));
        return sum;
    }

    inline constexpr std::array<std::size_t, 18> ragged{1,  2,  3,  5,  7,  8,   15,  16,  17,
                                                        31, 33, 63, 64, 65, 127, 129, 255, 1023};
    struct shape
    {
        std::size_t rows, cols;
    };
    // Every size once as rows and once as columns.
    inline constexpr auto ragged_shapes = []
    {
        std::array<shape, ragged.size()> all{};
        for (std::size_t i = 0; i < ragged.size(); ++i)
            all[i] = {ragged[i], ragged[(i * 7 + 3) % ragged.size()]};
        return all;
    }();
}
