// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <string_view>
#include <utility>
#include <vector>
#include "../core/parallel.hpp"
#include "csr.hpp"
#include "choose.hpp"

// A sparse part that is fitted, not restored: with G the Gram matrix of a layer's inputs [cols, cols] and B its pull
// [rows, cols], minus half the gradient of the layer's squared error (loss/layer.hpp), adding s changes that error by
//     tr(s G s^T) - 2 tr(s B^T)
// Rows are independent. On given places the best values solve G_SS s_S = B_S, row by row; they are no longer the
// weights that were there before, but what makes up best for the errors of all the others.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // The best values on these places (indices, ascending; row * cols + column). A place whose column depends on the
    // others gets 0. Throws shape_error where sizes do not fit or a place is outside, value_error where G or B is not
    // finite.
    template <parallel_policy Parallel = serial>
    std::vector<triplet> fit(matrix_view<float const> gram, matrix_view<float const> pull,
                             std::span<std::size_t const> places, std::string_view name = "sparse part",
                             Parallel parallel = {});

    // Orthogonal matching pursuit (Pati et al., 1993), `rounds` times: the places where the error falls most by one
    // weight alone, (B - s G)^2 / G_jj, are added, then all values fitted anew. Throws as fit does.
    template <parallel_policy Parallel = serial>
    std::vector<triplet> pursuit(matrix_view<float const> gram, matrix_view<float const> pull, std::size_t count,
                                 std::size_t rounds = 8, std::string_view name = "sparse part", Parallel parallel = {});

    // ---- implementation

    namespace detail
    {
        // Solves G_SS s = b for the columns S of one row, by Cholesky: factors and solutions are rounded to float, sums
        // in double over products of floats, the same everywhere.
        class small_system
        {
        public:
            std::vector<float> const& solve(matrix_view<float const> gram, std::span<std::size_t const> columns,
                                            float const* pull)
            {
                constexpr double least = 1e-5; // of the diagonal: what is left of a column that others explain
                std::size_t const n = columns.size();
                m_lower.assign(n * n, 0);
                m_solution.assign(n, 0);
                for (std::size_t a = 0; a < n; ++a)
                    for (std::size_t b = 0; b <= a; ++b)
                    {
                        double left = static_cast<double>(gram(columns[a], columns[b]));
                        for (std::size_t k = 0; k < b; ++k)
                            left -= static_cast<double>(at(a, k)) * static_cast<double>(at(b, k));
                        if (a != b)
                            at(a, b) = at(b, b) == 0 ? 0 : static_cast<float>(left / static_cast<double>(at(b, b)));
                        else if (left > least * static_cast<double>(gram(columns[a], columns[a])))
                            at(a, a) = static_cast<float>(std::sqrt(left));
                    }
                for (std::size_t a = 0; a < n; ++a)
                {
                    double left = static_cast<double>(pull[columns[a]]);
                    for (std::size_t k = 0; k < a; ++k)
                        left -= static_cast<double>(at(a, k)) * static_cast<double>(m_solution[k]);
                    m_solution[a] = at(a, a) == 0 ? 0 : static_cast<float>(left / static_cast<double>(at(a, a)));
                }
                for (std::size_t a = n; a-- > 0;)
                {
                    double left = static_cast<double>(m_solution[a]);
                    for (std::size_t k = a + 1; k < n; ++k)
                        left -= static_cast<double>(at(k, a)) * static_cast<double>(m_solution[k]);
                    m_solution[a] = at(a, a) == 0 ? 0 : static_cast<float>(left / static_cast<double>(at(a, a)));
                }
                return m_solution;
            }

        private:
            float& at(std::size_t a, std::size_t b) noexcept { return m_lower[a * m_solution.size() + b]; }

            std::vector<float> m_lower, m_solution;
        };

        inline void expect_pursuit(matrix_view<float const> gram, matrix_view<float const> pull, std::string_view name)
        {
            JACKPLANE_EXPECTS(gram.rows == gram.cols && pull.cols == gram.cols, shape_error, name, ": a pull of ",
                              pull.rows, " x ", pull.cols, " and a Gram matrix of ", gram.rows, " x ", gram.cols);
            for (auto const& [what, m] : {std::pair("Gram matrix", gram), std::pair("pull", pull)})
            {
                expect_whole(m, text(name, ": ", what));
                expect_finite(m, name, what);
            }
        }

        // body(row, its triplets) for every row that has one
        template <parallel_policy Parallel, class Body>
        void for_each_row(std::span<triplet> sorted, Parallel& parallel, Body&& body)
        {
            std::vector<std::size_t> begin;
            for (std::size_t i = 0; i < sorted.size(); ++i)
                if (i == 0 || sorted[i].row != sorted[i - 1].row)
                    begin.push_back(i);
            begin.push_back(sorted.size());
            parallel(begin.size() - 1,
                     [&](std::size_t first, std::size_t last)
                     {
                         for (std::size_t r = first; r < last; ++r)
                             body(sorted[begin[r]].row, sorted.subspan(begin[r], begin[r + 1] - begin[r]));
                     });
        }

        template <parallel_policy Parallel>
        std::vector<triplet> fit_values(matrix_view<float const> gram, matrix_view<float const> pull,
                                        std::span<std::size_t const> places, Parallel& parallel)
        {
            std::vector<triplet> sparse;
            for (std::size_t const place : places)
                sparse.push_back({place / gram.cols, place % gram.cols, 0});
            for_each_row(std::span(sparse), parallel,
                         [&](std::size_t row, std::span<triplet> of_row)
                         {
                             small_system system;
                             std::vector<std::size_t> columns;
                             for (triplet const& t : of_row)
                                 columns.push_back(t.col);
                             auto const& values = system.solve(gram, columns, &pull(row, 0));
                             for (std::size_t i = 0; i < of_row.size(); ++i)
                                 of_row[i].value = values[i];
                         });
            return sparse;
        }
    }

    template <parallel_policy Parallel>
    std::vector<triplet> fit(matrix_view<float const> gram, matrix_view<float const> pull,
                             std::span<std::size_t const> places, std::string_view name, Parallel parallel)
    {
        detail::expect_pursuit(gram, pull, name);
        for (std::size_t i = 0; i < places.size(); ++i)
            JACKPLANE_EXPECTS(places[i] < pull.rows * pull.cols && (i == 0 || places[i] > places[i - 1]), shape_error,
                              name, ": place ", places[i], " is outside ", pull.rows, " x ", pull.cols,
                              ", or not behind the one before");
        return detail::fit_values(gram, pull, places, parallel);
    }

    template <parallel_policy Parallel>
    std::vector<triplet> pursuit(matrix_view<float const> gram, matrix_view<float const> pull, std::size_t count,
                                 std::size_t rounds, std::string_view name, Parallel parallel)
    {
        detail::expect_pursuit(gram, pull, name);
        JACKPLANE_EXPECTS(rounds > 0 && count <= pull.rows * pull.cols, shape_error, name, ": ", count, " weights of ",
                          pull.rows, " x ", pull.cols, " in ", rounds, " rounds");
        std::vector<float> score(pull.rows * pull.cols);
        std::vector<triplet> sparse;
        std::vector<std::size_t> places;
        auto const falls_by = [&](double left, std::size_t col) // when this weight alone is added
        { return gram(col, col) > 0 ? static_cast<float>(left * left / static_cast<double>(gram(col, col))) : 0.0f; };
        for (std::size_t row = 0; row < pull.rows; ++row)
            for (std::size_t col = 0; col < pull.cols; ++col)
                score[row * pull.cols + col] = falls_by(static_cast<double>(pull(row, col)), col);
        for (std::size_t round = 1; round <= rounds; ++round)
        {
            auto const more = largest(score, count * round / rounds - places.size(), places, name);
            std::vector<std::size_t> all(places.size() + more.size());
            std::merge(places.begin(), places.end(), more.begin(), more.end(), all.begin());
            places = std::move(all);
            sparse = detail::fit_values(gram, pull, places, parallel);
            if (round < rounds)
                detail::for_each_row(std::span(sparse), parallel,
                                     [&](std::size_t row, std::span<triplet> of_row)
                                     {
                                         for (std::size_t col = 0; col < pull.cols; ++col)
                                         {
                                             double left = static_cast<double>(pull(row, col));
                                             for (triplet const& t : of_row)
                                                 left -= static_cast<double>(t.value) *
                                                         static_cast<double>(gram(t.col, col));
                                             score[row * pull.cols + col] = falls_by(left, col);
                                         }
                                     });
        }
        return sparse;
    }
}
