// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../describe/block.hpp"
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

// Loops over exponentials and comparisons, for float and double. They are compiled once, in exponential.cpp: compilers
// make vectors of them only where comparisons may not trap, which no unit that includes this has to ask for.
namespace engine
{
    inline constexpr std::size_t lanes = 16; // of sums, and of maxima

    // exp(x) to 2 units in the last place, a polynomial (libm's is a call an element); below -87 it is exp(-87).
    inline float exponential(float x) noexcept
    {
        float const clamped = x < -87.0f ? -87.0f : (x > 88.0f ? 88.0f : x);
        float const magic = 12582912.0f; // 1.5 * 2^23: adding it rounds to an integer in the low bits
        float const shifted = clamped * 1.44269504f + magic;
        float const n = shifted - magic;
        float const r = (clamped - n * 0.693359375f) - n * -2.12194440e-4f; // |r| <= ln 2 / 2, ln 2 in two parts
        float p = 1.0f / 5040.0f;                                           // Taylor, degree 7: 2e-8 at the ends
        p = p * r + 1.0f / 720.0f;
        p = p * r + 1.0f / 120.0f;
        p = p * r + 1.0f / 24.0f;
        p = p * r + 1.0f / 6.0f;
        p = p * r + 0.5f;
        p = p * r + 1.0f;
        p = p * r + 1.0f;
        std::uint32_t const exponent =
            (std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(magic) + 127u) << 23;
        return p * std::bit_cast<float>(exponent);
    }

    inline double exponential(double x) noexcept { return std::exp(x); }

    template <class T>
    T maximum(T const* x, std::size_t n) noexcept;

    // x[j] = exp(x[j] - shift); returns the sum.
    template <class T>
    T exponentiate(T* x, std::size_t n, T shift) noexcept;

    // log of the sum of exp(x[j]), and the sum of exp(p[j] - p_total) ((p[j] - p_total) - (q[j] - q_total)), the
    // Kullback-Leibler divergence where the totals are those logs: in double, whatever is not finite stays so.
    double log_of_sum(float const* x, std::size_t n) noexcept;
    double divergence(float const* p, double p_total, float const* q, double q_total, std::size_t n) noexcept;

    // y = f(gate) up;  gate_up [tokens, 2 n] holds gate then up in each row, y [tokens, n].
    template <class T>
    void gate(gate_function f, T const* gate_up, T* y, std::size_t tokens, std::size_t n) noexcept;

    // gate_up := its own gradient.
    template <class T>
    void gate_backward(gate_function f, T* gate_up, T const* dy, std::size_t tokens, std::size_t n) noexcept;
}
