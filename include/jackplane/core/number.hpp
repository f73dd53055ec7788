// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <bit>
#include <concepts>
#include <cstdint>
#include <type_traits>
#include "target.hpp"

namespace jackplane::inline v0 // shared by all units: core/target.hpp
{
    // Storage types: conversions, no arithmetic. Round to nearest even, subnormals kept, NaN stays NaN.
    struct half // IEEE 754 binary16: 1 sign, 5 exponent, 10 fraction bits
    {
        std::uint16_t bits;
        [[gnu::always_inline]] friend constexpr bool operator==(half, half) = default; // of bits
    };
    struct bfloat16 // the upper half of an IEEE 754 binary32
    {
        std::uint16_t bits;
        [[gnu::always_inline]] friend constexpr bool operator==(bfloat16, bfloat16) = default; // of bits
    };
    static_assert(sizeof(half) == 2 && std::is_trivially_copyable_v<half>);
    static_assert(sizeof(bfloat16) == 2 && std::is_trivially_copyable_v<bfloat16>);

#if defined(__FLT16_MAX__) && (defined(__clang__) || defined(__x86_64__) || defined(__i386__) || __GNUC__ >= 13)
#define JACKPLANE_FLOAT16 1
    // The compiler's own binary16, taken wherever weights, x or y may be half.
    using native_half = _Float16;
#else
#define JACKPLANE_FLOAT16 0
    // The compiler's own binary16: this one has none.
    using native_half = void;
#endif

    // What weights, x and y may be made of.
    template <class T>
    concept element = std::same_as<T, float> || std::same_as<T, double> || std::same_as<T, half> ||
                      std::same_as<T, bfloat16> || (!std::is_void_v<T> && std::same_as<T, native_half>);

    // What scales and sparse values may be stored as.
    template <class T>
    concept scale_number = std::same_as<T, float> || std::same_as<T, half> || std::same_as<T, bfloat16>;
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // Like the standard library's functions, which without inlining would be symbols shared by units of all targets.
    namespace detail
    {
        template <std::floating_point T>
        constexpr T min(T a, T b) noexcept
        {
            return b < a ? b : a;
        }
        template <std::floating_point T>
        constexpr T max(T a, T b) noexcept
        {
            return a < b ? b : a;
        }
        template <std::floating_point T>
        constexpr T clamp(T x, T low, T high) noexcept
        {
            return x < low ? low : high < x ? high : x;
        }
        inline float abs(float x) noexcept { return __builtin_fabsf(x); }
        inline float nearbyint(float x) noexcept { return __builtin_nearbyintf(x); } // ties to even
    }

    // The number as a float: exact, but of a double rounded.
    constexpr float to_float(float x) noexcept { return x; }
    constexpr float to_float(double x) noexcept { return static_cast<float>(x); }
    constexpr float to_float(std::uint8_t x) noexcept { return static_cast<float>(x); }
    constexpr float to_float(bfloat16 x) noexcept { return __builtin_bit_cast(float, std::uint32_t{x.bits} << 16); }
    constexpr float to_float(half x) noexcept
    {
        std::uint32_t const sign = (x.bits & 0x8000u) << 16, magnitude = x.bits & 0x7fffu;
        if (magnitude >= 0x7c00u) // Inf, NaN
            return __builtin_bit_cast(float, sign | 0x7f800000u | (magnitude & 0x3ffu) << 13);
        if (magnitude >= 0x400u) // normal: move the exponent's bias from 15 to 127
            return __builtin_bit_cast(float, sign | ((magnitude << 13) + (112u << 23)));
        float const steps = static_cast<float>(magnitude) * 0x1p-24f; // subnormal; never one as a float: safe under DAZ
        return __builtin_bit_cast(float, sign | std::bit_cast<std::uint32_t>(steps));
    }

#if JACKPLANE_FLOAT16
    constexpr float to_float(native_half x) noexcept { return to_float(__builtin_bit_cast(half, x)); }
#endif

    namespace detail
    {
        constexpr std::uint32_t shift_to_even(std::uint32_t x, unsigned shift) noexcept // x / 2^shift
        {
            std::uint32_t const half_way = 1u << (shift - 1), rest = x & ((1u << shift) - 1), whole = x >> shift;
            return whole + (rest > half_way || (rest == half_way && (whole & 1u)));
        }
    }

    template <class T>
    constexpr T from_float(float x) noexcept = delete;
    template <>
    constexpr float from_float<float>(float x) noexcept
    {
        return x;
    }
    template <>
    constexpr bfloat16 from_float<bfloat16>(float x) noexcept
    {
        std::uint32_t const bits = std::bit_cast<std::uint32_t>(x);
        if ((bits & 0x7fffffffu) > 0x7f800000u) // NaN: keep it quiet, never round it into Inf
            return {static_cast<std::uint16_t>(bits >> 16 | 0x40u)};
        return {static_cast<std::uint16_t>(detail::shift_to_even(bits, 16))};
    }
    template <>
    constexpr half from_float<half>(float x) noexcept
    {
        std::uint32_t const bits = std::bit_cast<std::uint32_t>(x);
        std::uint32_t const sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
        std::uint32_t result = 0;
        if (magnitude > 0x7f800000u) // NaN
            result = 0x7e00u | (magnitude >> 13 & 0x3ffu);
        else if (magnitude >= 0x477ff000u) // from 65520 up the nearest half is Inf
            result = 0x7c00u;
        else if (magnitude >= 0x38800000u) // normal: move the exponent's bias from 127 to 15
            result = detail::shift_to_even(magnitude - (112u << 23), 13);
        else if (magnitude >= 0x33000000u) // subnormal, in steps of 2^-24
            result = detail::shift_to_even((magnitude & 0x7fffffu) | 0x800000u, 126u - (magnitude >> 23));
        return {static_cast<std::uint16_t>(sign | result)};
    }

#if JACKPLANE_FLOAT16
    template <>
    constexpr native_half from_float<native_half>(float x) noexcept
    {
        return __builtin_bit_cast(native_half, from_float<half>(x));
    }
#endif

    // The smallest normal and the largest number of a storage type.
    template <scale_number S>
    inline constexpr float smallest_normal = std::same_as<S, half> ? 0x1p-14f : 0x1p-126f;
    template <scale_number S>
    inline constexpr float largest_finite = std::same_as<S, half>       ? 65504.0f
                                            : std::same_as<S, bfloat16> ? 0x1.fep127f
                                                                        : 0x1.fffffep127f;

    constexpr bool is_finite(float x) noexcept // on bits: a compiler flag cannot take it away
    {
        return (std::bit_cast<std::uint32_t>(x) & 0x7f800000u) != 0x7f800000u;
    }
    constexpr bool is_finite(double x) noexcept
    {
        return (std::bit_cast<std::uint64_t>(x) & 0x7ff0000000000000u) != 0x7ff0000000000000u;
    }
    constexpr bool is_finite(half x) noexcept { return (x.bits & 0x7c00u) != 0x7c00u; }
    constexpr bool is_finite(bfloat16 x) noexcept { return (x.bits & 0x7f80u) != 0x7f80u; }
#if JACKPLANE_FLOAT16
    constexpr bool is_finite(native_half x) noexcept { return is_finite(__builtin_bit_cast(half, x)); }
#endif

    constexpr bool is_normal(float x) noexcept // neither 0 nor subnormal, Inf, NaN
    {
        return is_finite(x) && (std::bit_cast<std::uint32_t>(x) & 0x7f800000u) != 0;
    }
    constexpr bool is_normal(half x) noexcept { return is_finite(x) && (x.bits & 0x7c00u) != 0; }
    constexpr bool is_normal(bfloat16 x) noexcept { return is_finite(x) && (x.bits & 0x7f80u) != 0; }

    // Whether S keeps x to its own precision: stored, it is 0 because it was, or a normal number. A subnormal one has
    // lost bits, and what became 0 or Inf all of them.
    template <scale_number S>
    constexpr bool holds(float x) noexcept
    {
        return (std::bit_cast<std::uint32_t>(x) & 0x7fffffffu) == 0 || is_normal(from_float<S>(x));
    }
    // The number of the same sign that S holds and that is nearest to x, which is not NaN; not 0.
    template <scale_number S>
    constexpr float nearest_held(float x) noexcept
    {
        float const magnitude = x < 0 ? -x : x;
        float const held = magnitude < smallest_normal<S>  ? smallest_normal<S>
                           : magnitude > largest_finite<S> ? largest_finite<S>
                                                           : magnitude;
        return x < 0 ? -held : held;
    }
    static_assert(holds<half>(0x1p-14f) && !holds<half>(0x1p-15f) && !holds<half>(65520.0f) && holds<half>(0.0f));
}
