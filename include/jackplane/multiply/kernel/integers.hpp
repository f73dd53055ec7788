// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../../pack/packed.hpp"
#include "dots.hpp"
#include "floats.hpp"
#include "limbs.hpp"
#include "matrices.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace kernel
    {
        // sum_l 256^l sums[l]
        template <unsigned Limbs>
        [[gnu::always_inline]] inline float sum_of_limbs(float const* sums) noexcept
        {
            float sum = sums[Limbs - 1];
            for (unsigned l = Limbs - 1; l-- > 0;)
                sum = sum * 256 + sums[l];
            return sum;
        }

        // sum_l 256^l (sum_l + offset x_sum_l): the dots of a vector's limbs, and what codes do not say. Flipped: dots
        // of flipped bytes (dots_are_flipped), each of which lacks 128 x_sum_l.
        template <class V, unsigned Limbs, bool Flipped = false>
        [[gnu::always_inline]] inline typename V::floats join_limbs(typename V::ints const* sum,
                                                                    typename V::floats offset,
                                                                    float const* x_sum) noexcept
        {
            using floats = typename V::floats;
            floats t;
            for_each<Limbs>([&](auto from_top) __attribute__((always_inline)) {
                constexpr std::size_t l = Limbs - 1 - from_top;
                floats dot = V::to_float(sum[l]);
                if constexpr (Flipped)
                    dot = V::fma(floats(128.0f), floats(x_sum[l]), dot); // exact, as all three are
                floats const part = V::fma(offset, floats(x_sum[l]), dot);
                t = from_top == 0 ? part : V::fma(t, floats(256.0f), part);
            });
            return t;
        }

        // The running sums of vectors that are multiplied together: [vectors][V::rows rows of a panel].
        template <class Acc, class V>
        using totals = typename Acc::template of<typename V::floats>[block::rows / V::rows];

        // What dots of codes of Bits bits stand for: step dot + base sum x. entries: a table as bytes.
        template <class V, unsigned Bits, class View>
        struct dot_values
        {
            using level = levels<V, typename View::codebook_type, Bits>;
            static constexpr unsigned extra = level::looked_up ? 0 : field_width(Bits) - Bits; // bits below the code's
            static constexpr bool flip = dots_are_flipped<V, Bits>;
            static constexpr unsigned share = multiplies_whole_bytes<V> ? level::share : 1;
            decltype(level::template bytes<share, flip, level::last_above>(View::book)) entries;
            float step, base;

            [[gnu::always_inline]] explicit dot_values(View const& a) noexcept
                : entries(level::template bytes<share, flip, level::last_above>(a.book)),
                  step(a.step / static_cast<float>(1u << extra)), base(a.base)
            {
                if constexpr (!level::exact)
                {
                    step = level::unit(a.book);
                    base = a.book.decode(0);
                }
            }
        };

        // total += A x / step of one panel and Vectors vectors. Aligned layout; groups of the weights that are
        // a multiple of those of x, or one a row.
        //     A x = sum over groups g of  scale_g s_g sum_l 256^l (step dot_l + (base - zero_g) sum q_l)
        // and an offset, which the scale does not multiply, times s_g sum_l 256^l sum q_l.
        // dot_l is exact: at most 128 columns, below 2^23; the zero is subtracted limb by limb, so that a group of
        // zeros gives exactly 0. The steps of a leveled codebook are no powers of two: base and zero in steps are
        // rounded, two eps more in the bound of multiply_exact. Nothing depends on the other vectors: a vector gives
        // the same bits alone and among others.
        template <accumulator Acc, class V, unsigned Bits, unsigned Limbs, std::size_t Vectors, bool Fetch,
                  code_layout L, codebook C, scale_number S, zero_number Z>
        [[gnu::always_inline]] inline void add_panel(packed_view<L, C, S, Z> const& a, std::size_t panel,
                                                     dot_values<V, Bits, packed_view<L, C, S, Z>> const& values,
                                                     limbs_view<Limbs> const& x, totals<Acc, V>* total) noexcept
        {
            using floats = typename V::floats;
            constexpr std::size_t sums = Limbs * Vectors, batches = block::rows / V::rows;
            constexpr bool fetches_apart = batches <= 2; // each batch for itself; four ask once for all, before
            float const per_step = 1 / values.step;
            std::size_t const per_group = x.group / block::cols, tail = a.blocks % per_group;
            std::size_t const ratio = a.groups == 1 ? x.groups : a.group / x.group;

            auto plane = planes_at<Bits>(a, panel * a.block_stride);
            group_constants now(a, panel * a.group_stride);
            std::int8_t const* q = x.q;
            float const *x_scale = x.scales, *x_sum = x.sums;
            auto const add = [&](auto blocks) __attribute__((always_inline))
            {
                if constexpr (Fetch && !fetches_apart)
                {
                    auto ahead = plane;
                    for (std::size_t b = 0; b < blocks; ++b, skip<L, Bits>(ahead, 1))
                        fetch_ahead<L, Bits>(ahead);
                }
                auto const add_dots = [&](std::size_t h, auto const& sum) __attribute__((always_inline))
                {
                    std::size_t const row = h * V::rows;
                    floats const scale = V::load(now.scale + row);
                    floats const offset = now.template offset<V>(values.base, row, per_step);
                    for_each<Vectors>([&](auto n) __attribute__((always_inline)) {
                        floats const t =
                            join_limbs<V, Limbs, dots_are_flipped<V, Bits>>(&sum[n * Limbs], offset, x_sum + n * Limbs);
                        now.template add<V>(total[n][h], row, scale, t * floats(x_scale[n]),
                                            x_scale[n] * sum_of_limbs<Limbs>(x_sum + n * Limbs) * per_step);
                    });
                };
                if constexpr (std::same_as<L, paired_bytes>)
                {
                    constexpr std::size_t together = sums <= 8 ? 2 : 1; // 16 sums at most stay in registers
                    for (std::size_t h = 0; h < batches; h += together)
                    {
                        auto const dots = dot_paired<V, sums, together>(plane[0] + h * V::rows * 4, q, blocks);
                        for_each<together>([&](auto i) __attribute__((always_inline)) { add_dots(h + i, dots[i]); });
                    }
                }
                else
                {
                    auto const add_batch = [&](auto h) __attribute__((always_inline))
                    {
                        auto rows = plane;
                        advance<L, Bits>(rows, h * V::rows * 4);
                        constexpr bool fetch = Fetch && fetches_apart;
                        add_dots(h, dot_group<V, L, Bits, sums, book_at<C, Bits>, fetch>(rows, q, blocks,
                                                                                         values.entries));
                    };
                    // x is loaded once for all, where what merges planes and narrow sums leave it registers: by trial
                    constexpr bool at_once = !V::narrow && (field_width(Bits) == 4 || L::widths[0] == 8);
                    if constexpr (at_once && requires { decltype(blocks)::value; })
                        for_each<batches>(add_batch);
                    else
                        for (std::size_t h = 0; h < batches; ++h)
                            add_batch(h);
                }
                skip<L, Bits>(plane, blocks);
                q += blocks * block::cols * sums;
                x_scale += Vectors;
                x_sum += sums;
            };
            auto const add_whole_groups = [&](auto blocks) __attribute__((always_inline))
            {
                for (std::size_t left = a.blocks / per_group, turn = ratio; left != 0; --left)
                {
                    add(blocks);
                    if (--turn == 0)
                    {
                        turn = ratio;
                        now.next();
                    }
                }
            };
            constexpr bool unrolls = V::registers >= 32 && Vectors == 1; // groups of 64: registers hold all pointers
            if constexpr (unrolls)
                if (per_group == 2)
                    add_whole_groups(std::integral_constant<std::size_t, 2>{});
            if (!unrolls || per_group != 2)
                add_whole_groups(per_group);
            if (tail != 0)
                add(tail);
        }

        // y[row] += step total of a panel, for the rows [first, last)
        template <class Acc, class V>
        [[gnu::always_inline]] inline void add_totals(totals<Acc, V> const& total, float step, std::size_t panel,
                                                      std::size_t first, std::size_t last, float* y) noexcept
        {
            alignas(64) float out[block::rows];
            for (std::size_t h = 0; h < block::rows / V::rows; ++h)
                (total[h].total() * typename V::floats(step)).store(out + h * V::rows);
            add_rows(out, panel, first, last, y);
        }

        // y[row] += for the rows [first, last), one vector.
        template <accumulator Acc, class V, unsigned Bits, unsigned Limbs, class View>
        [[gnu::noinline]] void multiply_limbs(View const& a, limbs_view<Limbs> const& x, float* y, std::size_t first,
                                              std::size_t last) noexcept
        {
            dot_values<V, Bits, View> const values(a);
            for (std::size_t panel = first / block::rows; panel * block::rows < last; ++panel)
            {
                totals<Acc, V> total;
                add_panel<Acc, V, Bits, Limbs, 1, true>(a, panel, values, x, &total);
                add_totals<Acc, V>(total, values.step, panel, first, last, y);
            }
        }
    }
}
