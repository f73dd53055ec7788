// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// A view of some columns multiplies as a matrix of those columns alone, and the products of parts add up.
#include <numeric>
#include "kernel_bound.hpp"

namespace laws
{
    // The columns [first, last), at whose ends a group ends, too.
    inline code_matrix columns_of(code_matrix const& q, jackplane::group g, std::size_t first, std::size_t last)
    {
        std::size_t const cols = last - first;
        code_matrix part{q.rows, cols, jackplane::group_grid::of(g, cols), {}, {}, {}, q.offset};
        part.scales.resize(part.grid.scales(q.rows));
        part.zeros.resize(part.scales.size());
        for (std::size_t row = 0; row < q.rows; ++row)
            for (std::size_t col = 0; col < cols; ++col)
            {
                part.codes.push_back(q.codes[row * q.cols + first + col]);
                std::size_t const from = q.grid.at(row, first + col), to = part.grid.at(row, col);
                part.scales[to] = q.scales[from];
                part.zeros[to] = q.zeros[from];
            }
        return part;
    }
    inline std::vector<float> columns_of(std::span<float const> x, std::size_t cols, std::size_t first,
                                         std::size_t last) // x [vectors, cols]
    {
        std::vector<float> part;
        for (; !x.empty(); x = x.subspan(cols))
            part.insert(part.end(), x.begin() + static_cast<std::ptrdiff_t>(first),
                        x.begin() + static_cast<std::ptrdiff_t>(last));
        return part;
    }

    struct wrong_parts
    {
        unsigned views = 0;     // bits that differ from those of a copy of the columns
        unsigned additions = 0; // y += is not one rounding of the parts' sum
        unsigned sums = 0;      // farther from the whole product than its bound

        void check(kernel_subject& k, jackplane::group g, std::size_t n)
        {
            constexpr std::size_t rows = 35, x_group = 64;
            bool const one_a_row = g.columns == jackplane::group::per_row().columns;
            std::size_t const part = one_a_row ? 2 * x_group : std::lcm(g.columns, x_group), cols = 3 * part + 37;
            auto whole = random_codes(k, {rows, cols}, g, 12);
            auto const x = vectors(n, cols, 13);
            struct piece
            {
                std::size_t first, last;
                std::vector<std::vector<float>> y; // of each width
            };
            std::vector<piece> pieces{{0, part, {}}, {part, cols, {}}};
            std::vector<std::vector<float>> sum(k.widths.size(), std::vector<float>(n * rows));
            for (piece& p : pieces)
            {
                k.pack(whole);
                k.use_columns(p.first, p.last);
                k.prepare(columns_of(x, cols, p.first, p.last), n, x_group);
                std::vector<std::vector<float>> defined;
                for (std::size_t i = 0; i < k.widths.size(); ++i)
                {
                    p.y.push_back(k.times(k.widths[i], rows, n));
                    k.multiply_rows(k.widths[i], {sum[i].data(), n, rows}, 0, rows);
                    k.define(k.widths[i], {defined.emplace_back(n * rows).data(), n, rows});
                }
                auto copy = columns_of(whole, g, p.first, p.last);
                k.pack(copy);
                for (std::size_t i = 0; i < k.widths.size(); ++i)
                {
                    std::vector<float> y(n * rows);
                    k.define(k.widths[i], {y.data(), n, rows});
                    views += !same_bits(p.y[i], k.times(k.widths[i], rows, n)) + !same_bits(defined[i], y);
                }
            }
            for (std::size_t i = 0; i < k.widths.size(); ++i)
            {
                for (std::size_t at = 0; at < n * rows; ++at)
                    additions += sum[i][at] != pieces[0].y[i][at] + pieces[1].y[i][at];
                sums += wrong_products(k, whole, k.widths[i], x, sum[i], x_group);
            }
        }
    };
}
