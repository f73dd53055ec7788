// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include "affine.hpp"
#include "fields.hpp"

// Super-blocks of 256 values: groups of 16 or 32 with scales of a few bits, in steps of one scale for all.
namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf
{
    // Values of a super-block.
    inline constexpr std::size_t super_block = 256;

    // What a super-block of G groups stores beside its codes: a group's scale is d scale[g].
    template <std::size_t G>
    struct group_scales
    {
        half d;
        std::array<std::int8_t, G> scale;
    };
    // Scales and offsets: a group's offset is -m below[g].
    template <std::size_t G>
    struct group_scales_and_offsets
    {
        half d, m;
        std::array<code, G> scale, below;
    };

    // x = d scale[g] (q - Offset)
    template <std::size_t G, int Offset>
    struct centred_groups
    {
        using constants = group_scales<G>;
        static constexpr std::size_t values = super_block, sub_block = super_block / G;
        static float scale(constants const& c, std::size_t g) noexcept { return to_float(c.d) * c.scale[g]; }
        static float offset(constants const& c, std::size_t g) noexcept { return scale(c, g) * -Offset; }
    };
    // x = d scale[g] q - m below[g]
    template <std::size_t G>
    struct offset_groups
    {
        using constants = group_scales_and_offsets<G>;
        static constexpr std::size_t values = super_block, sub_block = super_block / G;
        static float scale(constants const& c, std::size_t g) noexcept { return to_float(c.d) * c.scale[g]; }
        static float offset(constants const& c, std::size_t g) noexcept { return -(to_float(c.m) * c.below[g]); }
    };

    // d, m and eight pairs of 6 bits in 12 bytes: of groups 0 .. 3 the low bits of a byte, of groups 4 .. 7 four bits
    // in a byte of both and two above those of groups 0 .. 3.
    struct pairs_of_six : offset_groups<8>
    {
        static constexpr std::array words{word{0, 2}, word{2, 2}};
        static constants read(std::byte const* block) noexcept
        {
            constants c{detail::load_half(block), detail::load_half(block + 2), {}, {}};
            for (std::size_t g = 0; g < 4; ++g)
            {
                unsigned const s = detail::byte_at(block, 4 + g), b = detail::byte_at(block, 8 + g),
                               both = detail::byte_at(block, 12 + g);
                c.scale[g] = static_cast<code>(s & 63u);
                c.below[g] = static_cast<code>(b & 63u);
                c.scale[g + 4] = static_cast<code>((both & 15u) | (s >> 6) << 4);
                c.below[g + 4] = static_cast<code>(both >> 4 | (b >> 6) << 4);
            }
            return c;
        }
        static void write(constants const& c, std::byte* block) noexcept
        {
            detail::store_half(c.d, block), detail::store_half(c.m, block + 2);
            for (std::size_t g = 0; g < 4; ++g)
            {
                block[4 + g] = static_cast<std::byte>((c.scale[g] & 63u) | (c.scale[g + 4] >> 4 & 3u) << 6);
                block[8 + g] = static_cast<std::byte>((c.below[g] & 63u) | (c.below[g + 4] >> 4 & 3u) << 6);
                block[12 + g] = detail::nibbles(c.scale[g + 4], c.below[g + 4]);
            }
        }
    };
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf::detail
{
    // Codes by the scales as they are stored; where a group's is 0, those of the search stay.
    inline void recode(std::span<float const> x, float scale, float below, int low, int high, code* q) noexcept
    {
        if (scale != 0)
            for (std::size_t i = 0; i < x.size(); ++i)
                q[i] = static_cast<code>(nearest_int((x[i] + below) / scale, low, high) - low);
    }

    // Numbers as codes 0 .. largest in steps of the returned scale, which puts the greatest at the end.
    inline float scale_by_greatest(std::span<float const> x, int largest, code* q) noexcept
    {
        float greatest = 0;
        for (float const v : x)
            greatest = max(greatest, v);
        float const inverse = greatest > 0 ? static_cast<float>(largest) / greatest : 0.0f;
        for (std::size_t i = 0; i < x.size(); ++i)
            q[i] = static_cast<code>(nearest_int(inverse * x[i], 0, largest));
        return greatest / static_cast<float>(largest);
    }

    struct super_search // how a type with offsets searches
    {
        int largest, largest_scale; // code
        affine_search plain;        // without importance
        float squares;              // that many mean squares of the super-block go into a weight
        bool by_rms;                // without importance a weight is |x|, plus the group's root mean square
    };

    template <std::size_t G>
    group_scales_and_offsets<G> choose_offset_groups(block_input const& in, super_search s, code* q) noexcept
    {
        constexpr std::size_t size = super_block / G;
        bool const is_plain = in.importance.empty();
        float const mean_square = s.squares * sum_of_squares(in.x) / super_block;
        float scale[G], below[G], total[G], w[size];
        for (std::size_t g = 0; g < G; ++g)
        {
            auto const x = in.x.subspan(g * size, size);
            float const rms = s.by_rms ? __builtin_sqrtf(sum_of_squares(x) / size) : 0.0f;
            if (!is_plain)
                weigh(x, in.importance.subspan(g * size, size), mean_square, w);
            else
                for (std::size_t i = 0; i < size; ++i)
                    w[i] = rms + abs(x[i]);
            auto const fitted = fit_affine(x, w, s.largest, is_plain ? s.plain : with_importance, q + g * size);
            scale[g] = fitted.scale, below[g] = fitted.below, total[g] = sum(w);
        }
        group_scales_and_offsets<G> c;
        auto const coded = [&](float const(&x)[G], code* to)
        {
            return from_float<half>(is_plain ? scale_by_greatest(x, s.largest_scale, to)
                                             : fit_positive(x, total, s.largest_scale, to));
        };
        c.d = coded(scale, c.scale.data());
        c.m = coded(below, c.below.data());
        for (std::size_t g = 0; g < G; ++g)
            recode(in.x.subspan(g * size, size), offset_groups<G>::scale(c, g), -offset_groups<G>::offset(c, g), 0,
                   s.largest, q + g * size);
        return c;
    }
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf
{
    // 2 bits in groups of 16; scales and offsets of 4 bits.
    struct q2_k : offset_groups<16>, codes_in<super_block, fields<2, 32, 16>>
    {
        static constexpr std::string_view name = "Q2_K";
        static constexpr std::uint32_t id = 10;
        static constexpr std::size_t bytes = 84;
        static constexpr std::array words{word{80, 2}, word{82, 2}};

        static constants read(std::byte const* block) noexcept
        {
            constants c{detail::load_half(block + 80), detail::load_half(block + 82), {}, {}};
            for (std::size_t g = 0; g < 16; ++g)
                c.scale[g] = static_cast<code>(detail::byte_at(block, g) & 15u),
                c.below[g] = static_cast<code>(detail::byte_at(block, g) >> 4);
            return c;
        }
        static void write(constants const& c, std::byte* block) noexcept
        {
            detail::store_half(c.d, block + 80), detail::store_half(c.m, block + 82);
            for (std::size_t g = 0; g < 16; ++g)
                block[g] = detail::nibbles(c.scale[g], c.below[g]);
        }
        static constants choose(block_input const& in, code* q) noexcept
        {
            return detail::choose_offset_groups<16>(in, {3, 15, {-0.5f, 0.1f, 15, true}, 1, false}, q);
        }
    };

    // 4 bits in groups of 32; scales and offsets of 6 bits.
    struct q4_k : pairs_of_six, codes_in<super_block, fields<4, 32, 16>>
    {
        static constexpr std::string_view name = "Q4_K";
        static constexpr std::uint32_t id = 12;
        static constexpr std::size_t bytes = 144;
        static constants choose(block_input const& in, code* q) noexcept
        {
            return detail::choose_offset_groups<8>(in, {15, 63, {-1, 0.1f, 20}, 2, true}, q);
        }
    };

    // 5 bits in groups of 32; scales and offsets of 6 bits.
    struct q5_k : pairs_of_six, codes_in<super_block, fields<4, 32, 48>, fields<1, 32, 16, 4>>
    {
        static constexpr std::string_view name = "Q5_K";
        static constexpr std::uint32_t id = 13;
        static constexpr std::size_t bytes = 176;
        static constants choose(block_input const& in, code* q) noexcept
        {
            return detail::choose_offset_groups<8>(in, {31, 63, {-0.5f, 0.1f, 15}, 2, true}, q);
        }
    };
}
