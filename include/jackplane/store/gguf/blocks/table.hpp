// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include "simple.hpp"
#include "super.hpp"

// Blocks whose codes are numbers of a table: x = scale * table[q].
namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf
{
    // Of IQ4_NL and IQ4_XS: denser near 0.
    inline constexpr std::array<float, 16> iq4_table{-127, -104, -83, -65, -49, -35, -22, -10,
                                                     1,    13,   25,  38,  53,  69,  89,  113};
    // E2M1 of the Open Compute Project's microscaling formats, doubled; bit 3 is the sign.
    inline constexpr std::array<float, 16> e2m1_table{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf::detail
{
    inline code nearest_iq4(float x) noexcept // the upper of two that are as near
    {
        auto const& t = iq4_table;
        if (x <= t.front())
            return 0;
        std::size_t above = 1;
        while (above < t.size() && !(x < t[above]))
            ++above;
        if (above == t.size())
            return static_cast<code>(t.size() - 1);
        return static_cast<code>(x - t[above - 1] < t[above] - x ? above - 1 : above);
    }

    inline void encode_iq4(std::span<float const> x, float inverse, code* q) noexcept
    {
        for (std::size_t i = 0; i < x.size(); ++i)
            q[i] = nearest_iq4(rounded(inverse * x[i]));
    }

    // Inverse scales that put the extreme value at the table's first, changed by up to `tries` steps, and at minus it:
    // the one whose best scale by weighted squares is best. tries < 0: at the first alone. q: codes of the first tried.
    inline float fit_iq4(std::span<float const> x, std::span<float const> w, int tries, code* q) noexcept
    {
        float const largest = extreme(x), first = iq4_table[0];
        if (abs(largest) < least_group)
            return 0;
        auto const tried = [&](float inverse, code* codes)
        {
            encode_iq4(x, inverse, codes);
            moments m;
            for (std::size_t i = 0; i < x.size(); ++i)
            {
                float const v = iq4_table[codes[i]];
                m.xl += rounded(w[i] * v * x[i]);
                m.ll += rounded(w[i] * v * v);
            }
            return m;
        };
        moments m = tried(1 / (tries > 0 ? -largest / first : largest / first), q);
        float scale = m.scale(), best = scale * m.xl;
        code unused[32];
        for (int k = -tries; k <= tries; ++k)
            if (m = tried((static_cast<float>(k) + first) / largest, unused); m.better_than(best))
                scale = m.scale(), best = scale * m.xl;
        return scale;
    }

    // Weights of one group; mean_square: twice that of the block.
    inline void weigh_iq4(std::span<float const> x, std::span<float const> importance, float mean_square,
                          float* w) noexcept
    {
        if (!importance.empty())
            return weigh(x, importance, mean_square, w);
        for (std::size_t i = 0; i < x.size(); ++i)
            w[i] = x[i] * x[i];
    }

    // How ggml's quantizer chooses; tries < 0 is its reference of one shot.
    inline one_scale choose_iq4(block_input const& in, int tries, code* q) noexcept
    {
        float w[32];
        weigh_iq4(in.x, in.importance, sum_of_squares(in.x) * (2.0f / 32), w);
        std::fill_n(q, 32, nearest_iq4(0));
        float const scale = fit_iq4(in.x, w, tries, q);
        if (tries > 0)
            encode_iq4(in.x, inverse(scale), q);
        return {from_float<half>(scale)};
    }
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf
{
    // 4 bits of a table, one scale for 32 values.
    struct iq4_nl : centred<0, 0>, codes_in<32, fields<4, 16, 2>>
    {
        static constexpr std::string_view name = "IQ4_NL";
        static constexpr std::uint32_t id = 20;
        static constexpr std::size_t values = 32, bytes = 18, sub_block = 32;
        static constexpr std::array words{word{0, 2}};
        static constexpr auto const& table = iq4_table;
        static constants choose(block_input const& in, code* q) noexcept { return detail::choose_iq4(in, 7, q); }
    };

    // 4 bits of a table in groups of 32; scales of 6 bits: low four in one place, high two in another.
    struct iq4_xs : centred_groups<8, 0>, codes_in<super_block, fields<4, 16, 8>>
    {
        static constexpr std::string_view name = "IQ4_XS";
        static constexpr std::uint32_t id = 23;
        static constexpr std::size_t bytes = 136;
        static constexpr std::array words{word{0, 2}, word{2, 2}};
        static constexpr auto const& table = iq4_table;

        static constants read(std::byte const* block) noexcept
        {
            constants c{detail::load_half(block), {}};
            for (unsigned g = 0; g < 8; ++g)
            {
                unsigned const low = detail::byte_at(block, 4 + g / 2) >> (g % 2 * 4) & 15u,
                               high = detail::byte_at(block, 2 + g / 4) >> (g % 4 * 2) & 3u;
                c.scale[g] = static_cast<std::int8_t>(static_cast<int>(low | high << 4) - 32);
            }
            return c;
        }
        static void write(constants const& c, std::byte* block) noexcept
        {
            detail::store_half(c.d, block);
            std::fill_n(block + 2, 6, std::byte{});
            for (unsigned g = 0; g < 8; ++g)
            {
                unsigned const s = static_cast<unsigned>(c.scale[g] + 32);
                block[4 + g / 2] |= static_cast<std::byte>((s & 15u) << (g % 2 * 4));
                block[2 + g / 4] |= static_cast<std::byte>((s >> 4 & 3u) << (g % 4 * 2));
            }
        }
        static constants choose(block_input const& in, code* q) noexcept
        {
            float const mean_square = detail::sum_of_squares(in.x) * (2.0f / super_block);
            float scale[8], w[32];
            for (std::size_t g = 0; g < 8; ++g)
            {
                auto const x = in.x.subspan(g * 32, 32);
                auto const importance = in.importance.empty() ? in.importance : in.importance.subspan(g * 32, 32);
                detail::weigh_iq4(x, importance, mean_square, w);
                scale[g] = detail::fit_iq4(x, w, 7, q + g * 32);
            }
            float const d = -detail::extreme(scale) / 32, inverse = detail::inverse(d);
            constants c{from_float<half>(d), {}};
            for (std::size_t g = 0; g < 8; ++g)
            {
                int const s = detail::nearest_int(inverse * scale[g], -32, 31);
                c.scale[g] = static_cast<std::int8_t>(s);
                detail::encode_iq4(in.x.subspan(g * 32, 32), detail::inverse(d * static_cast<float>(s)), q + g * 32);
            }
            return c;
        }
    };

    // What a block of MXFP4 stores beside its codes: the scale is 2^(e - 128), as the table is doubled.
    struct power_of_two
    {
        std::uint8_t e;
    };

    // 4-bit floats (E2M1) under one power of two for 32 values.
    struct mxfp4 : codes_in<32, fields<4, 16, 1>>
    {
        using constants = power_of_two;
        static constexpr std::string_view name = "MXFP4";
        static constexpr std::uint32_t id = 39;
        static constexpr std::size_t values = 32, bytes = 17, sub_block = 32;
        static constexpr std::array<word, 0> words{};
        static constexpr auto const& table = e2m1_table;

        static constants read(std::byte const* block) noexcept { return {static_cast<std::uint8_t>(block[0])}; }
        static void write(constants const& c, std::byte* block) noexcept { block[0] = std::byte{c.e}; }
        static float scale(constants const& c, std::size_t) noexcept
        {
            return std::bit_cast<float>(c.e < 2 ? 0x200000u << c.e : (c.e - 1u) << 23); // the first two are subnormal
        }
        static float offset(constants const&, std::size_t) noexcept { return 0; }
        static constants choose(block_input const& in, code* q) noexcept
        {
            float const largest = detail::abs(detail::extreme(in.x));
            constants const c{static_cast<std::uint8_t>(largest > 0 ? exponent(largest) + 125 : 0)};
            for (std::size_t i = 0; i < values; ++i)
            {
                float least = 0;
                for (unsigned k = 0; k < table.size(); ++k)
                {
                    float const off = detail::abs(table[k] * scale(c, 0) - in.x[i]); // the product is exact
                    if (k == 0 || off < least)
                        least = off, q[i] = static_cast<code>(k);
                }
            }
            return c;
        }

    private:
        // The whole part of log2 x as a float32: just below a power of two the float is the power's.
        static int exponent(float x) noexcept
        {
            int e = 0;
            double const m = 2 * __builtin_frexp(static_cast<double>(x), &e); // x = m 2^(e - 1), m in [1, 2)
            double const below = (2 - m) / 2, log2 = e - (below + below * below / 2) * 1.4426950408889634;
            return below < 0x1p-14 && static_cast<float>(log2) == static_cast<float>(e) ? e : e - 1;
        }
    };
}
