// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstring>
#include "../../detach/csr.hpp"
#include "../arch/arch.hpp"

#if JACKPLANE_HAS_avx2
#include <immintrin.h>

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace kernel
    {
        // Rows of 0.5 % non-zeros are about 20 long and no two alike: a loop over each is mispredicted at its end, and
        // that takes longer than the products (Zen 5, 4096 x 4096, cold: 63 us). So products are made in strips that
        // know nothing of rows; a row then adds 32 lanes of its strip, those beyond its end masked, and only longer
        // rows branch (24 us). x is read by scalar loads into lanes: 0.65 cycles for each number, hardware gathers take
        // 1.03 at best. Strips of 1024: the same on Zen 5, 3 % slower on an Intel with two threads, cold.
        // Prefetching a strip ahead: nothing on a quiet Zen 5, a third of the time on the Intel.
        // Roundings: 1 of a product, 2 in its 32, 1 of the lane, 3 across lanes: (7 u + n 2^-53) sum |a x|.
        template <class Arch>
        struct sparse_strip
        {
            static constexpr std::size_t size = 512, together = 32; // products
            alignas(64) float product[size + together] = {};        // what lies behind the strip is masked, not used

            using aliasing_int [[gnu::may_alias]] = std::int32_t;

            [[gnu::always_inline]] static __m256 load(float const* v) noexcept { return _mm256_loadu_ps(v); }
            [[gnu::always_inline]] static __m256 load(half const* v) noexcept
            {
                return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<__m128i const*>(v)));
            }
            [[gnu::always_inline]] static __m256 load(bfloat16 const* v) noexcept
            {
                __m256i const bits = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<__m128i const*>(v)));
                return _mm256_castsi256_ps(_mm256_slli_epi32(bits, 16));
            }

            [[gnu::always_inline]] static __m128 four(aliasing_int const* x, std::size_t a, std::size_t b,
                                                      std::size_t c, std::size_t d) noexcept
            {
                __m128i lanes = _mm_cvtsi32_si128(x[a]); // the forms that take memory as an operand
                lanes = _mm_insert_epi32(lanes, x[b], 1);
                lanes = _mm_insert_epi32(lanes, x[c], 2);
                return _mm_castsi128_ps(_mm_insert_epi32(lanes, x[d], 3));
            }
            [[gnu::always_inline]] static __m128 look_up(aliasing_int const* x, std::uint16_t const* at) noexcept
            {
                std::uint64_t all; // one load and shifts: 0.60 cycles for each number instead of 0.74
                std::memcpy(&all, at, sizeof all);
                std::uint32_t const low = static_cast<std::uint32_t>(all), high = static_cast<std::uint32_t>(all >> 32);
                return four(x, low & 0xffffu, low >> 16, high & 0xffffu, high >> 16);
            }
            [[gnu::always_inline]] static __m128 look_up(aliasing_int const* x, std::uint32_t const* at) noexcept
            {
                return four(x, at[0], at[1], at[2], at[3]);
            }
            template <class T, class I>
            [[gnu::always_inline]] static void multiply(T const* values, I const* columns, float const* x,
                                                        float* to) noexcept
            {
                aliasing_int const* const bits = reinterpret_cast<aliasing_int const*>(x);
                __m256 const xs = _mm256_set_m128(look_up(bits, columns + 4), look_up(bits, columns));
                _mm256_store_ps(to, _mm256_mul_ps(load(values), xs));
            }

            template <class T> // through integers: there may be no array any more
            [[gnu::always_inline]] static void prefetch_strip_after(T const* p) noexcept
            {
                std::uintptr_t const at = reinterpret_cast<std::uintptr_t>(p) + size * sizeof(T);
                _mm_prefetch(reinterpret_cast<char const*>(at), _MM_HINT_T0);
            }

            // product[i] = values[i] x[columns[i]], i < n <= size
            template <class T, class I>
            [[gnu::always_inline]] void fill(T const* values, I const* columns, float const* x, std::size_t n) noexcept
            {
                float* to = product;
                for (; n >= 16; n -= 16, values += 16, columns += 16, to += 16)
                {
                    prefetch_strip_after(values);
                    prefetch_strip_after(columns);
                    multiply(values, columns, x, to);
                    multiply(values + 8, columns + 8, x, to + 8);
                }
                for (; n >= 8; n -= 8, values += 8, columns += 8, to += 8)
                    multiply(values, columns, x, to);
                if (n != 0)
                {
                    T last_values[8] = {};
                    I last_columns[8] = {};
                    std::memcpy(last_values, values, n * sizeof(T));
                    std::memcpy(last_columns, columns, n * sizeof(I));
                    multiply(last_values, last_columns, x, to);
                }
            }

            // Of the first n products from `at` on, at most 32, in lanes.
            [[gnu::always_inline]] __m256 sum(std::size_t at, std::size_t n) const noexcept
            {
                __m256i const count = _mm256_set1_epi32(static_cast<int>(n));
                __m256i const lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
                auto part = [&](int k) __attribute__((always_inline))
                {
                    __m256i const mask = _mm256_cmpgt_epi32(count, _mm256_add_epi32(lane, _mm256_set1_epi32(k)));
                    return _mm256_and_ps(_mm256_loadu_ps(product + at + k), _mm256_castsi256_ps(mask));
                };
                return _mm256_add_ps(_mm256_add_ps(part(0), part(8)), _mm256_add_ps(part(16), part(24)));
            }

            // Sums of longer rows go on in double, out of the way of the short ones (inlined: 5 % slower).
            struct long_sum
            {
                __m256d low = _mm256_setzero_pd(), high = _mm256_setzero_pd();

                [[gnu::noinline]] void add(sparse_strip const& from, std::size_t at, std::size_t n) noexcept
                {
                    for (std::size_t k = 0; k < n; k += together)
                    {
                        __m256 const part = from.sum(at + k, n - k);
                        low = _mm256_add_pd(low, _mm256_cvtps_pd(_mm256_castps256_ps128(part)));
                        high = _mm256_add_pd(high, _mm256_cvtps_pd(_mm256_extractf128_ps(part, 1)));
                    }
                }
                [[gnu::always_inline]] __m256 lanes() const noexcept
                {
                    return _mm256_set_m128(_mm256_cvtpd_ps(high), _mm256_cvtpd_ps(low));
                }
            };
            [[gnu::always_inline]] __m256 row(std::size_t at, std::size_t n) const noexcept
            {
                if (n <= together) [[likely]]
                    return sum(at, n);
                long_sum all;
                all.add(*this, at, n);
                return all.lanes();
            }

            // Four rows; NaN where one is not finite.
            [[gnu::always_inline]] static __m128 across(__m256 a, __m256 b, __m256 c, __m256 d) noexcept
            {
                __m256 const pairs = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
                __m128 const sum = _mm_add_ps(_mm256_castps256_ps128(pairs), _mm256_extractf128_ps(pairs, 1));
                return _mm_add_ps(sum, _mm_sub_ps(sum, sum));
            }
            [[gnu::always_inline]] static float across(__m256 a) noexcept
            {
                __m256 const none = _mm256_setzero_ps();
                return _mm_cvtss_f32(across(a, none, none, none));
            }
        };

        template <class Arch, scale_number T, column_number I>
        void add_rows_in_strips(csr_view<T, I> const& a, float const* x, float* y, std::size_t row,
                                std::size_t last) noexcept
        {
            using strip_type = sparse_strip<Arch>;
            constexpr std::size_t size = strip_type::size;
            strip_type strip;
            std::uint32_t const* const p = a.row_pointers;
            while (row < last)
            {
                std::size_t const begin = p[row], left = p[last] - begin, filled = left < size ? left : size;
                std::size_t const end = begin + filled;
                strip.fill(a.values + begin, a.columns + begin, x, filled);
                if (p[row + 1] > end) // a row of several strips
                {
                    typename strip_type::long_sum all;
                    all.add(strip, 0, size);
                    for (std::size_t i = end; i < p[row + 1]; i += size)
                    {
                        std::size_t const n = p[row + 1] - i < size ? p[row + 1] - i : size;
                        strip.fill(a.values + i, a.columns + i, x, n);
                        all.add(strip, 0, n);
                    }
                    y[row++] += strip_type::across(all.lanes());
                    continue;
                }
                for (; last - row >= 4 && p[row + 4] <= end; row += 4)
                {
                    __m256 const s0 = strip.row(p[row] - begin, p[row + 1] - p[row]);
                    __m256 const s1 = strip.row(p[row + 1] - begin, p[row + 2] - p[row + 1]);
                    __m256 const s2 = strip.row(p[row + 2] - begin, p[row + 3] - p[row + 2]);
                    __m256 const s3 = strip.row(p[row + 3] - begin, p[row + 4] - p[row + 3]);
                    _mm_storeu_ps(y + row, _mm_add_ps(_mm_loadu_ps(y + row), strip_type::across(s0, s1, s2, s3)));
                }
                for (; row < last && p[row + 1] <= end; ++row)
                    y[row] += strip_type::across(strip.row(p[row] - begin, p[row + 1] - p[row]));
            }
        }
    }
}
#endif
