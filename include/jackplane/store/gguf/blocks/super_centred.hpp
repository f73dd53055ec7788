// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include "super.hpp"

// Super-blocks without offsets: signed scales of a few bits for each group of 16.
namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf::detail
{
    // Scales as whole numbers -reach .. reach - 1 in steps of the returned one, which puts the extreme at -reach.
    inline float scale_by_extreme(std::span<float const> x, int reach, std::int8_t* to) noexcept
    {
        float const inverse = -static_cast<float>(reach) / extreme(x);
        for (std::size_t i = 0; i < x.size(); ++i)
            to[i] = static_cast<std::int8_t>(nearest_int(inverse * x[i], -reach, reach - 1));
        return 1 / inverse;
    }
    template <class Type>
    void recode_groups(block_input const& in, typename Type::constants const& c, int half_range, code* q) noexcept
    {
        for (std::size_t g = 0; g < super_block / Type::sub_block; ++g)
            recode(in.x.subspan(g * Type::sub_block, Type::sub_block), Type::scale(c, g), 0, -half_range,
                   half_range - 1, q + g * Type::sub_block);
    }
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf
{
    // 3 bits in groups of 16; scales of 6 bits: the low four of groups g and g + 8 in one byte, the high two of groups
    // g, g + 4, g + 8, g + 12 in another.
    struct q3_k : centred_groups<16, 4>, codes_in<super_block, fields<2, 32, 32>, fields<1, 32, 0, 2>>
    {
        static constexpr std::string_view name = "Q3_K";
        static constexpr std::uint32_t id = 11;
        static constexpr std::size_t bytes = 110;
        static constexpr std::array words{word{108, 2}};

        static constants read(std::byte const* block) noexcept
        {
            constants c{detail::load_half(block + 108), {}};
            for (unsigned g = 0; g < 16; ++g)
            {
                unsigned const low = detail::byte_at(block, 96 + g % 8) >> (g / 8 * 4) & 15u,
                               high = detail::byte_at(block, 104 + g % 4) >> (g / 4 * 2) & 3u;
                c.scale[g] = static_cast<std::int8_t>(static_cast<int>(low | high << 4) - 32);
            }
            return c;
        }
        static void write(constants const& c, std::byte* block) noexcept
        {
            detail::store_half(c.d, block + 108);
            std::fill_n(block + 96, 12, std::byte{});
            for (unsigned g = 0; g < 16; ++g)
            {
                unsigned const s = static_cast<unsigned>(c.scale[g] + 32);
                block[96 + g % 8] |= static_cast<std::byte>((s & 15u) << (g / 8 * 4));
                block[104 + g % 4] |= static_cast<std::byte>((s >> 4 & 3u) << (g / 4 * 2));
            }
        }
        static constants choose(block_input const& in, code* q) noexcept
        {
            constants c{{}, {}};
            c.scale.fill(-32);
            float const mean_square = 2 * detail::sum_of_squares(in.x) / super_block;
            float scale[16], total[16], w[16];
            for (std::size_t g = 0; g < 16; ++g)
            {
                auto const x = in.x.subspan(g * 16, 16);
                if (in.importance.empty())
                    scale[g] = detail::fit_moving(x, 4, q + g * 16);
                else
                {
                    detail::weigh(x, in.importance.subspan(g * 16, 16), mean_square, w);
                    scale[g] = detail::fit_symmetric(x, w, 4, q + g * 16);
                    total[g] = detail::sum(w);
                }
            }
            code coded[16];
            if (!in.importance.empty())
            {
                c.d = from_float<half>(detail::fit_symmetric(scale, total, 32, coded));
                for (std::size_t g = 0; g < 16; ++g)
                    c.scale[g] = static_cast<std::int8_t>(coded[g] - 32);
            }
            else if (detail::extreme(scale) != 0)
                c.d = from_float<half>(detail::scale_by_extreme(scale, 32, c.scale.data()));
            detail::recode_groups<q3_k>(in, c, 4, q);
            return c;
        }
    };

    // 6 bits in groups of 16; scales of 8 bits.
    struct q6_k : centred_groups<16, 32>, codes_in<super_block, fields<4, 64, 0>, fields<2, 32, 128, 4>>
    {
        static constexpr std::string_view name = "Q6_K";
        static constexpr std::uint32_t id = 14;
        static constexpr std::size_t bytes = 210;
        static constexpr std::array words{word{208, 2}};

        static constants read(std::byte const* block) noexcept
        {
            constants c{detail::load_half(block + 208), {}};
            std::memcpy(c.scale.data(), block + 192, 16);
            return c;
        }
        static void write(constants const& c, std::byte* block) noexcept
        {
            std::memcpy(block + 192, c.scale.data(), 16);
            detail::store_half(c.d, block + 208);
        }
        static constants choose(block_input const& in, code* q) noexcept
        {
            constants c{{}, {}};
            float scale[16], w[16];
            for (std::size_t g = 0; g < 16; ++g)
            {
                std::span<float const> weights; // none: squares
                if (!in.importance.empty())
                {
                    detail::as_weights(in.importance.subspan(g * 16, 16), w);
                    weights = w;
                }
                scale[g] = detail::fit_symmetric(in.x.subspan(g * 16, 16), weights, 32, q + g * 16);
            }
            if (detail::abs(detail::extreme(scale)) < detail::least_group)
                std::fill_n(q, super_block, code{0});
            else
            {
                c.d = from_float<half>(detail::scale_by_extreme(scale, 128, c.scale.data()));
                detail::recode_groups<q6_k>(in, c, 32, q);
            }
            return c;
        }
    };
}
