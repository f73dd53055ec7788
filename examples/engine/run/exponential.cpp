// SPDX-License-Identifier: BSD-3-Clause
#include "exponential.hpp"
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

    template <class T>
    void swiglu(T const* gate_up, T* y, std::size_t tokens, std::size_t n) noexcept
    {
        for (std::size_t t = 0; t < tokens; ++t, gate_up += 2 * n, y += n)
        {
            for (std::size_t j = 0; j < n; ++j)
            {
                T const gate = gate_up[j];
                y[j] = gate / (T{1} + exponential(-gate)) * gate_up[j + n];
            }
        }
    }

    template <class T>
    void swiglu_backward(T* gate_up, T const* dy, std::size_t tokens, std::size_t n) noexcept
    {
        for (std::size_t t = 0; t < tokens; ++t, gate_up += 2 * n, dy += n)
        {
            for (std::size_t j = 0; j < n; ++j)
            {
                T const gate = gate_up[j], up = gate_up[j + n], sigmoid = T{1} / (T{1} + exponential(-gate));
                gate_up[j] = dy[j] * up * sigmoid * (T{1} + gate * (T{1} - sigmoid));
                gate_up[j + n] = dy[j] * gate * sigmoid;
            }
        }
    }

    template float maximum(float const*, std::size_t) noexcept;
    template float exponentiate(float*, std::size_t, float) noexcept;
    template void swiglu(float const*, float*, std::size_t, std::size_t) noexcept;
    template void swiglu_backward(float*, float const*, std::size_t, std::size_t) noexcept;
    template double maximum(double const*, std::size_t) noexcept;
    template double exponentiate(double*, std::size_t, double) noexcept;
    template void swiglu(double const*, double*, std::size_t, std::size_t) noexcept;
    template void swiglu_backward(double*, double const*, std::size_t, std::size_t) noexcept;
}
