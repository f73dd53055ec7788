// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// How far the y of a kernel may be from the exact product. In double: some hundred roundings of 2^-53 are nothing
// beside 2^-24, and under qemu long double would take minutes.
#include "kernels.hpp"

namespace laws
{
    // How far what a kernel reads may be from x [cols]. limbs: q = round(x (1 / s) (1 + d)) with |d| <= 2^-23 + 2^-48
    // from two roundings to float, so |x - s q| <= s / 2 + |d x|; s is that of the definition. bfloat16: 8 bits; a
    // number below the smallest normal one counts as 0.
    inline std::vector<double> distance(kernel_subject const& k, std::span<float const> x, std::size_t x_group)
    {
        std::vector<double> off(x.size(), 0);
        for (std::size_t i = 0; k.bf16 && i < x.size(); ++i)
            off[i] = 0x1p-8 * std::abs(x[i]) + 0x1p-126;
        for (std::size_t begin = 0; k.limbs != 0 && begin < x.size(); begin += x_group)
        {
            std::size_t const end = std::min(begin + x_group, x.size());
            float most = 0;
            for (std::size_t i = begin; i < end; ++i)
                most = std::max(most, std::abs(x[i]));
            double const s = std::max(most / k.largest, 0x1p-120f);
            for (std::size_t i = begin; i < end; ++i)
                off[i] = s / 2 + (0x1p-23 + 0x1p-48) * std::abs(x[i]);
        }
        return off;
    }

    struct product_and_bound
    {
        double y = 0, bound = 0;
    };
    // |y - exact| <= (G + 8) eps sum |scale| (|decode| + |zero|) |x^| + sum |w| |x - x^| + table term, G the larger
    // number of groups, x^ what is read. With u = eps / 2, the way of one group through limbs: base - zero 1 u; each
    // limb's fma(base - zero, sum q, step dot) 2 u, because without fused instructions it is two; two additions of
    // limbs 1 u each. Limbs have both signs, their magnitudes 256^l |q_l| add up to at most 3 |q|: (1 + 3 (2 + 1) + 1)
    // u. Times the scale of x, times the scale: 2 u; the compensated sum 2 u + 2 G^2 u^2: 15 u of 18. Several vectors
    // are added in stretches of at least 512 columns, 1 u more for each. fp32: kernel/floats.hpp.
    // The table term: with one limb, a level may be off by half of 1 / 255 of the range.
    // A leveled codebook: its step is no power of two, which costs four u of base and zero in steps.
    // bfloat16: as fp32, but a code is raised by up to 17 / 16 of 2^bits, which is taken away again, and instead of 8
    // fused products there are 8 pairs of two roundings each: 16 u more.
    inline std::vector<product_and_bound> product(kernel_subject const& k, code_matrix const& q, unsigned width,
                                                  std::span<float const> x, std::size_t x_group)
    {
        std::vector<product_and_bound> all(q.rows);
        auto const off = distance(k, x, x_group);
        std::size_t const x_groups = k.limbs == 0 ? 0 : jackplane::ceil_div(x.size(), x_group);
        double const groups = static_cast<double>(std::max(q.grid.per_row, x_groups));
        double const least = std::max(0.0f, -k.least); // levels are counted from there
        double const raised = k.bf16 ? 2.125 * static_cast<double>(1u << k.bits) : 0;
        double const roundings = 0x1p-23 * (groups + (k.bf16 ? 16 : k.leveled ? 10 : 8));
        double const level = k.linear || k.leveled || k.limbs != 1 ? 0.0f : (k.most - k.least) / 255 / 2;
        for (std::size_t row = 0; row < q.rows; ++row)
            for (std::size_t col = 0; col < q.cols; ++col)
            {
                std::size_t const at = q.grid.at(row, col);
                double const value = k.value(q.codes[row * q.cols + col], width);
                double const scale = std::abs(double{q.scales[at]}), weight = q.weight(at, value);
                double const magnitude = scale * (std::abs(value) + 2 * least + raised) + std::abs(q.shift(at));
                double const read = std::abs(x[col]) + off[col];
                all[row].y += weight * x[col];
                all[row].bound += read * (roundings * magnitude + level * scale);
                all[row].bound += std::abs(weight) * off[col];
            }
        return all;
    }

    // How many y are off by more; x [n, cols], y [n, rows]
    inline unsigned wrong_products(kernel_subject const& k, code_matrix const& q, unsigned width,
                                   std::span<float const> x, std::span<float const> y, std::size_t x_group)
    {
        unsigned wrong = 0;
        for (std::size_t n = 0; n * q.rows < y.size(); ++n)
        {
            auto const expected = product(k, q, width, x.subspan(n * q.cols, q.cols), x_group);
            for (std::size_t row = 0; row < q.rows; ++row)
                wrong += !(std::abs(double{y[n * q.rows + row]} - expected[row].y) <= expected[row].bound);
        }
        return wrong;
    }
    inline unsigned wrong_bounds(kernel_subject& k, shape s, jackplane::group g, std::size_t x_group)
    {
        auto q = random_codes(k, s, g, s.cols + s.rows);
        k.pack(q);
        unsigned wrong = 0;
        for (std::size_t const n : {all_inputs.size(), std::size_t{1}})
            for (unsigned const width : k.widths)
            {
                auto const x = vectors(n, s.cols, width + s.rows);
                k.prepare(x, n, x_group);
                wrong += wrong_products(k, q, width, x, k.times(width, s.rows, n), x_group);
            }
        return wrong;
    }
    inline unsigned wrong_columns(kernel_subject& k) // one x at a time: nothing hides behind the others
    {
        auto q = random_codes(k, {16, 90}, jackplane::group{64}, 11);
        k.pack(q);
        unsigned wrong = 0;
        for (std::size_t col = 0; col < q.cols; ++col)
        {
            std::vector<float> x(q.cols);
            x[col] = 3.0f;
            k.prepare(x, 1, 64);
            for (unsigned const width : k.widths)
                wrong += wrong_products(k, q, width, x, k.times(width, q.rows, 1), 64);
        }
        return wrong;
    }
    inline unsigned wrong_vectors(kernel_subject& k) // any number of them
    {
        auto q = random_codes(k, {18, 330}, jackplane::group{128}, 9);
        k.pack(q);
        unsigned wrong = 0;
        for (std::size_t const n : {2u, 6u, 7u, 16u, 31u, 33u, 70u})
        {
            auto const x = vectors(n, q.cols, n);
            k.prepare(x, n, 128);
            wrong += wrong_products(k, q, k.bits, x, k.times(k.bits, q.rows, n), 128);
        }
        return wrong;
    }
}
