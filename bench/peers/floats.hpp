// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// Dense float matrices, shared by the peers that multiply them.
#include "../bench.hpp"
#include "../multiply/memory.hpp"
#include "peer.hpp"
#include <cstring>

namespace bench
{
    struct floats
    {
        matrix strip;
        std::vector<std::shared_ptr<float>> matrices; // [rows, cols]; row r is row r % strip.rows of the strip
    };

    inline std::size_t float_set_size(shape s, bool cold) { return set_size(cold, s.rows * s.cols * sizeof(float)); }

    inline std::shared_ptr<floats const> float_set(shape s, bool cold)
    {
        std::size_t const count = float_set_size(s, cold), n = s.rows * s.cols;
        auto make = [&]
        {
            auto const all = std::make_shared<floats>(floats{matrix(std::min<std::size_t>(64, s.rows), s.cols), {}});
            for (std::size_t i = 0; i < count; ++i)
            {
                auto const to = allocate<float>(n);
                for (std::size_t row = 0; row < s.rows; ++row)
                    std::memcpy(to.get() + row * s.cols, &all->strip.data[row % all->strip.rows * s.cols],
                                s.cols * sizeof(float));
                all->matrices.push_back(to);
            }
            return all;
        };
        auto const name = jackplane::text("peer/floats/", end_of_name(s, 1, 1, cold));
        return set_of<floats>(name, count * n * sizeof(float), make);
    }

    // multiply(a [rows, cols], x [cols], y [rows])
    template <class Multiply>
    class float_product : public product
    {
    public:
        float_product(std::shared_ptr<floats const> w, shape s, Multiply multiply)
            : m_w(std::move(w)), m_shape(s), m_multiply(multiply), m_x(1, s.cols), m_y(s.rows)
        {
        }
        std::size_t matrices() const override { return m_w->matrices.size(); }
        std::size_t bytes() const override { return m_shape.rows * m_shape.cols * sizeof(float); }
        void multiply(std::size_t which) override
        {
            m_multiply(m_w->matrices[which].get(), m_x.data.data(), m_y.data());
        }
        std::string wrong() override // any order of sums: cols eps sum |w| |x|
        {
            multiply(0);
            answer a{{}, {}, m_w->strip.rows};
            for (std::size_t row = 0; row < m_w->strip.rows; ++row)
            {
                double sum = 0, size = 0;
                for (std::size_t col = 0; col < m_shape.cols; ++col)
                {
                    double const term = double{m_w->strip.data[row * m_shape.cols + col]} * m_x.data[col];
                    sum += term;
                    size += std::abs(term);
                }
                a.expected.push_back(sum);
                a.allowed.push_back(size * static_cast<double>(m_shape.cols) * 0x1p-23);
            }
            return bench::wrong(a, m_y.data(), m_shape.rows, 1);
        }

    private:
        std::shared_ptr<floats const> m_w;
        shape m_shape;
        Multiply m_multiply;
        matrix m_x;
        std::vector<float> m_y;
    };
}
