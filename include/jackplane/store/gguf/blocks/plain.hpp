// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include "fields.hpp"

// Types without blocks.
namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf
{
    // float
    struct f32
    {
        using element = float;
        static constexpr std::string_view name = "F32";
        static constexpr std::uint32_t id = 0;
        static constexpr std::size_t values = 1, bytes = 4;
        static constexpr std::array words{word{0, 4}};
    };
    // half
    struct f16
    {
        using element = half;
        static constexpr std::string_view name = "F16";
        static constexpr std::uint32_t id = 1;
        static constexpr std::size_t values = 1, bytes = 2;
        static constexpr std::array words{word{0, 2}};
    };
    // bfloat16
    struct bf16
    {
        using element = bfloat16;
        static constexpr std::string_view name = "BF16";
        static constexpr std::uint32_t id = 30;
        static constexpr std::size_t values = 1, bytes = 2;
        static constexpr std::array words{word{0, 2}};
    };
}
