// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../kernel/vectors.hpp"

#if JACKPLANE_HAS_avx2
#include <immintrin.h>

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace kernel
    {
        template <>
        struct vectors<avx2> // half a step: 8 rows
        {
            static constexpr std::size_t rows = 8;
            static constexpr unsigned registers = 16;
            static constexpr bool shifts_bytes = false; // but words of four

            struct bytes
            {
                __m256i v;
            };
            struct ints
            {
                __m256i v;
            };
            struct floats
            {
                static constexpr std::size_t size = rows;
                __m256 v;

                floats() = default;
                [[gnu::always_inline]] floats(__m256 x) noexcept : v(x) {}
                [[gnu::always_inline]] explicit floats(float x) noexcept : v(_mm256_set1_ps(x)) {}
                [[gnu::always_inline]] static floats load(float const* from) noexcept { return _mm256_loadu_ps(from); }
                [[gnu::always_inline]] void store(float* to) const noexcept { _mm256_storeu_ps(to, v); }
                [[gnu::always_inline]] friend floats operator+(floats a, floats b) noexcept { return a.v + b.v; }
                [[gnu::always_inline]] friend floats operator-(floats a, floats b) noexcept { return a.v - b.v; }
                [[gnu::always_inline]] friend floats operator*(floats a, floats b) noexcept { return a.v * b.v; }
            };

            [[gnu::always_inline]] static bytes load_bytes(std::byte const* from) noexcept
            {
                return {_mm256_loadu_si256(reinterpret_cast<__m256i const*>(from))};
            }
            [[gnu::always_inline]] static void store(bytes a, std::byte* to) noexcept
            {
                _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), a.v);
            }
            template <unsigned M>
            [[gnu::always_inline]] static bytes keep(bytes a) noexcept
            {
                return {_mm256_and_si256(a.v, _mm256_set1_epi8(static_cast<char>(M)))};
            }
            template <unsigned N>
            [[gnu::always_inline]] static void exchange(bytes& a, bytes& b) noexcept
            {
                __m256i const lower = _mm256_set1_epi8(static_cast<char>(0xff ^ upper_of_pairs<N>));
                __m256i const differ = _mm256_and_si256(_mm256_xor_si256(a.v, right<N>(b).v), lower);
                a.v = _mm256_xor_si256(a.v, differ);
                b.v = _mm256_xor_si256(b.v, left<N>(bytes{differ}).v);
            }
            template <unsigned N>
            [[gnu::always_inline]] static bytes left(bytes a) noexcept
            {
                return {_mm256_slli_epi32(a.v, N)};
            }
            template <unsigned N>
            [[gnu::always_inline]] static bytes right(bytes a) noexcept
            {
                return {_mm256_srli_epi32(a.v, N)};
            }

            static constexpr unsigned in_place = 4; // maddubs saturates: 2 * 255 * 127 is beyond int16
            static constexpr bool narrow = true;    // a block: 8 steps of 2 * 15 * 128 stay below 2^15
            [[gnu::always_inline]] static ints dot(ints sum, bytes codes, bytes x) noexcept
            {
                sum.v = _mm256_add_epi16(sum.v, _mm256_maddubs_epi16(codes.v, x.v));
                asm("" : "+x"(sum.v)); // as it stands: g++ 12 would add in pairs and keep 64 products in memory
                return sum;
            }
            [[gnu::always_inline]] static ints widen(ints sum, ints pairs) noexcept
            {
                return {_mm256_add_epi32(sum.v, _mm256_madd_epi16(pairs.v, _mm256_set1_epi16(1)))};
            }
            [[gnu::always_inline]] static bytes make_bytes(std::uint8_t const* entries) noexcept
            {
                return {_mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<__m128i const*>(entries)))};
            }
            static constexpr bool looks_at_top_of_index = true; // and at the low four bits
            [[gnu::always_inline]] static bytes look_up_bytes(bytes entries, bytes index) noexcept
            {
                return {_mm256_shuffle_epi8(entries.v, index.v)};
            }
            [[gnu::always_inline]] static bytes plus_bytes(bytes a, bytes b) noexcept
            {
                return {_mm256_add_epi8(a.v, b.v)};
            }
            // Both products before both sums: on Zen 3 a tenth faster than in turns. Each asm keeps the compiler from
            // moving what it lists, or from adding in another order.
            [[gnu::always_inline]] static void dot_both(ints& a, ints& b, bytes of_a, bytes of_b, bytes x) noexcept
            {
                __m256i to_a = _mm256_maddubs_epi16(of_a.v, x.v), to_b = _mm256_maddubs_epi16(of_b.v, x.v);
                asm volatile("" : "+x"(to_a), "+x"(to_b));
                a.v = _mm256_add_epi16(a.v, to_a);
                b.v = _mm256_add_epi16(b.v, to_b);
                asm volatile("" : "+x"(a.v), "+x"(b.v));
            }
            template <short Times>
            [[gnu::always_inline]] static ints widen_times(ints sum, ints pairs) noexcept
            {
                sum.v = _mm256_add_epi32(sum.v, _mm256_madd_epi16(pairs.v, _mm256_set1_epi16(Times)));
                asm("" : "+x"(sum.v)); // as in dot. (In widen it costs single vectors 3 %.)
                return sum;
            }
            [[gnu::always_inline]] static ints zero() noexcept { return {_mm256_setzero_si256()}; }
            [[gnu::always_inline]] static bytes broadcast_bytes(std::int8_t const* x) noexcept
            {
                return {_mm256_set1_epi32(*reinterpret_cast<any_int const*>(x))};
            }
            template <unsigned N>
            [[gnu::always_inline]] static ints plus_shifted(ints sum, ints a) noexcept
            {
                return {_mm256_add_epi32(sum.v, N == 0 ? a.v : _mm256_srai_epi32(a.v, N))};
            }
            template <unsigned N>
            [[gnu::always_inline]] static ints plus_left(ints sum, ints a) noexcept
            {
                return {_mm256_add_epi32(sum.v, _mm256_slli_epi32(a.v, N))};
            }
            [[gnu::always_inline]] static floats to_float(ints a) noexcept { return _mm256_cvtepi32_ps(a.v); }

            [[gnu::always_inline]] static floats load(float const* from) noexcept { return floats::load(from); }
            [[gnu::always_inline]] static floats load(half const* from) noexcept
            {
                return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<__m128i const*>(from)));
            }
            [[gnu::always_inline]] static floats load(bfloat16 const* from) noexcept
            {
                __m128i const upper = _mm_loadu_si128(reinterpret_cast<__m128i const*>(from));
                return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(upper), 16));
            }
            [[gnu::always_inline]] static floats load(std::uint8_t const* from) noexcept
            {
                __m128i const small = _mm_loadl_epi64(reinterpret_cast<__m128i const*>(from));
                return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(small));
            }
            [[gnu::always_inline]] static floats fma(floats a, floats b, floats c) noexcept
            {
                return _mm256_fmadd_ps(a.v, b.v, c.v);
            }
            template <unsigned At, unsigned Width>
            [[gnu::always_inline]] static floats column(bytes a) noexcept
            {
                __m256i const down = At == 0 ? a.v : _mm256_srli_epi32(a.v, At);
                constexpr int mask = (1 << Width) - 1;
                return _mm256_cvtepi32_ps(At + Width == 32 ? down : _mm256_and_si256(down, _mm256_set1_epi32(mask)));
            }

            static constexpr bool looks_up = true, looks_up_fast = false;
            struct table
            {
                __m256 low, high; // entries 0 .. 7, 8 .. 15
            };
            [[gnu::always_inline]] static table make_table(float const* values) noexcept
            {
                return {_mm256_loadu_ps(values), _mm256_loadu_ps(values + 8)};
            }
            template <unsigned At>
            [[gnu::always_inline]] static floats look_up(table t, bytes a) noexcept
            {
                __m256i const index = At == 0 ? a.v : _mm256_srli_epi32(a.v, At); // permutes look at 3 bits
                floats const low = _mm256_permutevar8x32_ps(t.low, index);
                if constexpr (At > 28) // there is no bit 3
                    return low;
                else // blends look at the sign
                    return _mm256_blendv_ps(low.v, _mm256_permutevar8x32_ps(t.high, index),
                                            _mm256_castsi256_ps(_mm256_slli_epi32(a.v, 28 - At)));
            }
            [[gnu::always_inline]] static bytes in_turn(bytes a, bytes b) noexcept
            {
                return {_mm256_blend_epi32(a.v, b.v, 0xf0)};
            }
            [[gnu::always_inline]] static bytes right_by(bytes a, std::uint32_t const* by) noexcept
            {
                return {_mm256_srlv_epi32(a.v, _mm256_loadu_si256(reinterpret_cast<__m256i const*>(by)))};
            }

            [[gnu::always_inline]] static ints magnitude(floats a) noexcept
            {
                return {_mm256_and_si256(_mm256_castps_si256(a.v), _mm256_set1_epi32(0x7fffffff))};
            }
            [[gnu::always_inline]] static ints max(ints a, ints b) noexcept { return {_mm256_max_epi32(a.v, b.v)}; }
            [[gnu::always_inline]] static std::int32_t largest(ints a) noexcept
            {
                __m128i v = _mm_max_epi32(_mm256_castsi256_si128(a.v), _mm256_extracti128_si256(a.v, 1));
                v = _mm_max_epi32(v, _mm_unpackhi_epi64(v, v));
                return _mm_cvtsi128_si32(_mm_max_epi32(v, _mm_shuffle_epi32(v, 1)));
            }
            [[gnu::always_inline]] static std::int32_t total(ints a) noexcept
            {
                __m128i v = _mm_add_epi32(_mm256_castsi256_si128(a.v), _mm256_extracti128_si256(a.v, 1));
                v = _mm_add_epi32(v, _mm_unpackhi_epi64(v, v));
                return _mm_cvtsi128_si32(_mm_add_epi32(v, _mm_shuffle_epi32(v, 1)));
            }
            [[gnu::always_inline]] static ints round(floats a) noexcept // whatever the thread's rounding mode
            {
                return {_mm256_cvttps_epi32(_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC))};
            }
            [[gnu::always_inline]] static ints minus(ints a, ints b) noexcept { return {_mm256_sub_epi32(a.v, b.v)}; }
            [[gnu::always_inline]] static ints low_byte(ints a) noexcept
            {
                return {_mm256_srai_epi32(_mm256_slli_epi32(a.v, 24), 24)};
            }
            [[gnu::always_inline]] static void store_bytes(ints a, std::int8_t* to) noexcept
            {
                __m128i const words = _mm_packs_epi32(_mm256_castsi256_si128(a.v), _mm256_extracti128_si256(a.v, 1));
                _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packs_epi16(words, words));
            }

        private:
            using any_int [[gnu::may_alias, gnu::aligned(1)]] = std::int32_t;
        };

#if JACKPLANE_HAS_avx2_vnni
        template <>
        struct vectors<avx2_vnni> : vectors<avx2>
        {
            static constexpr unsigned in_place = 8;
            static constexpr bool narrow = false;
            [[gnu::always_inline]] static ints dot(ints sum, bytes codes, bytes x) noexcept
            {
                return {_mm256_dpbusd_avx_epi32(sum.v, codes.v, x.v)};
            }
        };
#endif
    }
}
#endif
