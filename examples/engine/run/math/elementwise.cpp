// SPDX-License-Identifier: BSD-3-Clause
#include "elementwise.hpp"
#include <array>
#include <utility>

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

    namespace
    {
        template <std::size_t N>
        constexpr double factorial = static_cast<double>(N) * factorial<N - 1>;
        template <>
        constexpr double factorial<0> = 1;

        template <std::size_t... K>
        double exponential_near_0(double r, std::index_sequence<K...>) noexcept // Taylor, by Horner
        {
            double p = 0;
            ((p = p * r + 1 / factorial<sizeof...(K) - 1 - K>), ...);
            return p;
        }

        // exp(x) of x <= 709 to 2 units in the last place, as the float one in the header; below -708 it is exp(-708).
        double exponential_of(double x) noexcept
        {
            double const clamped = x < -708.0 ? -708.0 : x;
            double const magic = 6755399441055744.0; // 1.5 * 2^52
            double const shifted = clamped * 1.4426950408889634 + magic;
            double const n = shifted - magic;
            double const r = (clamped - n * 0.6931471803691238) - n * 1.9082149292705877e-10;
            double const p = exponential_near_0(r, std::make_index_sequence<14>{}); // 4e-18 at the ends
            std::uint64_t const exponent =
                (std::bit_cast<std::uint64_t>(shifted) - std::bit_cast<std::uint64_t>(magic) + 1023u) << 52;
            return p * std::bit_cast<double>(exponent);
        }

        // term(0) + ... + term(n - 1), in `lanes` sums
        template <class Term>
        double sum_of(std::size_t n, Term const& term) noexcept
        {
            std::array<double, lanes> sum{};
            std::size_t j = 0;
            for (; j + lanes <= n; j += lanes)
            {
                for (std::size_t l = 0; l < lanes; ++l)
                    sum[l] += term(j + l);
            }
            double total = 0;
            for (; j < n; ++j)
                total += term(j);
            for (double v : sum)
                total += v;
            return total;
        }
    }

    double log_of_sum(float const* x, std::size_t n) noexcept
    {
        auto const most = static_cast<double>(maximum(x, n));
        auto const term = [=](std::size_t j) { return exponential_of(static_cast<double>(x[j]) - most); };
        return most + std::log(sum_of(n, term));
    }

    double divergence(float const* p, double p_total, float const* q, double q_total, std::size_t n) noexcept
    {
        auto const term = [=](std::size_t j)
        {
            double const log_p = static_cast<double>(p[j]) - p_total;
            return exponential_of(log_p) * (log_p - (static_cast<double>(q[j]) - q_total));
        };
        return sum_of(n, term);
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
