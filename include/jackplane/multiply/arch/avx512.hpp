// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "avx2.hpp"

#if JACKPLANE_HAS_avx512
#include <immintrin.h>

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace kernel
    {
        // Shifts and conversions are written with operators and zero-masks: g++ 12 warns inside its own header of the
        // plain intrinsics (an unused operand that nobody set).
        template <>
        struct vectors<avx512>
        {
            static constexpr std::size_t rows = 16;
            static constexpr unsigned registers = 32;
            static constexpr bool shifts_bytes = false; // but words of four

            struct bytes
            {
                __m512i v;
            };
            struct ints
            {
                __m512i v;
            };
            struct floats
            {
                static constexpr std::size_t size = rows;
                __m512 v;

                floats() = default;
                [[gnu::always_inline]] floats(__m512 x) noexcept : v(x) {}
                [[gnu::always_inline]] explicit floats(float x) noexcept : v(_mm512_set1_ps(x)) {}
                [[gnu::always_inline]] static floats load(float const* from) noexcept { return _mm512_loadu_ps(from); }
                [[gnu::always_inline]] void store(float* to) const noexcept { _mm512_storeu_ps(to, v); }
                [[gnu::always_inline]] friend floats operator+(floats a, floats b) noexcept { return a.v + b.v; }
                [[gnu::always_inline]] friend floats operator-(floats a, floats b) noexcept { return a.v - b.v; }
                [[gnu::always_inline]] friend floats operator*(floats a, floats b) noexcept { return a.v * b.v; }
            };

            [[gnu::always_inline]] static bytes load_bytes(std::byte const* from) noexcept
            {
                return {_mm512_loadu_si512(from)};
            }
            [[gnu::always_inline]] static void store(bytes a, std::byte* to) noexcept { _mm512_storeu_si512(to, a.v); }
            template <unsigned M>
            [[gnu::always_inline]] static bytes keep(bytes a) noexcept
            {
                return {_mm512_and_si512(a.v, _mm512_set1_epi8(static_cast<char>(M)))};
            }
            // Two shifts, and two choices that each overwrite what was shifted: a copy of the mask would cost as much.
            template <unsigned N>
            [[gnu::always_inline]] static void exchange(bytes& a, bytes& b) noexcept
            {
                constexpr int take_second = 0xd8, take_first = 0xe4; // truth tables: where the mask is 1; of x, y, mask
                __m512i const mask = _mm512_set1_epi8(static_cast<char>(upper_of_pairs<N>));
                __m512i const from_a = left<N>(a).v, from_b = right<N>(b).v;
                a.v = _mm512_ternarylogic_epi32(from_b, a.v, mask, take_second);
                b.v = _mm512_ternarylogic_epi32(from_a, b.v, mask, take_first);
            }
            template <unsigned N>
            [[gnu::always_inline]] static bytes left(bytes a) noexcept
            {
                return {reinterpret_cast<__m512i>(reinterpret_cast<lanes>(a.v) << N)};
            }
            template <unsigned N>
            [[gnu::always_inline]] static bytes right(bytes a) noexcept
            {
                return {down<N>(a.v)};
            }

            static constexpr unsigned in_place = 4;
            static constexpr bool narrow = true; // a block: 8 steps of 2 * 15 * 128 stay below 2^15
            [[gnu::always_inline]] static ints dot(ints sum, bytes codes, bytes x) noexcept
            {
                return {_mm512_add_epi16(sum.v, _mm512_maddubs_epi16(codes.v, x.v))};
            }
            [[gnu::always_inline]] static ints widen(ints sum, ints pairs) noexcept
            {
                return {_mm512_add_epi32(sum.v, _mm512_madd_epi16(pairs.v, _mm512_set1_epi16(1)))};
            }
            [[gnu::always_inline]] static bytes make_bytes(std::uint8_t const* entries) noexcept
            {
                return {_mm512_maskz_broadcast_i32x4(all, _mm_loadu_si128(reinterpret_cast<__m128i const*>(entries)))};
            }
            static constexpr bool looks_at_top_of_index = true; // and at the low four bits
            [[gnu::always_inline]] static bytes look_up_bytes(bytes entries, bytes index) noexcept
            {
                return {_mm512_shuffle_epi8(entries.v, index.v)};
            }
            [[gnu::always_inline]] static bytes plus_bytes(bytes a, bytes b) noexcept
            {
                return {_mm512_add_epi8(a.v, b.v)};
            }
            [[gnu::always_inline]] static ints zero() noexcept { return {_mm512_setzero_si512()}; }
            [[gnu::always_inline]] static bytes broadcast_bytes(std::int8_t const* x) noexcept
            {
                return {_mm512_set1_epi32(*reinterpret_cast<any_int const*>(x))};
            }
            template <unsigned N>
            [[gnu::always_inline]] static ints plus_shifted(ints sum, ints a) noexcept
            {
                return {_mm512_add_epi32(sum.v, reinterpret_cast<__m512i>(reinterpret_cast<signed_lanes>(a.v) >> N))};
            }
            template <unsigned N>
            [[gnu::always_inline]] static ints plus_left(ints sum, ints a) noexcept
            {
                return {_mm512_add_epi32(sum.v, left<N>(bytes{a.v}).v)};
            }
            [[gnu::always_inline]] static floats to_float(ints a) noexcept
            {
                return __builtin_convertvector(reinterpret_cast<signed_lanes>(a.v), __m512);
            }

            [[gnu::always_inline]] static floats load(float const* from) noexcept { return floats::load(from); }
            [[gnu::always_inline]] static floats load(half const* from) noexcept
            {
                return _mm512_maskz_cvtph_ps(all, _mm256_loadu_si256(reinterpret_cast<__m256i const*>(from)));
            }
            [[gnu::always_inline]] static floats load(bfloat16 const* from) noexcept
            {
                __m256i const upper = _mm256_loadu_si256(reinterpret_cast<__m256i const*>(from));
                return _mm512_castsi512_ps(left<16>(bytes{_mm512_maskz_cvtepu16_epi32(all, upper)}).v);
            }
            [[gnu::always_inline]] static floats load(std::uint8_t const* from) noexcept
            {
                __m128i const small = _mm_loadu_si128(reinterpret_cast<__m128i const*>(from));
                return to_float(ints{_mm512_maskz_cvtepu8_epi32(all, small)});
            }
            [[gnu::always_inline]] static floats fma(floats a, floats b, floats c) noexcept
            {
                return _mm512_fmadd_ps(a.v, b.v, c.v);
            }
            template <unsigned At, unsigned Width>
            [[gnu::always_inline]] static floats column(bytes a) noexcept
            {
                constexpr int mask = (1 << Width) - 1;
                __m512i const field = down<At>(a.v);
                return to_float(ints{At + Width == 32 ? field : _mm512_and_si512(field, _mm512_set1_epi32(mask))});
            }

            static constexpr bool looks_up = true, looks_up_fast = true;
            struct table
            {
                __m512 v;
            };
            [[gnu::always_inline]] static table make_table(float const* values) noexcept
            {
                return {_mm512_loadu_ps(values)};
            }
            template <unsigned At>
            [[gnu::always_inline]] static floats look_up(table t, bytes a) noexcept
            {
                return _mm512_maskz_permutexvar_ps(all, down<At>(a.v), t.v);
            }
            [[gnu::always_inline]] static bytes in_turn(bytes a, bytes b) noexcept
            {
                return {_mm512_mask_blend_epi32(0xf0f0, a.v, b.v)};
            }
            [[gnu::always_inline]] static bytes right_by(bytes a, std::uint32_t const* by) noexcept
            {
                __m512i const places = _mm512_loadu_si512(by);
                return {reinterpret_cast<__m512i>(reinterpret_cast<lanes>(a.v) >> reinterpret_cast<lanes>(places))};
            }

            [[gnu::always_inline]] static ints magnitude(floats a) noexcept
            {
                return {_mm512_and_si512(_mm512_castps_si512(a.v), _mm512_set1_epi32(0x7fffffff))};
            }
            [[gnu::always_inline]] static ints max(ints a, ints b) noexcept
            {
                return {_mm512_maskz_max_epi32(all, a.v, b.v)};
            }
            [[gnu::always_inline]] static std::int32_t largest(ints a) noexcept
            {
                return vectors<avx2>::largest({_mm256_max_epi32(_mm512_castsi512_si256(a.v), upper_half(a.v))});
            }
            [[gnu::always_inline]] static std::int32_t total(ints a) noexcept
            {
                return vectors<avx2>::total({_mm256_add_epi32(_mm512_castsi512_si256(a.v), upper_half(a.v))});
            }
            [[gnu::always_inline]] static ints round(floats a) noexcept
            {
                return {_mm512_maskz_cvt_roundps_epi32(all, a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
            }
            [[gnu::always_inline]] static ints minus(ints a, ints b) noexcept { return {_mm512_sub_epi32(a.v, b.v)}; }
            [[gnu::always_inline]] static ints low_byte(ints a) noexcept
            {
                return {reinterpret_cast<__m512i>(reinterpret_cast<signed_lanes>(left<24>(bytes{a.v}).v) >> 24)};
            }
            [[gnu::always_inline]] static void store_bytes(ints a, std::int8_t* to) noexcept
            {
                _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_maskz_cvtepi32_epi8(all, a.v));
            }

        protected:
            using any_int [[gnu::may_alias, gnu::aligned(1)]] = std::int32_t;
            typedef std::uint32_t lanes __attribute__((vector_size(64)));
            typedef std::int32_t signed_lanes __attribute__((vector_size(64)));
            static constexpr __mmask16 all = 0xffff;

            [[gnu::always_inline]] static __m256i upper_half(__m512i a) noexcept
            {
                return _mm512_maskz_extracti64x4_epi64(0xff, a, 1);
            }
            template <unsigned N>
            [[gnu::always_inline]] static __m512i down(__m512i a) noexcept
            {
                return reinterpret_cast<__m512i>(reinterpret_cast<lanes>(a) >> N);
            }
        };

#if JACKPLANE_HAS_avx512_vnni
        template <>
        struct vectors<avx512_vnni> : vectors<avx512>
        {
            static constexpr unsigned in_place = 8;
            static constexpr bool narrow = false;
            [[gnu::always_inline]] static ints dot(ints sum, bytes codes, bytes x) noexcept
            {
                return {_mm512_dpbusd_epi32(sum.v, codes.v, x.v)};
            }
        };
#endif
#if JACKPLANE_HAS_avx512_bf16
        template <>
        struct vectors<avx512_bf16> : vectors<avx512_vnni>
        {
            // bits [At, At + Kept) of every 16-bit word, as the bfloat16 2^Kept + value
            template <unsigned At, unsigned Kept>
            [[gnu::always_inline]] static bytes pair(bytes a) noexcept
            {
                constexpr unsigned to = 7 - Kept; // the fraction has 7 bits
                constexpr int mask = ((1 << Kept) - 1) << to, power = (127 + Kept) << 7, and_then_or = 0xea;
                bytes place = a;
                if constexpr (At > to)
                    place = right<At - to>(a);
                else if constexpr (At < to)
                    place = left<to - At>(a);
                return {_mm512_ternarylogic_epi32(place.v, _mm512_set1_epi16(mask), _mm512_set1_epi16(power),
                                                  and_then_or)};
            }
            [[gnu::always_inline]] static floats dot_pairs(floats sum, bytes pairs, std::uint32_t const* x) noexcept
            {
                __m512i const both = _mm512_set1_epi32(static_cast<std::int32_t>(*x));
                return _mm512_dpbf16_ps(sum.v, reinterpret_cast<__m512bh>(pairs.v), reinterpret_cast<__m512bh>(both));
            }
        };
#endif
    }
}
#endif
