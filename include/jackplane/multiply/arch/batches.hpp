// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <xsimd/xsimd.hpp>
#include "../kernel/vectors.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace detail
    {
        template <class X, class... Others>
        constexpr auto first_with_registers() noexcept
        {
            if constexpr (sizeof...(Others) == 0 || xsimd::types::has_simd_register<float, X>::value)
                return simd<X>{};
            else
                return first_with_registers<Others...>();
        }
    }
    // xsimd's arch for the flags of this unit. (-mavx512bw without -mavx512dq: xsimd names an arch and has no batches.)
    using any_arch = decltype(detail::first_with_registers<xsimd::default_arch, xsimd::avx2, xsimd::sse2>());

    namespace kernel
    {
        // Any machine that xsimd knows, by 32-bit lanes alone: xsimd 8.1 lacks widening, reductions and, for avx512bw
        // without the optimizer, the selection of bytes.
        template <class X>
            requires(xsimd::batch<float, X>::size == 4 || xsimd::batch<float, X>::size == 8 ||
                     xsimd::batch<float, X>::size == 16)
        struct vectors<simd<X>>
        {
            static constexpr std::size_t rows = xsimd::batch<float, X>::size;
            static constexpr unsigned registers = rows == 16 ? 32 : 16;

            struct ints
            {
                xsimd::batch<std::int32_t, X> v;
            };
            using bytes = ints;
            struct floats
            {
                static constexpr std::size_t size = rows;
                xsimd::batch<float, X> v;

                floats() = default;
                [[gnu::always_inline]] floats(xsimd::batch<float, X> const& x) noexcept : v(x) {}
                [[gnu::always_inline]] explicit floats(float x) noexcept : v(x) {}
                [[gnu::always_inline]] static floats load(float const* from) noexcept
                {
                    return xsimd::batch<float, X>::load_unaligned(from);
                }
                [[gnu::always_inline]] void store(float* to) const noexcept { v.store_unaligned(to); }
                [[gnu::always_inline]] friend floats operator+(floats a, floats b) noexcept { return a.v + b.v; }
                [[gnu::always_inline]] friend floats operator-(floats a, floats b) noexcept { return a.v - b.v; }
                [[gnu::always_inline]] friend floats operator*(floats a, floats b) noexcept { return a.v * b.v; }
            };

            // xsimd's vector loads may alias anything. (memcpy into an array first: g++ 12 splits the copy at avx2, the
            // load then waits for two stores, and the whole product takes 10x as long.)
            [[gnu::always_inline]] static bytes load_bytes(std::byte const* from) noexcept
            {
                return {dwords::load_unaligned(reinterpret_cast<std::int32_t const*>(from))};
            }
            [[gnu::always_inline]] static void store(bytes a, std::byte* to) noexcept
            {
                a.v.store_unaligned(reinterpret_cast<std::int32_t*>(to));
            }
            template <unsigned M>
            [[gnu::always_inline]] static bytes keep(bytes a) noexcept
            {
                return {a.v & dwords(every_byte<M>)};
            }
            template <unsigned N>
            [[gnu::always_inline]] static void exchange(bytes& a, bytes& b) noexcept
            {
                auto const differ = (a.v ^ right<N>(b).v) & dwords(every_byte<0xff ^ upper_of_pairs<N>>);
                a.v = a.v ^ differ;
                b.v = b.v ^ left<N>(bytes{differ}).v;
            }
            template <unsigned N>
            [[gnu::always_inline]] static bytes left(bytes a) noexcept
            {
                return {a.v << static_cast<int>(N)};
            }
            template <unsigned N>
            [[gnu::always_inline]] static bytes right(bytes a) noexcept
            {
                return {a.v >> static_cast<int>(N)}; // of signed numbers: the mask drops the copies of the sign too
            }

            [[gnu::always_inline]] static ints zero() noexcept { return {dwords(0)}; }
            [[gnu::always_inline]] static bytes broadcast_bytes(std::int8_t const* x) noexcept
            {
                return {dwords(*reinterpret_cast<any_int const*>(x))};
            }
            template <unsigned N>
            [[gnu::always_inline]] static ints plus_shifted(ints sum, ints a) noexcept
            {
                return {sum.v + (a.v >> static_cast<int>(N))};
            }
            template <unsigned N>
            [[gnu::always_inline]] static ints plus_left(ints sum, ints a) noexcept
            {
                return {sum.v + (a.v << static_cast<int>(N))};
            }
            [[gnu::always_inline]] static floats to_float(ints a) noexcept { return xsimd::to_float(a.v); }

            template <class T> // float, half, bfloat16, uint8
            [[gnu::always_inline]] static floats load(T const* from) noexcept
            {
                if constexpr (requires { floats::load(from); })
                    return floats::load(from);
                else
                {
                    alignas(64) float values[rows];
                    for (std::size_t i = 0; i < rows; ++i)
                        values[i] = jackplane::to_float(from[i]);
                    return xsimd::batch<float, X>::load_aligned(values);
                }
            }
            [[gnu::always_inline]] static floats fma(floats a, floats b, floats c) noexcept // one rounding or two
            {
                return xsimd::fma(a.v, b.v, c.v);
            }
            template <unsigned At, unsigned Width>
            [[gnu::always_inline]] static floats column(bytes a) noexcept
            {
                return xsimd::to_float((a.v >> static_cast<int>(At)) & dwords((1 << Width) - 1));
            }

            static constexpr bool looks_up = false, looks_up_fast = false;

            [[gnu::always_inline]] static ints magnitude(floats a) noexcept
            {
#if XSIMD_VERSION_MAJOR < 11
                dwords const bits = xsimd::bitwise_cast<dwords>(a.v);
#else
                dwords const bits = xsimd::bitwise_cast<std::int32_t>(a.v);
#endif
                return {bits & dwords(0x7fffffff)};
            }
            [[gnu::always_inline]] static ints max(ints a, ints b) noexcept { return {xsimd::max(a.v, b.v)}; }
            [[gnu::always_inline]] static std::int32_t largest(ints a) noexcept
            {
                alignas(64) std::int32_t lanes[rows];
                a.v.store_aligned(lanes);
                std::int32_t most = lanes[0];
                for (std::int32_t const lane : lanes)
                    most = lane > most ? lane : most;
                return most;
            }
            [[gnu::always_inline]] static std::int32_t total(ints a) noexcept
            {
                alignas(64) std::int32_t lanes[rows];
                a.v.store_aligned(lanes);
                std::int32_t sum = 0;
                for (std::int32_t const lane : lanes)
                    sum += lane;
                return sum;
            }
            [[gnu::always_inline]] static ints round(floats a) noexcept { return {xsimd::nearbyint_as_int(a.v)}; }
            [[gnu::always_inline]] static ints minus(ints a, ints b) noexcept { return {a.v - b.v}; }
            [[gnu::always_inline]] static ints low_byte(ints a) noexcept { return {(a.v << 24) >> 24}; }
            [[gnu::always_inline]] static void store_bytes(ints a, std::int8_t* to) noexcept
            {
                alignas(64) std::int32_t lanes[rows];
                a.v.store_aligned(lanes);
                for (std::size_t i = 0; i < rows; ++i)
                    to[i] = static_cast<std::int8_t>(lanes[i]);
            }

        private:
            using dwords = xsimd::batch<std::int32_t, X>;
            using any_int [[gnu::may_alias, gnu::aligned(1)]] = std::int32_t;
            template <unsigned M>
            static constexpr auto every_byte = static_cast<std::int32_t>(0x01010101u * M);
        };
    }
}
