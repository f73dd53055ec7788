// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include "simple.hpp"

// Blocks of very few values: signs, quarters, and the three values of ternary models. Importance changes nothing.
namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf::detail
{
    // The largest magnitude becomes code 2 or 0; codes up to `largest`.
    inline one_scale choose_ternary(block_input const& in, int largest, code* q) noexcept
    {
        float const d = abs(extreme(in.x)), inverse = detail::inverse(d);
        for (std::size_t i = 0; i < in.x.size(); ++i)
            q[i] = static_cast<code>(std::clamp(static_cast<int>(__builtin_roundf(in.x[i] * inverse)) + 1, 0, largest));
        return {from_float<half>(d)};
    }
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf
{
    // Signs of 128 values under their mean magnitude.
    struct q1_0 : centred<0, 1, 2>, codes_in<128, fields<1, 1, 2>>
    {
        static constexpr std::string_view name = "Q1_0";
        static constexpr std::uint32_t id = 41;
        static constexpr std::size_t values = 128, bytes = 18, sub_block = 128;
        static constexpr std::array words{word{0, 2}};
        static constants choose(block_input const& in, code* q) noexcept
        {
            float sum = 0;
            for (std::size_t i = 0; i < values; ++i)
                sum += detail::abs(in.x[i]), q[i] = in.x[i] >= 0;
            return {from_float<half>(sum / values)};
        }
    };

    // -1, 0, 1 or 2 times the scale of 64 values.
    struct q2_0 : centred<0, 1>, codes_in<64, fields<2, 1, 2>>
    {
        static constexpr std::string_view name = "Q2_0";
        static constexpr std::uint32_t id = 42;
        static constexpr std::size_t values = 64, bytes = 18, sub_block = 64;
        static constexpr std::array words{word{0, 2}};
        static constants choose(block_input const& in, code* q) noexcept { return detail::choose_ternary(in, 3, q); }
    };

    // -1, 0 or 1 times the scale of 256 values, in 2 bits each.
    struct tq2_0 : centred<64, 1>, codes_in<256, fields<2, 32, 0>>
    {
        static constexpr std::string_view name = "TQ2_0";
        static constexpr std::uint32_t id = 35;
        static constexpr unsigned levels = 3;
        static constexpr std::size_t values = 256, bytes = 66, sub_block = 256;
        static constexpr std::array words{word{64, 2}};
        static constants choose(block_input const& in, code* q) noexcept { return detail::choose_ternary(in, 2, q); }
    };

    // The same, five to a byte: a fraction to base 3 of five digits, in 256ths, rounded up.
    struct tq1_0 : centred<52, 1>
    {
        static constexpr std::string_view name = "TQ1_0";
        static constexpr std::uint32_t id = 34;
        static constexpr unsigned bits = 2, levels = 3; // of a code; codes there are
        static constexpr std::size_t values = 256, bytes = 54, sub_block = 256;
        static constexpr std::array words{word{52, 2}};

        static void codes(std::byte const* block, code* q) noexcept
        {
            each(
                [&](std::size_t byte, std::size_t nth, std::size_t stride, unsigned digits)
                {
                    unsigned fraction = detail::byte_at(block, byte);
                    for (unsigned digit = 0; digit < digits; ++digit, fraction = fraction * 3 & 255u)
                        q[nth + digit * stride] = static_cast<code>(fraction * 3 >> 8);
                });
        }
        static void put_codes(code const* q, std::byte* block) noexcept
        {
            each(
                [&](std::size_t byte, std::size_t nth, std::size_t stride, unsigned digits)
                {
                    unsigned number = 0;
                    for (unsigned digit = 0; digit < 5; ++digit)
                        number = number * 3 + (digit < digits ? q[nth + digit * stride] : 0u);
                    block[byte] = static_cast<std::byte>((number * 256 + 242) / 243);
                });
        }
        static constants choose(block_input const& in, code* q) noexcept { return detail::choose_ternary(in, 2, q); }

    private:
        // Bytes 0 .. 31 hold values 0 .. 159, bytes 32 .. 47 the next 80, bytes 48 .. 51 the last 16 by four.
        static void each(auto&& f) noexcept
        {
            for (std::size_t i = 0; i < 32; ++i)
                f(i, i, std::size_t{32}, 5u);
            for (std::size_t i = 0; i < 16; ++i)
                f(32 + i, 160 + i, std::size_t{16}, 5u);
            for (std::size_t i = 0; i < 4; ++i)
                f(48 + i, 240 + i, std::size_t{4}, 4u);
        }
    };
}
