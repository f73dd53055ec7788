// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../../core/concepts.hpp"
#include "fields.hpp"

// What codes are looked up to before they are multiplied.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace kernel
    {
        // Whether the machine multiplies bytes of eight bits at once.
        template <class V>
        inline constexpr bool multiplies_whole_bytes = V::in_place > 4 || flips<V>;

        // The codebook of the leading Bits bits as bytes: level_i = unit * u_i + base, each off by at most unit / 2. Of
        // a linear one: the code itself. Of a leveled one what its first four bits add to a level, exact.
        template <class V, codebook C, unsigned Bits>
        struct levels
        {
            using book_type = book_at<C, Bits>;
            static constexpr bool looked_up = !linear_codebook<book_type>, exact = integer_codebook<book_type>;

            // Three bits need no mask before a look-up that sees the low four bits of an index and the top one, which
            // must be 0: the fourth is 0 where the last bit of a code lies above its first two.
            static constexpr bool last_above = []
            {
                if constexpr (requires { V::looks_at_top_of_index; })
                    return Bits == 3 && leveled_codebook<book_type>;
                else
                    return false;
            }();

            // Share: that of a leveled codebook; 1 where sums are multiplied by it later. Flip: the top bit of every
            // byte is flipped. Above: entries are those of fields_of_3_bits.
            template <unsigned Share, bool Flip = false, bool Above = false>
            [[gnu::always_inline]] static auto bytes([[maybe_unused]] C const& book) noexcept
            {
                if constexpr (looked_up && exact)
                {
                    constexpr unsigned top = Bits < 4 ? Bits : 4;
                    std::uint8_t entry[16];
                    for_each<16>([&](auto i) __attribute__((always_inline)) {
                        constexpr unsigned q = Above ? (i & 3u) << 1 | (i >> 2 & 1u) : i >> (4 - top);
                        entry[i] = static_cast<std::uint8_t>(Share * book_type::level_at(q, top) ^ (Flip ? 0x80u : 0u));
                    });
                    return V::make_bytes(entry);
                }
                else if constexpr (looked_up)
                {
                    std::uint8_t entry[16];
                    float const low = book.decode(0);
                    for_each<16>([&](auto i) __attribute__((always_inline)) {
                        entry[i] =
                            static_cast<std::uint8_t>((book.decode(static_cast<code>(i)) - low) / unit(book) + 0.5f);
                    });
                    return V::make_bytes(entry);
                }
                else
                    return 0;
            }
            static constexpr unsigned share = []
            {
                if constexpr (leveled_codebook<book_type>)
                    return book_type::share(Bits);
                else
                    return 1u;
            }();
            // of those that are not exact
            [[gnu::always_inline]] static float unit(C const& book) noexcept
            {
                return (book.decode(C::size - 1) - book.decode(0)) / 255;
            }
        };

        // Codes of 8 bits -> levels, in one byte each: what the first four bits add, and the others.
        template <class V, class Entries>
        [[gnu::always_inline]] inline auto levels_of_bytes(Entries const& entries, typename V::bytes code) noexcept
        {
            auto top = V::template right<4>(code);
            if constexpr (!V::shifts_bytes)
                top = V::template keep<0x0f>(top);
            return V::plus_bytes(V::look_up_bytes(entries, top), V::template keep<0x0f>(code));
        }

        // As fields<V, L, 3, 4>, of the bits 0 c a b instead of a b c 0.
        template <class V, code_layout L>
        [[gnu::always_inline]] inline auto
        fields_of_3_bits(std::array<std::byte const*, L::count> const& plane) noexcept
        {
            std::array<typename V::bytes, 4> out;
            auto first = fields<V, L, 3, 2>(plane);
            auto const last = V::load_bytes(plane[L::plane_at(2)]);
            constexpr unsigned lower = 0xff ^ upper_of_pairs<1>;
            std::array high{V::template keep<lower>(V::template right<1>(last)), V::template keep<lower>(last)};
            for_each<2>([&](auto v) __attribute__((always_inline)) {
                V::template exchange<2>(high[v], first[v]);
                out[2 * v] = high[v];
                out[2 * v + 1] = first[v];
            });
            return out;
        }

        // The fields of 4 bits that lie Shift bits up -> levels, in one byte each.
        template <class V, unsigned Shift, class Entries>
        [[gnu::always_inline]] inline auto levels_of_fields(Entries const& entries, typename V::bytes code) noexcept
        {
            if constexpr (Shift != 0)
                code = V::template right<Shift>(code);
            return V::look_up_bytes(entries, V::template keep<0x0f>(code));
        }
    }
}
