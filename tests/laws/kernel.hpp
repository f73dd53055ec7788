// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// What every kernel must do, for a seat<format, activation> on best_arch.
#include "kernel_bound.hpp"
#include "kernel_columns.hpp"
#include "kernel_integers.hpp"

namespace laws
{
    inline constexpr std::array<std::size_t, 3> x_groups{32, 64, 128};
    // Those that the groups of x divide, those they do not, those that cut blocks of 32.
    inline constexpr std::array<jackplane::group, 8> weight_groups{
        {{5}, {32}, {48}, {64}, {96}, {128}, jackplane::group::per_row(), jackplane::group::per_tensor()}};

    // Rows of zeros, as quantize makes them, between others: y == 0.
    inline unsigned wrong_zero_rows(kernel_subject& k, jackplane::group g)
    {
        auto q = random_codes(k, {35, 257}, g, 3);
        auto zero = [](std::size_t row) { return row % 3 == 0 || row > 32; };
        for (std::size_t row = 0; row < q.rows; ++row)
            for (std::size_t col = 0; zero(row) && col < q.cols; ++col)
            {
                q.scales[q.grid.at(row, col)] = 0;
                q.zeros[q.grid.at(row, col)] *= q.offset ? 0.0f : 1.0f;
            }
        k.pack(q);
        unsigned wrong = 0;
        for (float const gain : {1.0f, 0x1p80f, 0x1p-120f, 0x1p-140f})
            for (std::size_t const n : {1u, 5u})
            {
                auto x = vectors(n, q.cols, 4);
                for (float& v : x)
                    v *= gain;
                k.prepare(x, n, 32);
                for (unsigned const width : k.widths)
                {
                    auto const y = k.times(width, q.rows, n);
                    for (std::size_t i = 0; i < y.size(); ++i)
                        wrong += zero(i % q.rows) && y[i] != 0;
                }
            }
        return wrong;
    }

    // NaN or Inf in one of n vectors: NaN in each of its y and in no other.
    inline unsigned wrong_nan(kernel_subject& k, jackplane::group g, std::size_t n)
    {
        auto q = random_codes(k, {35, 70}, g, 5);
        q.scales[0] = 0; // no excuse
        k.pack(q);
        unsigned wrong = 0;
        using limits = std::numeric_limits<float>;
        for (float const bad : {limits::quiet_NaN(), limits::infinity(), -limits::infinity()})
            for (std::size_t const place : {0u, 31u, 32u, 69u})
            {
                auto x = vectors(n, q.cols, 6);
                x[n / 2 * q.cols + place] = bad;
                k.prepare(x, n, 64);
                for (unsigned const width : k.widths)
                {
                    auto const y = k.times(width, q.rows, n);
                    for (std::size_t i = 0; i < y.size(); ++i)
                        wrong += std::isnan(y[i]) != (i / q.rows == n / 2);
                }
            }
        return wrong;
    }

    // x and y off every boundary, with room between the rows of each; any split of the rows.
    inline unsigned different_bits(kernel_subject& k, std::size_t n)
    {
        constexpr std::size_t rows = 83, cols = 200, x_stride = cols + 3, y_stride = rows + 5;
        auto q = random_codes(k, {rows, cols}, jackplane::group{128}, 7);
        k.pack(q);
        auto const x = vectors(n, cols, 8);
        std::vector<float> x_apart(n * x_stride + 1), y(n * y_stride + 1);
        for (std::size_t i = 0; i < n; ++i)
            std::copy_n(x.data() + i * cols, cols, x_apart.data() + 1 + i * x_stride);
        jackplane::matrix_view<float> const to{y.data() + 1, n, rows, y_stride};

        unsigned wrong = 0;
        for (unsigned const width : k.widths)
        {
            k.prepare(x, n, 64);
            auto const expected = k.times(width, rows, n);
            k.prepare({x_apart.data() + 1, n, cols, x_stride}, 64);
            auto const compare = [&]
            {
                for (std::size_t i = 0; i < y.size(); ++i)
                {
                    std::size_t const row = (i + y_stride - 1) % y_stride; // y_stride - 1: before the first
                    float const right = row >= rows ? 3.0f : expected[(i - 1) / y_stride * rows + row];
                    wrong += !same_bits({&y[i], 1}, {&right, 1});
                }
            };
            std::fill(y.begin(), y.end(), 3.0f);
            for (unsigned const threads : {1u, 2u, 3u, 7u})
            {
                k.multiply(width, to, threads);
                compare();
            }
            for (std::size_t const step : {1u, 5u, 16u, 40u}) // from the end
            {
                for (std::size_t i = 0; i < n; ++i)
                    std::fill(to.row(i).begin(), to.row(i).end(), 0.0f);
                for (std::size_t last = rows; last > 0; last -= std::min(step, last))
                    k.multiply_rows(width, to, last - std::min(step, last), last);
                compare();
            }
        }
        return wrong;
    }

    // Of n vectors in limbs each gives the bits that it gives alone, in more columns than the kernel decodes at once.
    inline unsigned different_from_alone(kernel_subject& k, std::size_t n)
    {
        constexpr std::size_t rows = 19, cols = 1100;
        auto q = random_codes(k, {rows, cols}, jackplane::group{64}, 9);
        k.pack(q);
        auto const x = vectors(n, cols, 10);
        unsigned wrong = 0;
        for (unsigned const width : k.widths)
        {
            k.prepare(x, n, 64);
            auto const all = k.times(width, rows, n);
            for (std::size_t i = 0; i < n; ++i)
            {
                k.prepare({x.data() + i * cols, 1, cols}, 64);
                wrong += !same_bits({all.data() + i * rows, rows}, k.times(width, rows, 1));
            }
        }
        return wrong;
    }

    inline void check_kernel(kernel_subject& k)
    {
        using jackplane::group;
        SUBCASE("integers are equal to a loop over 64-bit integers, at every width")
        {
            wrong_integers wrong;
            if (k.linear && (k.limbs == 0 || jackplane::best_arch::multiplies_bytes)) // else x is read as fp32
                for (std::size_t const x_group : x_groups)
                    wrong.check(k, x_group);
            CHECK(wrong.fit); // else the test itself is wrong
            CHECK(wrong.kernel == 0);
            CHECK(wrong.definition == 0);
        }
        SUBCASE("within the bound of the exact product: shapes, groups of weights and of x, widths")
        {
            std::span<std::size_t const> const all = x_groups;
            for (std::size_t const x_group : all.first(k.limbs == 0 ? 1 : all.size()))
                for (group const g : weight_groups)
                    for (shape const s : {shape{1, 1}, shape{5, 31}, shape{16, 64}, shape{33, 257}})
                        CHECK(wrong_bounds(k, s, g, x_group) == 0);
        }
        SUBCASE("each column finds its weight") { CHECK(wrong_columns(k) == 0); }
        SUBCASE("any number of vectors") { CHECK(wrong_vectors(k) == 0); }
        SUBCASE("the same bits for x and y anywhere in memory, any split of the rows, any number of threads")
        {
            for (std::size_t const n : {1u, 5u})
                CHECK(different_bits(k, n) == 0);
        }
        SUBCASE("limbs: the same bits alone and among other vectors")
        {
            if ((k.linear || k.leveled) && k.limbs != 0 &&
                jackplane::best_arch::multiplies_bytes) // else x is read as fp32
                for (std::size_t const n : {2u, 9u})
                    CHECK(different_from_alone(k, n) == 0);
        }
        SUBCASE("columns as a view: the bits of a copy of them; parts that are added make the whole, within its bound")
        {
            wrong_parts wrong;
            for (group const g : {group{5}, group{32}, group{48}, group{64}, group::per_row(), group::per_tensor()})
                for (std::size_t const n : {1u, 5u})
                    wrong.check(k, g, n);
            CHECK(wrong.views == 0);
            CHECK(wrong.additions == 0);
            CHECK(wrong.sums == 0);
        }
        SUBCASE("rows of zeros give zeros")
        {
            for (group const g : {group{32}, group{5}, group::per_row()})
                CHECK(wrong_zero_rows(k, g) == 0);
        }
        SUBCASE("NaN and Inf give NaN, in all rows of their vector alone")
        {
            for (group const g : {group{64}, group{5}, group::per_row()})
                for (std::size_t const n : {1u, 9u})
                    CHECK(wrong_nan(k, g, n) == 0);
        }
    }
}

TEST_CASE_TEMPLATE_DEFINE("kernel", Seat, kernel_law)
{
    laws::kernel_of<Seat> k;
    laws::check_kernel(k);
}
