// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// Blocks of every linear type, and planes for their codes.
#include <cstring>
#include <random>
#include <tuple>
#include <type_traits>
#include <vector>
#include <jackplane/pack/planes.hpp>
#include <jackplane/store/gguf/blocks.hpp>

// Random blocks whose scales are finite: any bytes for codes, halves of ordinary size for constants.
template <class T>
std::vector<std::byte> random_blocks(std::size_t count)
{
    std::mt19937 draw(T::id);
    std::vector<std::byte> blocks(count * T::bytes);
    for (std::byte& b : blocks)
        b = static_cast<std::byte>(draw() & 255);
    for (std::size_t i = 0; i < count; ++i)
        for (auto const& word : T::words)
            if (word.size == 2)
            {
                auto const x =
                    jackplane::from_float<jackplane::half>(static_cast<float>(draw() % 2000) / 4096.0f - 0.2f);
                std::memcpy(blocks.data() + i * T::bytes + word.at, &x, 2);
            }
    return blocks;
}

// A plane has 1, 2, 4 or 8 bits.
template <unsigned Bits>
constexpr auto planes_of()
{
    if constexpr (Bits == 3)
        return jackplane::planes<2, 1>{};
    else if constexpr (Bits == 5)
        return jackplane::planes<4, 1>{};
    else if constexpr (Bits == 6)
        return jackplane::planes<4, 2>{};
    else
        return jackplane::planes<Bits>{};
}
template <unsigned Bits>
using planes_for = decltype(planes_of<Bits>());

template <class T>
using if_linear = std::conditional_t<jackplane::gguf::linear_block<T>, std::tuple<T>, std::tuple<>>;
template <class... T>
auto linear_of(jackplane::gguf::type_list<T...>) -> decltype(std::tuple_cat(if_linear<T>{}...));
using linear_blocks = decltype(linear_of(jackplane::gguf::block_types{}));
static_assert(std::tuple_size_v<linear_blocks> == 14);
