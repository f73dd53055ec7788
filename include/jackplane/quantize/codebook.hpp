// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include "slice.hpp"

namespace jackplane::inline v0 // shared by all units: core/target.hpp
{
    // The leading B bits of a code of From bits; plain integers 0 .. 2^B - 1 when the two are equal.
    template <unsigned B, unsigned From = B>
        requires(1 <= B && B <= From && From <= 8)
    struct uniform
    {
        static constexpr unsigned bits = B, size = 1u << B;
        static constexpr float step = static_cast<float>(1u << (From - B)); // decode(q) == step * q + base
        static constexpr float base = (step - 1) / 2;
        static constexpr float centre = static_cast<float>(1u << (From - 1));
        template <unsigned K>
        using narrowed = uniform<K, From>;

        [[gnu::always_inline]] static constexpr char const* name() noexcept { return "uniform"; }
        [[gnu::always_inline]] static constexpr float decode(code q) noexcept
        {
            return truncate_centred{}.value(q, From, B);
        }
        [[gnu::always_inline]] static constexpr float coordinate(float x) noexcept { return (x - base) / step; }
        [[gnu::always_inline]] static code encode(float x) noexcept
        {
            return static_cast<code>(
                detail::clamp(detail::nearbyint(coordinate(x)), 0.0f, static_cast<float>(size - 1)));
        }
    };
    static_assert(linear_codebook<uniform<4>> && nested_codebook<uniform<8>>);
    static_assert(uniform<8>::narrowed<2>::decode(3) == 3 * 64 + 31.5f);

    namespace codebooks
    {
        // Codebook of a fixed, increasing list of values.
        template <auto const& Values>
        struct fixed_table
        {
            static constexpr unsigned bits = 4, size = static_cast<unsigned>(std::size(Values));
            static constexpr float centre = 0; // both tables below hold an exact 0

            [[gnu::always_inline]] static constexpr float decode(code q) noexcept
            {
                return Values[std::min<unsigned>(q, size - 1)];
            }
            [[gnu::always_inline]] static constexpr float
            coordinate(float x) noexcept // k + 1/2 is the middle between values k and k + 1
            {
                if (!(x > Values[0]))
                    return 0;
                unsigned k = 1;
                while (k < size && x > Values[k])
                    ++k;
                if (k == size)
                    return static_cast<float>(size - 1);
                return static_cast<float>(k - 1) + (x - Values[k - 1]) / (Values[k] - Values[k - 1]);
            }
            [[gnu::always_inline]] static code encode(float x) noexcept
            {
                return static_cast<code>(detail::nearbyint(coordinate(x)));
            }
        };

        // Quantiles of a normal distribution, scaled to [-1, 1]. Dettmers et al., "QLoRA" (arXiv 2305.14314), app. E.
        inline constexpr std::array<float, 16> nf4_values{
            -1.0f,           -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f,
            -0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f, 0.0f,
            0.07958029955625534f,  0.16093020141124725f,  0.24611230194568634f,  0.33791524171829224f,
            0.44070982933044434f,  0.5626170039176941f,   0.7229568362236023f,   1.0f};

        // E2M1 of "OCP Microscaling Formats" v1.0: sign, 2 exponent bits, 1 fraction bit; the two zeros are one value.
        inline constexpr std::array<float, 15> fp4_values{-6, -4, -3,   -2, -1.5f, -1, -0.5f, 0,
                                                          0.5f, 1, 1.5f, 2, 3,     4,  6};
    }

    // 4 bits, quantiles of a normal distribution (codebooks::nf4_values).
    struct nf4 : codebooks::fixed_table<codebooks::nf4_values>
    {
        [[gnu::always_inline]] static constexpr char const* name() noexcept { return "nf4"; }
    };
    // 4-bit floats, E2M1 (codebooks::fp4_values).
    struct fp4 : codebooks::fixed_table<codebooks::fp4_values>
    {
        [[gnu::always_inline]] static constexpr char const* name() noexcept { return "fp4"; }
    };
    static_assert(codebook<nf4> && !linear_codebook<nf4> && codebook<fp4>);
    static_assert(nf4::decode(7) == 0 && fp4::decode(7) == 0);
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // Distance from the centre to the nearer end of the codebook (to the farther one where that is 0: one bit).
    template <codebook C>
    constexpr float reach(C const& book) noexcept
    {
        float const below = C::centre - book.decode(0), above = book.decode(C::size - 1) - C::centre;
        return detail::min(below, above) > 0 ? detail::min(below, above) : detail::max(below, above);
    }
}
