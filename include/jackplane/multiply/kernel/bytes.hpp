// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "integers.hpp"

// Stretches of a panel where x is loaded once for both halves of it (V::dot_both). They are decoded to bytes, not to
// fields: products and sums keep all ports of Zen 3 busy, and masks and shifts between them took 8 % of the time.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace kernel
    {
        template <class V>
        inline constexpr bool shares_x = requires { V::dot_both; } && V::narrow && block::rows == 2 * V::rows;

        // How codes become bytes: as one, or as two, the first of which counts `times` as much and the second has four
        // bits. A sum of 16 bits has room for 2^(7 - bits) steps of two products each: of 6 bits two steps,
        // 2 * 2 * 63 * 128.
        struct byte_form
        {
            std::size_t pieces, room; // room: of the first
            short times = 1;
        };
        // Codes of 8 bits are two bytes, four bits in each; those of fewer than 4 bits count as codes of 4. Levels have
        // five bits; from codes of 5 bits on what the first four add to them, and the others.
        template <codebook C>
        constexpr byte_form byte_form_of(unsigned bits) noexcept
        {
            if constexpr (leveled_codebook<C>)
                if (bits > 2)
                    return bits <= 4 ? byte_form{1, 4} : byte_form{2, 4, static_cast<short>(C::share(bits))};
            return bits == 8 ? byte_form{2, 8, 16} : byte_form{1, bits < 4 ? 8u : 1u << (7 - bits)};
        }

        // sum[half][k] = the dots of `blocks` blocks (a number, or a constant of the code) of codes [blocks, bytes of a
        // code, steps, 16 rows, 4 columns] and of q + 4 k [steps, stride bytes], 4 columns of each step.
        template <class V, byte_form Form, std::size_t Sums>
        [[gnu::always_inline]] inline auto dot_bytes(std::byte const* codes, std::int8_t const* q, std::size_t stride,
                                                     auto blocks) noexcept
        {
            dots<V, 2, Sums> sum;
            set_zero<V>(sum);
            auto const add_next = [&]() __attribute__((always_inline))
            {
                std::int8_t const* from;
                constexpr std::size_t of_first = block::steps / Form.room; // parts
                for_each<of_first + Form.pieces - 1>([&](auto part) __attribute__((always_inline)) {
                    constexpr std::size_t piece = part / of_first, room = piece == 0 ? Form.room : block::steps;
                    if constexpr (part % of_first == 0)
                        from = q;
                    if constexpr (piece != 0)
                        asm("" : "+r"(from)); // x is read again: kept, it would take 32 registers
                    dots<V, 2, Sums> pairs;
                    set_zero<V>(pairs);
                    auto const widen = [&](std::size_t k) __attribute__((always_inline))
                    {
                        auto& to = sum[k / Sums][k % Sums];
                        to = V::template widen_times<piece == 0 ? Form.times : 1>(to, pairs[k / Sums][k % Sums]);
                    };
                    for_each<room>([&](auto i) __attribute__((always_inline)) {
                        constexpr std::size_t nth = piece == 0 ? part * room + i : block::steps + i;
                        auto const first = V::load_bytes(codes + nth * block::lanes);
                        auto const second = V::load_bytes(codes + nth * block::lanes + block::lanes / 2);
                        for_each<Sums>([&](auto k) __attribute__((always_inline)) {
                            auto const x = V::broadcast_bytes(from + k * 4);
                            V::dot_both(pairs[0][k], pairs[1][k], first, second, x);
                            if constexpr (room == 1)
                                widen(k), widen(k + Sums);
                        });
                        from += stride;
                    });
                    if constexpr (room > 1)
                        for_each<2 * Sums>(widen);
                });
                codes += Form.pieces * block::codes;
                q = from;
            };
            if constexpr (requires { decltype(blocks)::value; })
                for_each<decltype(blocks)::value>([&](auto) __attribute__((always_inline)) { add_next(); });
            else
                for (; blocks != 0; --blocks)
                    add_next();
            return sum;
        }

        // The codes of `count` blocks, as dot_bytes takes them.
        template <class V, unsigned Bits, class View>
        [[gnu::noinline]] void decode_bytes(View const& a, std::size_t nth, std::size_t count, std::byte* to) noexcept
        {
            using L = typename View::layout;
            using C = typename View::codebook_type;
            using level = levels<V, C, Bits>;
            [[maybe_unused]] constexpr unsigned width = field_width(Bits);
            [[maybe_unused]] auto const entries = level::template bytes<1>(a.book);
            for (std::size_t b = 0; b < count; ++b, to += byte_form_of<C>(Bits).pieces * block::codes)
            {
                auto plane = planes_at<Bits>(a, nth + b);
                fetch_ahead<L, Bits>(plane);
                for (std::size_t h = 0; h < block::rows; h += V::rows, advance<L, Bits>(plane, V::rows * 4))
                {
                    // the Kept bits that end Above bits below the top of fields of Width bits; of four, with LookUp,
                    // the level
                    auto const put = [&]<unsigned Width, unsigned Kept, unsigned Above, bool LookUp = false>(
                                         auto const& f, std::byte* at) __attribute__((always_inline))
                    {
                        for_each_step<Width>(
                            f, [&](auto s, auto code, auto shift) __attribute__((always_inline)) {
                                constexpr unsigned low = shift + Width - Above - Kept;
                                if constexpr (LookUp)
                                    code = levels_of_fields<V, low>(entries, code);
                                else
                                {
                                    if constexpr (low != 0)
                                        code = V::template right<low>(code);
                                    code = V::template keep<(1u << Kept) - 1>(code);
                                }
                                V::store(code, at + s * block::lanes + h * 4);
                            });
                    };
                    constexpr bool look_up = level::looked_up;
                    if constexpr (byte_form_of<C>(Bits).pieces == 1)
                        put.template operator()<width, look_up ? 4 : Bits, 0, look_up>(fields<V, L, Bits, width>(plane),
                                                                                       to);
                    else if constexpr (L::widths[0] <= 4) // not merged to bytes, only to be parted
                    {
                        put.template operator()<4, 4, 0, look_up>(fields<V, L, 4, 4>(plane), to);
                        put.template operator()<4, 4, 0>(fields<V, L, Bits, 4, 4>(plane), to + block::codes);
                    }
                    else
                    {
                        put.template operator()<8, 4, 0, look_up>(fields<V, L, 8, 8>(plane), to);
                        put.template operator()<8, 4, 4>(fields<V, L, 8, 8>(plane), to + block::codes);
                    }
                }
            }
        }

        // What all vectors need of a stretch: its codes, and the constants of its groups as floats.
        struct byte_stretch_memory
        {
            static constexpr std::size_t room = 1024, most_groups = room / block::cols;
            alignas(64) std::byte codes[room * block::rows];    // 16 KB: in L1
            alignas(64) float scale[most_groups * block::rows]; // [groups, 16]
            alignas(64) float other[most_groups * block::rows]; // [groups, 16]: (base - zero) / step, or offset_zero's
            float base, per_step;                               // base / step, where zeros are offsets; 1 / step
            std::size_t blocks, groups, group;                  // group: columns
        };

        // total += one stretch of a panel times the vectors of a tile, Side at a time (registers hold the sums of both
        // halves): the roundings of add_panel.
        template <accumulator Acc, class V, byte_form Form, bool Offsets, std::size_t Side, unsigned Limbs>
        [[gnu::noinline]] void add_bytes(byte_stretch_memory const& stretch, limbs_view<Limbs> const& x,
                                         std::size_t vectors, totals<Acc, V>* total) noexcept
        {
            using floats = typename V::floats;
            constexpr std::size_t sums = Side * Limbs;
            std::size_t const stride = vectors * Limbs * 4;
            std::byte const* codes = stretch.codes;
            float const *scale = stretch.scale, *other = stretch.other, *x_scale = x.scales, *x_sum = x.sums;
            std::int8_t const* q = x.q;
            std::size_t const ratio = stretch.groups == 1 ? x.groups : stretch.group / x.group; // groups of x a scale
            std::size_t turn = ratio;
            auto const add = [&](auto blocks) __attribute__((always_inline))
            {
                for (std::size_t v = 0; v < vectors; v += Side, x_scale += Side, x_sum += sums)
                {
                    auto const sum = dot_bytes<V, Form, sums>(codes, q + v * Limbs * 4, stride, blocks);
                    for_each<2 * Side>([&](auto i) __attribute__((always_inline)) {
                        constexpr std::size_t n = i / 2, h = i % 2;
                        floats const scales = V::load(scale + h * V::rows), more = V::load(other + h * V::rows);
                        floats const offset = Offsets ? floats(stretch.base) : more;
                        floats const t = join_limbs<V, Limbs>(&sum[h][n * Limbs], offset, x_sum + n * Limbs);
                        floats const scaled = t * floats(x_scale[n]);
                        if constexpr (Offsets)
                            add_scaled<V>(total[v + n][h], scales, scaled, more,
                                          x_scale[n] * sum_of_limbs<Limbs>(x_sum + n * Limbs) * stretch.per_step);
                        else
                            total[v + n][h].add(scales, scaled);
                    });
                }
                codes += blocks * Form.pieces * block::codes;
                q += blocks * block::steps * stride;
                if (--turn == 0)
                {
                    turn = ratio;
                    scale += block::rows;
                    other += block::rows;
                }
            };
            std::size_t const per_group = x.group / block::cols, tail = stretch.blocks % per_group;
            std::size_t left = stretch.blocks / per_group;
            // groups of 64: 3 % faster; all widths take twice as long to compile
            if constexpr (Form.pieces == 1 && Form.room == 8)
                if (per_group == 2)
                    for (; left != 0; --left)
                        add(std::integral_constant<std::size_t, 2>{});
            for (; left != 0; --left)
                add(per_group);
            if (tail != 0)
                add(tail);
        }

        // A stretch and how it is multiplied, as multiply_tiles wants it.
        template <class V, class View>
        struct byte_stretch;
        template <class V, code_layout L, codebook C, scale_number S, zero_number Z>
        struct byte_stretch<V, packed_view<L, C, S, Z>>
        {
            using View = packed_view<L, C, S, Z>;
            byte_stretch_memory memory;

            [[gnu::always_inline]] explicit byte_stretch(View const& a) noexcept
            {
                memory.per_step = 1 / a.step;
                memory.base = a.base * memory.per_step;
                memory.group = a.group;
            }
            [[gnu::always_inline]] static std::size_t most_cols(View const& a) noexcept
            {
                return byte_stretch_memory::room / byte_form_of<C>(a.bits).pieces;
            }
            [[gnu::always_inline]] static float step(View const& a) noexcept { return a.step; }

            // the columns [begin, end) of a panel, in those groups
            [[gnu::always_inline]] void decode(View const& a, std::size_t panel, std::size_t begin, std::size_t end,
                                               std::size_t first_group, std::size_t groups) noexcept
            {
                memory.blocks = (end - begin) / block::cols;
                memory.groups = groups;
                at_width(
                    a, [&](auto bits) __attribute__((always_inline)) {
                        decode_bytes<V, bits>(a, panel * a.block_stride + begin / block::cols, memory.blocks,
                                              memory.codes);
                    });
                group_constants now(a, panel * a.group_stride + first_group);
                for (std::size_t i = 0; i < groups * block::rows; i += block::rows, now.next())
                    for (std::size_t row = 0; row < block::rows; row += V::rows)
                    {
                        V::load(now.scale + row).store(memory.scale + i + row);
                        if constexpr (zero_as_offset<Z>)
                            V::load(&now.zero[row].value).store(memory.other + i + row);
                        else
                            now.template offset<V>(a.base, row, memory.per_step).store(memory.other + i + row);
                    }
            }
            template <accumulator Acc, std::size_t Vectors, unsigned Limbs>
            [[gnu::always_inline]] void add(View const& a, limbs_view<Limbs> const& x, totals<Acc, V>* total) noexcept
            {
                constexpr std::size_t most = Limbs < 3 ? 4 / Limbs : 1;
                at_width(
                    a, [&](auto bits) __attribute__((always_inline)) {
                        add_bytes<Acc, V, byte_form_of<C>(bits), zero_as_offset<Z>, Vectors < most ? Vectors : most>(
                            memory, x, Vectors, total);
                    });
            }
        };
    }
}
