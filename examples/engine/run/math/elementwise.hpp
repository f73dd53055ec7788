// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../../describe/block.hpp"
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

// What happens between the matrix products. Plain loops that compilers vectorize without -ffast-math: sums run in fixed
// lanes.

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

    // Loops over exponentials and comparisons, for float and double, are compiled once, in elementwise.cpp: compilers
    // make vectors of them only where comparisons may not trap, which no unit that includes this has to ask for.

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

    template <class T>
    T dot(T const* a, T const* b, std::size_t n) noexcept
    {
        std::array<T, lanes> sum{};
        std::size_t j = 0;
        for (; j + lanes <= n; j += lanes)
        {
            for (std::size_t l = 0; l < lanes; ++l)
                sum[l] += a[j + l] * b[j + l];
        }
        T total = 0;
        for (; j < n; ++j)
            total += a[j] * b[j];
        for (std::size_t l = 0; l < lanes; ++l)
            total += sum[l];
        return total;
    }

    template <class T>
    void scale(T* x, std::size_t n, T factor) noexcept
    {
        for (std::size_t j = 0; j < n; ++j)
            x[j] *= factor;
    }

    // y [tokens, n] += bias [n], where there is one.
    template <class T>
    void add_bias(T const* bias, T* y, std::size_t tokens, std::size_t n) noexcept
    {
        for (std::size_t t = 0; bias && t < tokens; ++t, y += n)
            for (std::size_t j = 0; j < n; ++j)
                y[j] += bias[j];
    }

    // d_bias [n], if asked for, += the sum over tokens of dy [tokens, n].
    template <class T>
    void bias_backward(T const* dy, T* d_bias, std::size_t tokens, std::size_t n) noexcept
    {
        for (std::size_t t = 0; d_bias && t < tokens; ++t, dy += n)
            for (std::size_t j = 0; j < n; ++j)
                d_bias[j] += dy[j];
    }

    // y = x (w + shift) / rms(x) per token; rms^2 = mean(x^2) + eps. Keeps 1 / rms per token for the way back. y may
    // be x.
    template <class T>
    void rms_norm(T const* x, T const* w, T shift, T* y, T* inverse, std::size_t tokens, std::size_t n,
                  double eps) noexcept
    {
        for (std::size_t t = 0; t < tokens; ++t, x += n, y += n)
        {
            T r = T{1} / std::sqrt(dot(x, x, n) / static_cast<T>(n) + static_cast<T>(eps));
            if (!(r > 0)) // the squares of large x are beyond T
            {
                double sum = 0;
                for (std::size_t j = 0; j < n; ++j)
                    sum += static_cast<double>(x[j]) * static_cast<double>(x[j]);
                r = static_cast<T>(1 / std::sqrt(sum / static_cast<double>(n) + eps));
            }
            inverse[t] = r;
            for (std::size_t j = 0; j < n; ++j)
                y[j] = x[j] * r * (w[j] + shift);
        }
    }

    // With v = w + shift:  dx += r (v dy - x r^2 mean(v dy x)),  dw += dy x r (when asked for).  `scratch` holds one
    // row.
    template <class T>
    void rms_norm_backward(T const* x, T const* w, T shift, T const* inverse, T const* dy, T* dx, T* dw, T* scratch,
                           std::size_t tokens, std::size_t n) noexcept
    {
        for (std::size_t t = 0; t < tokens; ++t, x += n, dy += n, dx += n)
        {
            T const r = inverse[t];
            for (std::size_t j = 0; j < n; ++j)
                scratch[j] = dy[j] * (w[j] + shift);
            T const mean = dot(scratch, x, n) * r * r / static_cast<T>(n);
            for (std::size_t j = 0; j < n; ++j)
                dx[j] += r * (scratch[j] - x[j] * mean);
            if (dw)
            {
                for (std::size_t j = 0; j < n; ++j)
                    dw[j] += dy[j] * x[j] * r;
            }
        }
    }

    // cos and sin of a rotation's angles, times its magnitude; [positions, half] each.
    template <class T>
    struct rotary_table
    {
        std::size_t half, head_dim;
        std::vector<T> cosine, sine;

        rotary_table(std::size_t positions, std::size_t head_size, rotation const& r)
            : half(r.frequencies.size()), head_dim(head_size), cosine(positions * half), sine(positions * half)
        {
            std::vector<double> const& frequencies = r.of(positions);
            for (std::size_t p = 0; p < positions; ++p)
            {
                for (std::size_t j = 0; j < half; ++j)
                {
                    double const angle = static_cast<double>(p) * frequencies[j];
                    cosine[p * half + j] = static_cast<T>(r.magnitude * std::cos(angle));
                    sine[p * half + j] = static_cast<T>(r.magnitude * std::sin(angle));
                }
            }
        }

        // Turns (x[j], x[j + half]) of each head by the angle of the position; direction -1: the gradient's way back.
        void rotate(T* x, std::size_t heads, std::size_t position, T direction = T{1}) const noexcept
        {
            T const* const c = cosine.data() + position * half;
            T const* const s = sine.data() + position * half;
            for (std::size_t h = 0; h < heads; ++h, x += head_dim)
            {
                for (std::size_t j = 0; j < half; ++j)
                {
                    T const a = x[j], b = x[j + half], sj = direction * s[j];
                    x[j] = a * c[j] - b * sj;
                    x[j + half] = b * c[j] + a * sj;
                }
            }
        }
    };

    // For y >= 0, by exponential(): its 1 - exp(-2 y) keeps no digits of a small y, a series does.
    inline float tangent(float y) noexcept
    {
        float const e = exponential(-2 * y);
        return y < 0.02f ? y - y * y * y / 3 : (1 - e) / (1 + e);
    }
    inline double tangent(double y) noexcept { return std::tanh(y); }

    // x = cap tanh(x / cap).
    template <class T>
    void soften(T* x, std::size_t n, T cap) noexcept
    {
        for (std::size_t j = 0; j < n; ++j)
            x[j] = std::copysign(cap * tangent(std::abs(x[j]) / cap), x[j]);
    }

    // Its slope, by what it gave.
    template <class T>
    T soften_slope(T y, T cap) noexcept
    {
        return 1 - (y / cap) * (y / cap);
    }

    // Inverted dropout whose mask is a hash of (key, element): nothing is stored, the way back draws the same mask.
    struct dropout
    {
        float rate = 0.0f;
        std::uint32_t key = 0;

        // y = base + mask x / (1 - rate); `site` tells the places of the network apart. base may be null, y may be x.
        template <class T>
        void apply(T const* base, T const* x, T* y, std::size_t n, std::uint32_t site) const noexcept
        {
            auto const threshold = static_cast<std::uint32_t>(static_cast<double>(rate) * 16777216.0); // of 2^24
            T const kept = T{1} / (T{1} - static_cast<T>(rate));
            std::uint32_t const start = hash(key ^ (site * 0x9e3779b9u));
            for (std::size_t j = 0; j < n; ++j)
            {
                T const m = (hash(start + static_cast<std::uint32_t>(j)) >> 8) < threshold ? T{0} : kept;
                y[j] = x[j] * m + (base ? base[j] : T{0});
            }
        }

    private:
        static constexpr std::uint32_t hash(std::uint32_t x) noexcept // an xorshift-multiply mixer
        {
            x = (x ^ (x >> 16)) * 0x7feb352du;
            x = (x ^ (x >> 15)) * 0x846ca68bu;
            return x ^ (x >> 16);
        }
    };
}
