// SPDX-License-Identifier: BSD-3-Clause
#include "elementwise.hpp"
#include <array>

namespace engine
{
    template <class T>
    T maximum(T const* x, std::size_t n) noexcept
    {
        std::array<T, lanes> most;
        most.fill(x[0]);
        std::size_t j = 0;
        for (; j + lanes <= n; j += lanes)
        {
            for (std::size_t l = 0; l < lanes; ++l)
                most[l] = most[l] < x[j + l] ? x[j + l] : most[l];
        }
        for (; j < n; ++j)
            most[0] = most[0] < x[j] ? x[j] : most[0];
        T m = most[0];
        for (T v : most)
            m = m < v ? v : m;
        return m;
    }

    template <class T>
    T exponentiate(T* x, std::size_t n, T shift) noexcept
    {
        std::array<T, lanes> sum{};
        std::size_t j = 0;
        for (; j + lanes <= n; j += lanes)
        {
            for (std::size_t l = 0; l < lanes; ++l)
            {
                x[j + l] = exponential(x[j + l] - shift);
                sum[l] += x[j + l];
            }
        }
        T total = 0;
        for (; j < n; ++j)
        {
            x[j] = exponential(x[j] - shift);
            total += x[j];
        }
        for (T v : sum)
            total += v;
        return total;
    }

    namespace
    {
        // Both are x sigmoid(z(x)); slope: of z.
        struct silu
        {
            template <class T>
            static T z(T x) noexcept
            {
                return x;
            }
            template <class T>
            static T slope(T) noexcept
            {
                return T{1};
            }
        };
        struct gelu // by tanh: (1 + tanh(y)) / 2 = sigmoid(2 y), y = sqrt(2 / pi) (x + 0.044715 x^3)
        {
            static constexpr double twice = 1.5957691216057308;

            template <class T>
            static T z(T x) noexcept
            {
                return static_cast<T>(twice) * x * (T{1} + static_cast<T>(0.044715) * x * x);
            }
            template <class T>
            static T slope(T x) noexcept
            {
                return static_cast<T>(twice) * (T{1} + static_cast<T>(0.134145) * x * x);
            }
        };

        template <class F, class T>
        void gate_by(T const* gate_up, T* y, std::size_t tokens, std::size_t n) noexcept
        {
            for (std::size_t t = 0; t < tokens; ++t, gate_up += 2 * n, y += n)
            {
                for (std::size_t j = 0; j < n; ++j)
                {
                    T const x = gate_up[j];
                    y[j] = x / (T{1} + exponential(-F::z(x))) * gate_up[j + n];
                }
            }
        }

        template <class F, class T>
        void gate_backward_by(T* gate_up, T const* dy, std::size_t tokens, std::size_t n) noexcept
        {
            for (std::size_t t = 0; t < tokens; ++t, gate_up += 2 * n, dy += n)
            {
                for (std::size_t j = 0; j < n; ++j)
                {
                    T const x = gate_up[j], up = gate_up[j + n], sigmoid = T{1} / (T{1} + exponential(-F::z(x)));
                    gate_up[j] = dy[j] * up * sigmoid * (T{1} + x * F::slope(x) * (T{1} - sigmoid));
                    gate_up[j + n] = dy[j] * x * sigmoid;
                }
            }
        }
    }

    template <class T>
    void gate(gate_function f, T const* gate_up, T* y, std::size_t tokens, std::size_t n) noexcept
    {
        f == gate_function::silu ? gate_by<silu>(gate_up, y, tokens, n) : gate_by<gelu>(gate_up, y, tokens, n);
    }

    template <class T>
    void gate_backward(gate_function f, T* gate_up, T const* dy, std::size_t tokens, std::size_t n) noexcept
    {
        f == gate_function::silu ? gate_backward_by<silu>(gate_up, dy, tokens, n)
                                 : gate_backward_by<gelu>(gate_up, dy, tokens, n);
    }

    template float maximum(float const*, std::size_t) noexcept;
    template float exponentiate(float*, std::size_t, float) noexcept;
    template void gate(gate_function, float const*, float*, std::size_t, std::size_t) noexcept;
    template void gate_backward(gate_function, float*, float const*, std::size_t, std::size_t) noexcept;
    template double maximum(double const*, std::size_t) noexcept;
    template double exponentiate(double*, std::size_t, double) noexcept;
    template void gate(gate_function, double const*, double*, std::size_t, std::size_t) noexcept;
    template void gate_backward(gate_function, double*, double const*, std::size_t, std::size_t) noexcept;
}
