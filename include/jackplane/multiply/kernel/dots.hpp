// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <bit>
#include <tuple>
#include "../../core/concepts.hpp"
#include "levels.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace kernel
    {
        // Where a field of Width bits, `shift` bits up in its byte, is multiplied. A machine that multiplies whole
        // bytes takes it where it lies: a sum for each place, at most eight in all, divided in the end. `reach`: fields
        // stay where they lie below that bit; higher ones are moved down; wider ones are multiplied in pieces.
        template <class V, unsigned Width, std::size_t Sums, bool LookedUp>
        struct places
        {
            static constexpr unsigned reach = []
            {
                bool const whole = LookedUp || (Width == 8 && flips<V>); // an index must lie at the bottom
                unsigned bits = whole ? Width : V::in_place;
                while (bits > Width && bits / Width * Sums > 8)
                    bits /= 2;
                return bits;
            }();
            static constexpr bool in_pieces = Width > reach;
            static constexpr unsigned kept = in_pieces ? reach : Width; // bits of one piece
            static constexpr unsigned count = in_pieces ? Width / reach : reach / Width;
            // Sums of one place alternate between two where there are registers: a dot waits four cycles for the last.
            static constexpr unsigned chains = count == 1 && Sums <= 4 && !V::narrow ? 2 : count;

            static constexpr unsigned down(unsigned shift) noexcept { return shift / reach * reach; }
            static constexpr unsigned mask(unsigned shift) noexcept
            {
                return ((1u << kept) - 1) << (shift - down(shift));
            }
            static constexpr unsigned chain(std::size_t step, unsigned shift) noexcept
            {
                return count == 1  ? static_cast<unsigned>(step) % chains
                       : in_pieces ? shift / reach
                                   : shift % reach / Width;
            }
            // the sum of chain j stands for that power of two, after the largest is divided out
            static constexpr unsigned power(unsigned j) noexcept { return count == 1 ? 0 : j * kept; }
        };

        // One limb bears levels of 8 bits; more limbs of x are worth exact weights. arch: a tag, or what was chosen
        // when the program ran.
        template <class View, unsigned Limbs, class Arch>
        constexpr bool multiplies_as_integers(Arch const& arch) noexcept
        {
            using C = typename View::codebook_type;
            if (!View::layout::aligned() || row_codebook<C>)
                return false;
            if (leveled_codebook<C>) // a sum of 16 bits has no room for levels of bytes that come whole
                return arch.multiplies_bytes && (View::layout::widths[0] <= 4 || arch.looks_up_bytes);
            return linear_codebook<C> ? arch.multiplies_bytes
                                      : Limbs == 1 && arch.looks_up_bytes && View::layout::bits == 4;
        }

        template <class V, std::size_t Sums, unsigned Chains>
        using dots = std::array<std::array<typename V::ints, Chains>, Sums>;

        template <class V, class Dots>
        [[gnu::always_inline]] inline void set_zero(Dots& sum) noexcept
        {
            for_each<std::tuple_size_v<Dots>>([&](auto k) __attribute__((always_inline)) {
                for_each<std::tuple_size_v<typename Dots::value_type>>([&](auto j) __attribute__((always_inline)) {
                    sum[k][j] = V::zero();
                });
            });
        }

        // sum += codes of one block times the q of all vectors and limbs. LookedUp codes of 4 bits are below 32 where
        // dots are narrow: their sums have room for half a block. Unmasked: those of fields_of_3_bits.
        template <class V, unsigned Width, std::size_t Sums, bool LookedUp, bool Unmasked, class Fields, class Levels,
                  class Dots>
        [[gnu::always_inline]] inline void add_block(Fields const& codes, Levels const& levels, std::int8_t const* q,
                                                     Dots& sum) noexcept
        {
            using place = places<V, Width, Sums, LookedUp>;
            Dots pairs; // of a machine whose dots are narrow
            if constexpr (V::narrow)
                set_zero<V>(pairs);
            auto const widen = [&]() __attribute__((always_inline))
            {
                for_each<Sums * place::chains>([&](auto k) __attribute__((always_inline)) {
                    auto& to = sum[k / place::chains][k % place::chains];
                    to = V::widen(to, pairs[k / place::chains][k % place::chains]);
                });
            };
            for_each_step<Width>(
                codes, [&](auto s, auto const& field, auto shift) __attribute__((always_inline)) {
                    for_each<place::in_pieces ? place::count : 1>([&](auto piece) __attribute__((always_inline)) {
                        constexpr unsigned at = shift + piece * place::reach;
                        auto code = field;
                        if constexpr (place::down(at) != 0)
                            code = V::template right<place::down(at)>(code);
                        // a field at the top of a byte that is shifted by itself stands alone at the bottom
                        constexpr bool clear =
                            V::shifts_bytes && at != 0 && place::down(at) == at && at + place::kept == 8;
                        if constexpr (place::mask(at) != 0xff && !clear && !Unmasked)
                            code = V::template keep<place::mask(at)>(code);
                        if constexpr (LookedUp && Width == 8)
                            code = levels_of_bytes<V>(levels, code);
                        else if constexpr (LookedUp)
                            code = V::look_up_bytes(levels, code);
                        for_each<Sums>([&](auto k) __attribute__((always_inline)) {
                            constexpr std::size_t nth = s * Sums + k; // four columns of x
                            auto& to = (V::narrow ? pairs : sum)[k][place::chain(s, at)];
                            if constexpr (requires { V::template dot_lane<0>(to, code, q); })
                                to = V::template dot_lane<nth % 4>(to, code, q + nth / 4 * 16);
                            else
                                to = V::dot(to, code, V::broadcast_bytes(q + nth * 4));
                        });
                    });
                    if constexpr (V::narrow && LookedUp && field_of(Width, s).vector + 1 == Width / 2 &&
                                  shift + Width == 8)
                    {
                        widen();
                        set_zero<V>(pairs);
                    }
                });
            if constexpr (V::narrow)
                widen();
        }

        // The chains of one sum, together: sum_j chain_j / 2^(power of the last - power_j) of pieces, chain_j /
        // 2^power_j of fields that lay 2^power_j up; exact.
        template <class V, unsigned Width, std::size_t Sums, bool LookedUp, class Chains>
        [[gnu::always_inline]] inline auto together(Chains const& chain) noexcept
        {
            using place = places<V, Width, Sums, LookedUp>;
            auto sum = chain[0];
            for_each<place::chains - 1>([&](auto j) __attribute__((always_inline)) {
                if constexpr (place::in_pieces)
                    sum = V::template plus_left<place::power(j + 1)>(sum, chain[j + 1]);
                else
                    sum = V::template plus_shifted<place::power(j + 1)>(sum, chain[j + 1]);
            });
            return sum;
        }

        // A machine that multiplies codes of 4 bits alone takes wider ones as two parts, which are never merged: the
        // first four bits and what follows, in Rest bits. 0: codes are whole.
        template <class V, code_layout L, unsigned Bits, codebook Book>
        inline constexpr unsigned rest_width =
            multiplies_whole_bytes<V> || Bits <= 4 || !integer_codebook<Book> || L::widths[0] > 4 ? 0
            : Bits <= 6                                                                           ? 2
                                                                                                  : 4;

        // a Times
        template <class V, unsigned Times>
        [[gnu::always_inline]] inline typename V::ints times(typename V::ints a) noexcept
        {
            auto sum = V::zero();
            for_each<std::bit_width(Times)>([&](auto bit) __attribute__((always_inline)) {
                if constexpr ((Times >> bit & 1u) != 0)
                    sum = V::template plus_left<bit>(sum, a);
            });
            return sum;
        }

        // Whole bytes of a tile, flipped once when they are decoded.
        struct flipped_bytes : planes<8>
        {
        };
        // Whether dots of codes of Bits bits are of flipped bytes.
        template <class V, unsigned Bits>
        inline constexpr bool dots_are_flipped = field_width(Bits) == 8 && flips<V>;

        // The dots of `blocks` blocks (a number, or a constant of the code) from plane on, of the V::rows rows it
        // points at, and q from q on: [Sums], in steps of 2^-(field_width(Bits) - Bits), of a leveled codebook in
        // levels. Book: that of the leading Bits bits.
        template <class V, code_layout L, unsigned Bits, std::size_t Sums, codebook Book, bool Fetch, class Levels>
        [[gnu::always_inline]] inline auto dot_group(std::array<std::byte const*, L::count> plane, std::int8_t const* q,
                                                     auto blocks, Levels const& levels) noexcept
        {
            constexpr bool looked_up = !linear_codebook<Book>, leveled = leveled_codebook<Book>;
            constexpr bool last_above = kernel::levels<V, Book, Bits>::last_above;
            constexpr unsigned rest = rest_width<V, L, Bits, Book>, top = rest == 0 ? Bits : 4;
            constexpr unsigned width = field_width(top);
            dots<V, Sums, places<V, width, Sums, looked_up>::chains> sum;
            dots<V, Sums, places<V, rest == 0 ? width : rest, Sums, false>::chains> low; // of the rest, if any
            set_zero<V>(sum);
            if constexpr (rest != 0)
                set_zero<V>(low);
            auto const add_next = [&]() __attribute__((always_inline))
            {
                if constexpr (Fetch)
                    fetch_ahead<L, Bits>(plane);
                constexpr bool flip = dots_are_flipped<V, top> && !std::same_as<L, flipped_bytes> && !leveled;
                if constexpr (last_above)
                    add_block<V, width, Sums, looked_up, true>(fields_of_3_bits<V, L>(plane), levels, q, sum);
                else
                    add_block<V, width, Sums, looked_up, false>(fields<V, L, top, width, 0, flip>(plane), levels, q,
                                                                sum);
                if constexpr (rest != 0)
                {
                    asm("" : "+r"(q)); // x is read again: kept, it would take 64 registers
                    add_block<V, rest, Sums, false, false>(fields<V, L, Bits, rest, 4>(plane), levels, q, low);
                }
                skip<L, Bits>(plane, 1);
                q += block::cols * Sums;
            };
            if constexpr (requires { decltype(blocks)::value; })
                for_each<decltype(blocks)::value>([&](auto) __attribute__((always_inline)) { add_next(); });
            else
                for (std::size_t b = 0; b < blocks; ++b)
                    add_next();
            std::array<typename V::ints, Sums> all;
            for_each<Sums>([&](auto k) __attribute__((always_inline)) {
                all[k] = together<V, width, Sums, looked_up>(sum[k]);
                if constexpr (rest != 0)
                {
                    auto const others = together<V, rest, Sums, false>(low[k]);
                    if constexpr (leveled)
                        all[k] = V::template plus_left<4 - rest>(times<V, Book::share(Bits)>(all[k]), others);
                    else
                        all[k] = V::template plus_left<4>(V::template plus_left<4 - rest>(V::zero(), others), all[k]);
                }
            });
            return all;
        }
    }
}
