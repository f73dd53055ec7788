// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "codebook.hpp"

namespace jackplane::inline v0 // shared by all units: core/target.hpp
{
    // Codes of an 8-bit parent whose cells overlap. Its leading 2 bits are those of uniform<8>, tuned for themselves:
    // one weight in seven then lies outside the cell of its code. Finer codes of uniform<8> only divide that cell and
    // never find such a weight again. These reach beyond it: codes of 3 and 4 bits have values of their own, wider
    // apart at the ends, where weights are clipped, and all finer bits divide a range around the value of 4 bits that
    // is wider than what is between two of them.
    //     value = step * level + base,   level = share * coarse[leading 4 bits] + (what follows, as 4 bits) < 256
    // In steps of the parent. The numbers were found by trial, on weights whose 2 bits were tuned.
    template <unsigned B>
        requires(3 <= B && B <= 8)
    struct overlapping
    {
        static constexpr unsigned bits = B, size = 1u << B;
        static constexpr float centre = uniform<8>::centre;
        template <unsigned K>
            requires(1 <= K && K <= B)
        using narrowed = typename std::conditional_t<(K < 3), std::type_identity<uniform<K < 3 ? K : 1, 8>>,
                                                     std::type_identity<overlapping<K < 3 ? 3 : K>>>::type;

        [[gnu::always_inline]] static constexpr char const* name() noexcept { return "overlapping"; }

        // The level of a code of `to` leading bits; of up to 4 bits below 32.
        [[gnu::always_inline]] static constexpr unsigned level_at(unsigned q, unsigned to) noexcept
        {
            constexpr std::uint8_t of_3_bits[]{0, 5, 9, 13, 17, 21, 25, 30};
            constexpr std::uint8_t of_4_bits[]{0, 3, 5, 7, 8, 10, 11, 13, 14, 16, 17, 19, 20, 22, 24, 27};
            return to < 3    ? q
                   : to == 3 ? of_3_bits[q]
                   : to == 4 ? of_4_bits[q]
                             : share(to) * of_4_bits[q >> (to - 4)] + ((q << (8 - to)) & 15u);
        }
        [[gnu::always_inline]] static constexpr float step_at(unsigned to) noexcept
        {
            constexpr float of_bits[]{0, 128, 64, 7.75f, 10, 1.4375f, 1.6875f, 2, 2}; // exact: so are all values
            return of_bits[to];
        }
        [[gnu::always_inline]] static constexpr float base_at(unsigned to) noexcept // the middle of all lies at 127.5
        {
            unsigned const last = level_at((1u << to) - 1, to);
            return (255 - step_at(to) * static_cast<float>(last)) / 2;
        }
        // What a step of 4 bits is in levels of more.
        [[gnu::always_inline]] static constexpr unsigned share(unsigned to) noexcept
        {
            constexpr std::uint8_t of_bits[]{1, 1, 1, 1, 1, 7, 6, 5, 5};
            return of_bits[to];
        }
        [[gnu::always_inline]] static constexpr float decode(code q) noexcept
        {
            return step_at(B) * static_cast<float>(level_at(q, B)) + base_at(B);
        }
        // The fractional code of x among the codes [first, first + count) of one leading code, or among all; k + 1/2 is
        // the middle between values k and k + 1.
        [[gnu::always_inline]] static constexpr float coordinate_in(float x, unsigned first, unsigned count) noexcept
        {
            constexpr unsigned block = B < 5 ? 1u : 1u << (B - 4); // codes that share four bits: evenly apart
            if (count <= block)
                return place(x, first, count);
            unsigned const last = first + count - block;
            unsigned at = first; // values of blocks overlap: the one whose middle is nearest
            while (at < last && x > (middle(at) + middle(at + block)) / 2)
                at += block;
            if constexpr (block > 1)
                return detail::clamp(place(x, at, block), static_cast<float>(at) - 0.49f,
                                     static_cast<float>(at + block) - 0.51f);
            else
                return place(x, at > first && (at == last || x < value(at)) ? at - 1 : at, 2);
        }
        [[gnu::always_inline]] static constexpr float coordinate(float x) noexcept
        {
            return coordinate_in(x, 0, size);
        }
        [[gnu::always_inline]] static code encode(float x) noexcept
        {
            return static_cast<code>(
                detail::clamp(detail::nearbyint(coordinate(x)), 0.0f, static_cast<float>(size - 1)));
        }

    private:
        [[gnu::always_inline]] static constexpr float value(unsigned q) noexcept
        {
            return decode(static_cast<code>(q));
        }
        [[gnu::always_inline]] static constexpr float middle(unsigned block) noexcept // of those that begin there
        {
            return B < 5 ? value(block) : (value(block) + value(block + (1u << (B < 5 ? 0 : B - 4)) - 1)) / 2;
        }
        // Evenly beyond both ends.
        [[gnu::always_inline]] static constexpr float place(float x, unsigned first, unsigned count) noexcept
        {
            float const apart = count > 1 ? value(first + 1) - value(first) : step_at(B);
            return static_cast<float>(first) + (x - value(first)) / apart;
        }
    };
    static_assert(leveled_codebook<overlapping<8>> && !linear_codebook<overlapping<8>>);
    static_assert(nested_codebook<overlapping<8>> && std::same_as<overlapping<8>::narrowed<2>, uniform<2, 8>>);
}
