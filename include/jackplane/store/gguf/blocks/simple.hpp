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

namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf
{
    // What a block stores beside its codes: one scale.
    struct one_scale
    {
        half d;
    };
    // One scale and one offset.
    struct scale_and_offset
    {
        half d, m;
    };

    // x = d (Step q - Offset), d at byte At.
    template <std::size_t At, int Offset, int Step = 1>
    struct centred
    {
        using constants = one_scale;
        static constants read(std::byte const* block) noexcept { return {detail::load_half(block + At)}; }
        static void write(constants const& c, std::byte* block) noexcept { detail::store_half(c.d, block + At); }
        static float scale(constants const& c, std::size_t) noexcept { return to_float(c.d) * Step; }
        static float offset(constants const& c, std::size_t) noexcept { return to_float(c.d) * -Offset; }
    };
    // x = d q + m, d at byte 0, m at byte 2.
    struct offset_by_minimum
    {
        using constants = scale_and_offset;
        static constants read(std::byte const* block) noexcept
        {
            return {detail::load_half(block), detail::load_half(block + 2)};
        }
        static void write(constants const& c, std::byte* block) noexcept
        {
            detail::store_half(c.d, block), detail::store_half(c.m, block + 2);
        }
        static float scale(constants const& c, std::size_t) noexcept { return to_float(c.d); }
        static float offset(constants const& c, std::size_t) noexcept { return to_float(c.m); }
    };
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf::detail
{
    // The extreme value becomes code 0; its sign is the scale's.
    template <int Half>
    one_scale choose_centred(block_input const& in, code* q) noexcept
    {
        float w[32];
        if (!in.importance.empty())
        {
            weigh(in.x, in.importance, in.mean_square, w);
            return {from_float<half>(fit_symmetric(in.x, w, Half, q))};
        }
        float const d = extreme(in.x) / -Half, inverse = detail::inverse(d);
        for (std::size_t i = 0; i < in.x.size(); ++i)
            q[i] =
                static_cast<code>(std::min(2 * Half - 1, static_cast<int>(rounded(in.x[i] * inverse) + (Half + 0.5f))));
        return {from_float<half>(d)};
    }

    // The least value becomes code 0, the largest code Largest.
    template <int Largest>
    scale_and_offset choose_offset(block_input const& in, code* q) noexcept
    {
        float w[32];
        if (!in.importance.empty())
        {
            weigh(in.x, in.importance, in.mean_square, w);
            auto const [scale, below] = fit_affine(in.x, w, Largest, with_importance, q);
            return {from_float<half>(scale), from_float<half>(-below)};
        }
        float low = in.x[0], high = in.x[0];
        for (float const v : in.x)
            low = min(low, v), high = max(high, v);
        float const d = (high - low) / Largest, inverse = detail::inverse(d);
        for (std::size_t i = 0; i < in.x.size(); ++i)
            q[i] = static_cast<code>(std::min(Largest, static_cast<int>(rounded((in.x[i] - low) * inverse) + 0.5f)));
        return {from_float<half>(d), from_float<half>(low)};
    }
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf
{
    // 4 bits, one scale for 32 values.
    struct q4_0 : centred<0, 8>, codes_in<32, fields<4, 16, 2>>
    {
        static constexpr std::string_view name = "Q4_0";
        static constexpr std::uint32_t id = 2;
        static constexpr std::size_t values = 32, bytes = 18, sub_block = 32;
        static constexpr std::array words{word{0, 2}};
        static constants choose(block_input const& in, code* q) noexcept { return detail::choose_centred<8>(in, q); }
    };

    // 4 bits, scale and offset for 32 values.
    struct q4_1 : offset_by_minimum, codes_in<32, fields<4, 16, 4>>
    {
        static constexpr std::string_view name = "Q4_1";
        static constexpr std::uint32_t id = 3;
        static constexpr std::size_t values = 32, bytes = 20, sub_block = 32;
        static constexpr std::array words{word{0, 2}, word{2, 2}};
        static constants choose(block_input const& in, code* q) noexcept { return detail::choose_offset<15>(in, q); }
    };

    // 5 bits, one scale for 32 values; bit 4 of value i is bit i of a word.
    struct q5_0 : centred<0, 16>, codes_in<32, fields<4, 16, 6>, fields<1, 1, 2, 4>>
    {
        static constexpr std::string_view name = "Q5_0";
        static constexpr std::uint32_t id = 6;
        static constexpr std::size_t values = 32, bytes = 22, sub_block = 32;
        static constexpr std::array words{word{0, 2}, word{2, 4}};
        static constants choose(block_input const& in, code* q) noexcept { return detail::choose_centred<16>(in, q); }
    };

    // 5 bits, scale and offset for 32 values.
    struct q5_1 : offset_by_minimum, codes_in<32, fields<4, 16, 8>, fields<1, 1, 4, 4>>
    {
        static constexpr std::string_view name = "Q5_1";
        static constexpr std::uint32_t id = 7;
        static constexpr std::size_t values = 32, bytes = 24, sub_block = 32;
        static constexpr std::array words{word{0, 2}, word{2, 2}, word{4, 4}};
        static constants choose(block_input const& in, code* q) noexcept { return detail::choose_offset<31>(in, q); }
    };

    // 8 bits, one scale for 32 values, which are stored with a sign: code 128 is 0.
    struct q8_0 : centred<0, 128>
    {
        static constexpr std::string_view name = "Q8_0";
        static constexpr std::uint32_t id = 8;
        static constexpr unsigned bits = 8;
        static constexpr std::size_t values = 32, bytes = 34, sub_block = 32;
        static constexpr std::array words{word{0, 2}};

        static void codes(std::byte const* block, code* q) noexcept
        {
            for (std::size_t i = 0; i < values; ++i)
                q[i] = static_cast<code>(detail::byte_at(block, 2 + i) ^ 0x80u);
        }
        static void put_codes(code const* q, std::byte* block) noexcept
        {
            for (std::size_t i = 0; i < values; ++i)
                block[2 + i] = static_cast<std::byte>(q[i] ^ 0x80u);
        }
        static constants choose(block_input const& in, code* q) noexcept // importance changes nothing
        {
            float const d = detail::abs(detail::extreme(in.x)) / 127, inverse = detail::inverse(d);
            for (std::size_t i = 0; i < values; ++i)
                q[i] = static_cast<code>(static_cast<int>(__builtin_roundf(in.x[i] * inverse)) + 128);
            return {from_float<half>(d)};
        }
    };
}
