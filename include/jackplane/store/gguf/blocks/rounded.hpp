// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include "../../../core/concepts.hpp"
#include "../../../core/number.hpp"

// The arithmetic of ggml's quantizers, which decides bytes: float32, every operation rounded by itself, in their order.
namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf::detail
{
    using namespace JACKPLANE_TARGET::detail; // the library's own

    // A product before something is added to it. What no compiler can see through it cannot fuse with the sum, whatever
    // the flags (g++ does so across statements; from a double narrowed to float, too).
    [[gnu::always_inline]] inline float rounded(float product) noexcept
    {
#if defined(__SSE__)
        __asm__("" : "+x"(product));
#elif defined(__aarch64__)
        __asm__("" : "+w"(product));
#else
        float const volatile kept = product;
        product = kept;
#endif
        return product;
    }

    // To a whole number, ties to even, by adding 1.5 * 2^23; meaningful below 2^22, defined for all.
    inline int nearest_int(float x) noexcept
    {
        float const shifted = rounded(x) + 12582912.0f;
        return static_cast<int>(__builtin_bit_cast(std::uint32_t, shifted) & 0x7fffffu) - 0x400000;
    }
    inline int nearest_int(float x, int low, int high) noexcept // clamped
    {
        int const i = nearest_int(x);
        return i < low ? low : i > high ? high : i;
    }

    // 1 / d; 0 for a d so small that the half of it is 0 and any code will do.
    inline float inverse(float d) noexcept
    {
        float const i = d != 0 ? 1 / d : 0.0f;
        return is_finite(i) ? i : 0.0f;
    }

    // The value of largest magnitude, the first of equals. Its magnitude is kept beside it: clang 19 -O2 finds another
    // value in a loop over eight that takes it anew.
    inline float extreme(std::span<float const> x) noexcept
    {
        float value = 0, largest = 0;
        for (float const v : x)
            if (float const magnitude = abs(v); magnitude > largest)
                value = v, largest = magnitude;
        return value;
    }
    inline float sum_of_squares(std::span<float const> x) noexcept
    {
        float sum = 0;
        for (float const v : x)
            sum += rounded(v * v);
        return sum;
    }
    inline float sum(std::span<float const> x) noexcept
    {
        float total = 0;
        for (float const v : x)
            total += v;
        return total;
    }

    inline constexpr float least_group = 1e-15f; // a group of smaller values is one of zeros
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf
{
    // What a type sees when it chooses the codes and constants of one block.
    struct block_input
    {
        std::span<float const> x;          // [values]
        std::span<float const> importance; // the same; empty: none is given
        float mean_square = 0;             // of the whole row; 0 without importance
    };
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf::detail
{
    // A group of importance 0 counts as one of importance 1: its weights would else become zeros or NaN.
    inline void as_weights(std::span<float const> importance, float* w) noexcept
    {
        bool any = false;
        for (float const i : importance)
            any |= i > 0;
        for (std::size_t j = 0; j < importance.size(); ++j)
            w[j] = any ? importance[j] : 1.0f;
    }
    // w[j] = importance[j] sqrt(mean_square + x[j]^2)
    inline void weigh(std::span<float const> x, std::span<float const> importance, float mean_square, float* w) noexcept
    {
        as_weights(importance, w);
        for (std::size_t j = 0; j < x.size(); ++j)
            w[j] *= __builtin_sqrtf(mean_square + rounded(x[j] * x[j]));
    }
}
