// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <string_view>
#include <vector>
#include "../core/concepts.hpp"
#include "../core/view.hpp"

// The column order of a row, and how a weight is changed to make up for the errors before it.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    struct independent // every weight on its own, from left to right
    {
        struct row // has no state: nothing makes up for an error
        {
            static constexpr std::size_t column(std::size_t nth) noexcept { return nth; }
            static constexpr void reach(std::size_t, std::span<float>) noexcept {}
            static constexpr float target(float w, std::size_t) noexcept { return w; }
            static constexpr void made(float) noexcept {}
        };
        static constexpr bool scales_first() noexcept { return false; }
        static constexpr void expect_columns(std::size_t, std::string_view) noexcept {}
        static constexpr row start() noexcept { return {}; }
    };

    struct feedback_options // those of GPTQ
    {
        float damping = 0.01f;      // of the mean diagonal, added to it
        bool by_activation = false; // columns of large diagonal first ("act-order"); then scales come first, too
        bool scales_first = false;  // scales from the weights as they were ("static groups")
        std::string_view name = "Gram matrix";
    };

    // GPTQ (Frantar et al., arXiv 2210.17323) in the form of LDLQ (Chee et al., "QuIP", arXiv 2307.13304, section 4),
    // which gives the same codes. With H = U D U^T, U unit upper triangular, the k-th column that is quantized becomes
    //     w_k + sum_{i < k} (w_i - w^_i) U_ik
    // so that the error of the product, tr((W - W^) H (W - W^)^T), is the sum of D_k times the squared rounding errors.
    // Sums are in double over products of floats: the same bytes on every machine. A 4096 x 4096 matrix takes 3.4e10
    // multiply-adds, its factor 1.1e10 (once for all matrices that read the same x).
    class feedback
    {
    public:
        // gram [cols, cols]: sum of x x^T over the calibration tokens, or any multiple of it; its lower triangle is
        // read. Throws shape_error when it is not square, value_error where it is not finite (row, column) or, damped,
        // not positive definite (column).
        explicit feedback(matrix_view<float const> gram, feedback_options options = {});

        class row // of one row of weights, while it is quantized
        {
        public:
            std::size_t column(std::size_t nth) const noexcept { return m_of->m_column[nth]; }

            // The columns from left on come next. Their weights become the values they will have if none of them makes
            // an error; the correction by the columns so far is summed once for all.
            void reach(std::size_t left, std::span<float> weights)
            {
                for (std::size_t i = 0; i < weights.size(); ++i)
                    m_owed[left + i] = dot(left + i, 0);
                m_reached = m_error.size();
                for (std::size_t i = 0; i < weights.size(); ++i)
                {
                    float const w = weights[i];
                    weights[i] = target(w, left + i);
                    m_error.push_back(w - weights[i]);
                }
                m_error.resize(m_reached);
            }
            float target(float w, std::size_t col) const noexcept
            {
                return static_cast<float>(static_cast<double>(w) + (m_owed[col] + dot(col, m_reached)));
            }
            void made(float error) { m_error.push_back(error); }

        private:
            friend class feedback;
            explicit row(feedback const& of) : m_of(&of), m_owed(of.m_column.size())
            {
                m_error.reserve(of.m_column.size());
            }
            double dot(std::size_t col, std::size_t from) const noexcept;

            feedback const* m_of;
            aligned_vector<float> m_error; // w - w^, in the order of column(nth)
            aligned_vector<double> m_owed; // [cols]
            std::size_t m_reached = 0;     // so many errors are summed in m_owed
        };

        bool scales_first() const noexcept { return m_scales_first; }
        void expect_columns(std::size_t cols, std::string_view name) const
        {
            JACKPLANE_EXPECTS(cols == m_column.size(), shape_error, name, ": ", cols, " columns, but a Gram matrix of ",
                              m_column.size());
        }
        row start() const& { return row(*this); }
        void start() const&& = delete; // it would point into a temporary

    private:
        // 0 + 1 + ... + (k - 1): where row k starts in a triangle without its diagonal, row k - 1 in one with it
        static std::size_t triangle(std::size_t k) noexcept { return (k * k - k) / 2; }

        aligned_vector<std::size_t> m_column, m_place; // the nth that is quantized; its inverse
        aligned_vector<float> m_unit;                  // U_ik of the places i < k, at triangle(k) + i
        bool m_scales_first;
    };

    namespace detail
    {
        // Sum of products, exact but for the additions in double, in the same order everywhere: eight side by side.
        inline double exact_dot(float const* a, float const* b, std::size_t n) noexcept
        {
            double sum[8] = {};
            std::size_t i = 0;
            for (; i + 8 <= n; i += 8)
                for (std::size_t lane = 0; lane < 8; ++lane)
                    sum[lane] += static_cast<double>(a[i + lane]) * static_cast<double>(b[i + lane]);
            for (std::size_t lane = 0; i < n; ++i, ++lane)
                sum[lane] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
            return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
        }
    }

    inline double feedback::row::dot(std::size_t col, std::size_t from) const noexcept
    {
        float const* const unit = m_of->m_unit.data() + triangle(m_of->m_place[col]);
        std::size_t const until = std::min(m_error.size(), m_of->m_place[col]);
        return until > from ? detail::exact_dot(m_error.data() + from, unit + from, until - from) : 0;
    }

    inline feedback::feedback(matrix_view<float const> gram, feedback_options options)
        : m_column(gram.rows), m_place(gram.rows), m_scales_first(options.scales_first || options.by_activation)
    {
        std::size_t const n = gram.rows;
        JACKPLANE_EXPECTS(gram.cols == n, shape_error, options.name, ": ", n, " x ", gram.cols, ", not square");
        expect_whole(gram, options.name);
        double trace = 0;
        for (std::size_t r = 0; r < n; ++r)
            for (std::size_t c = 0; c <= r; ++c)
            {
                JACKPLANE_EXPECTS(is_finite(gram(r, c)), value_error, options.name, ": row ", r, ", column ", c, " is ",
                                  gram(r, c));
                trace += c == r ? static_cast<double>(gram(r, r)) : 0;
            }
        float const mean = n == 0 ? 0 : static_cast<float>(trace / static_cast<double>(n));
        float const wanted = static_cast<float>(static_cast<double>(options.damping) * static_cast<double>(mean));
        double const damping = mean == 0 ? 1 : static_cast<double>(wanted); // no input at all: no errors to correct

        std::iota(m_column.begin(), m_column.end(), std::size_t{0});
        if (options.by_activation)
            std::sort(m_column.begin(), m_column.end(), [&](std::size_t a, std::size_t b)
                      { return gram(a, a) != gram(b, b) ? gram(a, a) > gram(b, b) : a < b; });
        for (std::size_t k = 0; k < n; ++k)
            m_place[m_column[k]] = k;

        // The Cholesky factor of the matrix in the opposite order, rounded to float: L_ab, b <= a, of the places
        // n - 1 - a and n - 1 - b. Then U_ik = L_ab / L_bb for a = n - 1 - i, b = n - 1 - k.
        aligned_vector<float> lower(triangle(n + 1));
        auto const row_of = [&](std::size_t a) { return lower.data() + triangle(a + 1); };
        for (std::size_t a = 0; a < n; ++a)
            for (std::size_t b = 0; b <= a; ++b)
            {
                std::size_t const r = m_column[n - 1 - a], c = m_column[n - 1 - b];
                double const entry = static_cast<double>(gram(std::max(r, c), std::min(r, c))) + (a == b ? damping : 0);
                double const left = entry - detail::exact_dot(row_of(a), row_of(b), b);
                float& at = row_of(a)[b];
                if (a != b)
                    at = static_cast<float>(left / static_cast<double>(row_of(b)[b]));
                else
                {
                    at = static_cast<float>(std::sqrt(detail::max(left, 0.0)));
                    JACKPLANE_EXPECTS(at > 0 && is_finite(at), value_error, options.name, ": not positive definite at ",
                                      "column ", r, " with damping ", options.damping);
                }
            }
        m_unit.resize(triangle(n));
        for (std::size_t k = 0; k < n; ++k)
            for (std::size_t i = 0; i < k; ++i)
                m_unit[triangle(k) + i] = row_of(n - 1 - i)[n - 1 - k] / row_of(n - 1 - k)[n - 1 - k];
    }

    static_assert(sweep<independent> && sweep<feedback>);
}
