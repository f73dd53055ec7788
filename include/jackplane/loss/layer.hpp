// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <string_view>
#include <vector>
#include "../core/concepts.hpp"
#include "../core/view.hpp"

// The squared error of one linear layer over calibration inputs, from their Gram matrix alone: the cost of a step does
// not depend on the number of tokens, and no engine needs a backward pass.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // out = a b for a [rows, n], b [n, n]: what `layer` needs of a BLAS, in plain loops. An engine passes its own.
    struct plain_product
    {
        void operator()(matrix_view<float const> a, matrix_view<float const> b, matrix_view<float> out) const noexcept
        {
            constexpr std::size_t depth = 64; // rows of b that stay in the cache while all rows of a pass
            for (std::size_t row = 0; row < a.rows; ++row)
                std::fill_n(&out(row, 0), out.cols, 0.0f);
            for (std::size_t first = 0; first < b.rows; first += depth)
                for (std::size_t row = 0; row < a.rows; ++row)
                    for (std::size_t k = first; k < std::min(first + depth, b.rows); ++k)
                    {
                        float const factor = a(row, k);
                        float const* const from = &b(k, 0);
                        float* const to = &out(row, 0);
                        for (std::size_t col = 0; col < b.cols; ++col)
                            to[col] += factor * from[col];
                    }
        }
    };

    struct layer_options // what else a layer may know of its inputs
    {
        matrix_view<float const> drift{}; // [cols, cols]: sum over tokens of (x' - x) x'^T; none: x' == x
        std::string_view name = "layer";  // for errors
    };

    // For weights w [rows, cols] with inputs x in the dense model and x' in the quantized one (from the quantized
    // layers before it): with E = w^ - w and G = sum over tokens of x' x'^T,
    //     f(w^) = sum |w^ x' - w x|^2 - sum |w (x' - x)|^2 = tr(E G E^T) + 2 tr(E (w D)^T),   D the drift
    // The second term of the first form does not depend on w^. w, gram must outlive it; an object serves one thread.
    template <class Product = plain_product>
    class layer
    {
    public:
        // gram [cols, cols]. Throws shape_error, value_error for what is not finite.
        layer(matrix_view<float const> w, matrix_view<float const> gram, layer_options options = {},
              Product product = {})
            : m_w(w), m_gram(gram), m_product(product), m_error(w.rows * w.cols), m_slope(w.rows * w.cols)
        {
            auto const& drift = options.drift;
            JACKPLANE_EXPECTS(gram.rows == w.cols && gram.cols == w.cols, shape_error, options.name, ": ", w.cols,
                              " columns, but a Gram matrix of ", gram.rows, " x ", gram.cols);
            JACKPLANE_EXPECTS(drift.data == nullptr || (drift.rows == w.cols && drift.cols == w.cols), shape_error,
                              options.name, ": ", w.cols, " columns, but a drift of ", drift.rows, " x ", drift.cols);
            expect_whole(w, options.name);
            expect_whole(gram, text(options.name, ": Gram matrix"));
            expect_whole(drift, text(options.name, ": drift"));
            expect_finite(w, options.name, "weight");
            expect_finite(gram, options.name, "Gram matrix");
            expect_finite(drift, options.name, "drift");
            if (drift.data != nullptr)
            {
                m_constant.resize(w.rows * w.cols);
                m_product(w, drift, {m_constant.data(), w.rows, w.cols});
            }
        }

        std::size_t size() const noexcept { return m_error.size(); }

        // w^ and g: row after row, no stride.
        double operator()(std::span<float const> quantized, std::span<float> g)
        {
            JACKPLANE_EXPECTS(quantized.size() == size() && (g.empty() || g.size() == size()), shape_error,
                              quantized.size(), " weights and ", g.size(), " gradients, the layer has ", size());
            for (std::size_t row = 0, i = 0; row < m_w.rows; ++row)
                for (std::size_t col = 0; col < m_w.cols; ++col, ++i)
                    m_error[i] = quantized[i] - m_w(row, col);
            m_product({m_error.data(), m_w.rows, m_w.cols}, m_gram, {m_slope.data(), m_w.rows, m_w.cols});
            double sum = 0;
            for (std::size_t i = 0; i < size(); ++i)
            {
                float const shift = m_constant.empty() ? 0.0f : m_constant[i];
                sum += static_cast<double>(m_error[i]) *
                       (static_cast<double>(m_slope[i]) + 2 * static_cast<double>(shift));
                if (!g.empty())
                    g[i] = 2 * (m_slope[i] + shift);
            }
            return sum;
        }

    private:
        matrix_view<float const> m_w, m_gram;
        Product m_product;
        std::vector<float> m_error, m_slope; // E, E G
        std::vector<float> m_constant;       // w D, or nothing
    };
    static_assert(loss<layer<>>);
}
