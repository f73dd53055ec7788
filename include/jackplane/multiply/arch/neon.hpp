// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../kernel/vectors.hpp"

#if JACKPLANE_HAS_neon
#include <arm_neon.h>

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace kernel
    {
        template <>
        struct vectors<neon> // a quarter of a step: 4 rows
        {
            static constexpr std::size_t rows = 4;
            static constexpr unsigned registers = 32;
            static constexpr bool shifts_bytes = true;

            struct bytes
            {
                uint8x16_t v;
            };
            struct ints
            {
                int32x4_t v;
            };
            struct floats
            {
                static constexpr std::size_t size = rows;
                float32x4_t v;

                floats() = default;
                [[gnu::always_inline]] floats(float32x4_t x) noexcept : v(x) {}
                [[gnu::always_inline]] explicit floats(float x) noexcept : v(vdupq_n_f32(x)) {}
                [[gnu::always_inline]] static floats load(float const* from) noexcept { return vld1q_f32(from); }
                [[gnu::always_inline]] void store(float* to) const noexcept { vst1q_f32(to, v); }
                [[gnu::always_inline]] friend floats operator+(floats a, floats b) noexcept { return a.v + b.v; }
                [[gnu::always_inline]] friend floats operator-(floats a, floats b) noexcept { return a.v - b.v; }
                [[gnu::always_inline]] friend floats operator*(floats a, floats b) noexcept { return a.v * b.v; }
            };

            [[gnu::always_inline]] static bytes load_bytes(std::byte const* from) noexcept
            {
                return {vld1q_u8(reinterpret_cast<std::uint8_t const*>(from))};
            }
            [[gnu::always_inline]] static void store(bytes a, std::byte* to) noexcept
            {
                vst1q_u8(reinterpret_cast<std::uint8_t*>(to), a.v);
            }
            template <unsigned M>
            [[gnu::always_inline]] static bytes keep(bytes a) noexcept
            {
                return {vandq_u8(a.v, vdupq_n_u8(M))};
            }
            template <unsigned N>
            [[gnu::always_inline]] static void exchange(bytes& a, bytes& b) noexcept
            {
                if constexpr (N == 4) // a shift that inserts
                {
                    uint8x16_t const first = a.v;
                    a.v = vsriq_n_u8(first, b.v, 4);
                    b.v = vsliq_n_u8(b.v, first, 4);
                    return;
                }
                uint8x16_t const upper = vdupq_n_u8(upper_of_pairs<N>), from_a = vshlq_n_u8(a.v, N);
                a.v = vbslq_u8(upper, a.v, vshrq_n_u8(b.v, N));
                b.v = vbslq_u8(upper, from_a, b.v);
            }
            template <unsigned N>
            [[gnu::always_inline]] static bytes left(bytes a) noexcept
            {
                return {vshlq_n_u8(a.v, N)};
            }
            template <unsigned N>
            [[gnu::always_inline]] static bytes right(bytes a) noexcept
            {
                return {vshrq_n_u8(a.v, N)};
            }

            // Signed bytes by signed bytes is all there is: codes stay below 128, and here below 16. (neon_dot flips
            // the top bit of wider ones.)
            static constexpr unsigned in_place = 4;
            static constexpr bool narrow = true; // a block: 8 steps of 2 * 15 * 128 stay below 2^15
            [[gnu::always_inline]] static ints dot(ints sum, bytes codes, bytes x) noexcept
            {
                int8x16_t const c = vreinterpretq_s8_u8(codes.v), s = vreinterpretq_s8_u8(x.v);
                int16x8_t const low = vmull_s8(vget_low_s8(c), vget_low_s8(s)), high = vmull_high_s8(c, s);
                int16x8_t const pairs = vpaddq_s16(low, high);
                return {vreinterpretq_s32_s16(vaddq_s16(vreinterpretq_s16_s32(sum.v), pairs))};
            }
            [[gnu::always_inline]] static ints widen(ints sum, ints pairs) noexcept
            {
                return {vpadalq_s16(sum.v, vreinterpretq_s16_s32(pairs.v))};
            }
            [[gnu::always_inline]] static bytes make_bytes(std::uint8_t const* entries) noexcept
            {
                return {vld1q_u8(entries)};
            }
            [[gnu::always_inline]] static bytes look_up_bytes(bytes entries, bytes index) noexcept
            {
                return {vqtbl1q_u8(entries.v, index.v)};
            }
            [[gnu::always_inline]] static bytes plus_bytes(bytes a, bytes b) noexcept
            {
                return {vaddq_u8(a.v, b.v)};
            }
            [[gnu::always_inline]] static ints zero() noexcept { return {vdupq_n_s32(0)}; }
            [[gnu::always_inline]] static bytes broadcast_bytes(std::int8_t const* x) noexcept
            {
                return {vreinterpretq_u8_s32(vdupq_n_s32(*reinterpret_cast<any_int const*>(x)))};
            }
            template <unsigned N>
            [[gnu::always_inline]] static ints plus_shifted(ints sum, ints a) noexcept
            {
                if constexpr (N == 0)
                    return {vaddq_s32(sum.v, a.v)};
                else
                    return {vsraq_n_s32(sum.v, a.v, N)};
            }
            template <unsigned N>
            [[gnu::always_inline]] static ints plus_left(ints sum, ints a) noexcept
            {
                return {vaddq_s32(sum.v, vshlq_n_s32(a.v, N))};
            }
            [[gnu::always_inline]] static floats to_float(ints a) noexcept { return vcvtq_f32_s32(a.v); }

            [[gnu::always_inline]] static floats load(float const* from) noexcept { return floats::load(from); }
            [[gnu::always_inline]] static floats load(half const* from) noexcept
            {
                return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(&from->bits)));
            }
            [[gnu::always_inline]] static floats load(bfloat16 const* from) noexcept
            {
                return vreinterpretq_f32_u32(vshlq_n_u32(vmovl_u16(vld1_u16(&from->bits)), 16));
            }
            [[gnu::always_inline]] static floats load(std::uint8_t const* from) noexcept
            {
                auto const four = static_cast<std::uint32_t>(*reinterpret_cast<any_int const*>(from));
                uint16x8_t const words = vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(four)));
                return vcvtq_f32_u32(vmovl_u16(vget_low_u16(words)));
            }
            [[gnu::always_inline]] static floats fma(floats a, floats b, floats c) noexcept
            {
                return vfmaq_f32(c.v, a.v, b.v);
            }
            template <unsigned At, unsigned Width>
            [[gnu::always_inline]] static floats column(bytes a) noexcept
            {
                constexpr unsigned mask = (1u << Width) - 1;
                return vcvtq_f32_u32(At + Width == 32 ? down<At>(a) : vandq_u32(down<At>(a), vdupq_n_u32(mask)));
            }

            static constexpr bool looks_up = true, looks_up_fast = false;
            struct table
            {
                uint8x16x4_t v;
            };
            [[gnu::always_inline]] static table make_table(float const* values) noexcept
            {
                return {{{vreinterpretq_u8_f32(vld1q_f32(values)), vreinterpretq_u8_f32(vld1q_f32(values + 4)),
                          vreinterpretq_u8_f32(vld1q_f32(values + 8)), vreinterpretq_u8_f32(vld1q_f32(values + 12))}}};
            }
            template <unsigned At>
            [[gnu::always_inline]] static floats look_up(table t, bytes a) noexcept
            {
                // entry i is the bytes 4 i .. 4 i + 3
                uint32x4_t const entry = vandq_u32(down<At>(a), vdupq_n_u32(15));
                uint32x4_t const at = vmlaq_u32(vdupq_n_u32(0x03020100), entry, vdupq_n_u32(0x04040404));
                return vreinterpretq_f32_u8(vqtbl4q_u8(t.v, vreinterpretq_u8_u32(at)));
            }
            [[gnu::always_inline]] static bytes right_by(bytes a, std::uint32_t const* by) noexcept
            {
                int32x4_t const left = vnegq_s32(vreinterpretq_s32_u32(vld1q_u32(by)));
                return {vreinterpretq_u8_u32(vshlq_u32(vreinterpretq_u32_u8(a.v), left))};
            }

            [[gnu::always_inline]] static ints magnitude(floats a) noexcept
            {
                return {vandq_s32(vreinterpretq_s32_f32(a.v), vdupq_n_s32(0x7fffffff))};
            }
            [[gnu::always_inline]] static ints max(ints a, ints b) noexcept { return {vmaxq_s32(a.v, b.v)}; }
            [[gnu::always_inline]] static std::int32_t largest(ints a) noexcept { return vmaxvq_s32(a.v); }
            [[gnu::always_inline]] static std::int32_t total(ints a) noexcept { return vaddvq_s32(a.v); }
            [[gnu::always_inline]] static ints round(floats a) noexcept { return {vcvtnq_s32_f32(a.v)}; }
            [[gnu::always_inline]] static ints minus(ints a, ints b) noexcept { return {vsubq_s32(a.v, b.v)}; }
            [[gnu::always_inline]] static ints low_byte(ints a) noexcept
            {
                return {vshrq_n_s32(vshlq_n_s32(a.v, 24), 24)};
            }
            [[gnu::always_inline]] static void store_bytes(ints a, std::int8_t* to) noexcept
            {
                int16x4_t const words = vmovn_s32(a.v);
                int8x8_t const small = vmovn_s16(vcombine_s16(words, words));
                *reinterpret_cast<any_int*>(to) = vget_lane_s32(vreinterpret_s32_s8(small), 0);
            }

        private:
            using any_int [[gnu::may_alias, gnu::aligned(1)]] = std::int32_t;
            template <unsigned At>
            [[gnu::always_inline]] static uint32x4_t down(bytes a) noexcept
            {
                if constexpr (At == 0)
                    return vreinterpretq_u32_u8(a.v);
                else
                    return vshrq_n_u32(vreinterpretq_u32_u8(a.v), At);
            }
        };

#if JACKPLANE_HAS_neon_dot
        template <>
        struct vectors<neon_dot> : vectors<neon>
        {
            static constexpr bool narrow = false;
            static constexpr bool flips_bytes = true;
            template <unsigned M>
            [[gnu::always_inline]] static bytes flip(bytes a) noexcept
            {
                return {veorq_u8(a.v, vdupq_n_u8(M))};
            }
            [[gnu::always_inline]] static ints dot(ints sum, bytes codes, bytes x) noexcept
            {
                return {vdotq_s32(sum.v, vreinterpretq_s8_u8(codes.v), vreinterpretq_s8_u8(x.v))};
            }
            // x: the Lane-th four of 16 columns, which are loaded once for four dots
            template <unsigned Lane>
            [[gnu::always_inline]] static ints dot_lane(ints sum, bytes codes, std::int8_t const* x) noexcept
            {
                return {vdotq_laneq_s32(sum.v, vreinterpretq_s8_u8(codes.v), vld1q_s8(x), Lane)};
            }
        };
#endif

#if JACKPLANE_HAS_neon_i8mm
        template <>
        struct vectors<neon_i8mm> : vectors<neon_dot>
        {
            static constexpr unsigned in_place = 8; // unsigned bytes by signed ones
            static constexpr bool flips_bytes = false;
            [[gnu::always_inline]] static ints dot(ints sum, bytes codes, bytes x) noexcept
            {
                return {vusdotq_s32(sum.v, codes.v, vreinterpretq_s8_u8(x.v))};
            }
            template <unsigned Lane>
            [[gnu::always_inline]] static ints dot_lane(ints sum, bytes codes, std::int8_t const* x) noexcept
            {
                return {vusdotq_laneq_s32(sum.v, codes.v, vld1q_s8(x), Lane)};
            }

            [[gnu::always_inline]] static void pair_steps(bytes& a, bytes& b) noexcept
            {
                uint32x4_t const s = vreinterpretq_u32_u8(a.v), next = vreinterpretq_u32_u8(b.v);
                a.v = vreinterpretq_u8_u32(vzip1q_u32(s, next));
                b.v = vreinterpretq_u8_u32(vzip2q_u32(s, next));
            }
            [[gnu::always_inline]] static ints dot_matrices(ints sum, bytes codes, bytes x) noexcept
            {
                return {vusmmlaq_s32(sum.v, codes.v, vreinterpretq_s8_u8(x.v))};
            }
            [[gnu::always_inline]] static void part_vectors(ints& a, ints& b) noexcept
            {
                int32x4_t const first = a.v, second = b.v;
                a.v = vuzp1q_s32(first, second);
                b.v = vuzp2q_s32(first, second);
            }
        };
#endif
    }
}
#endif
