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
    // What they share.
    template <class Element, std::uint32_t Id>
    struct plain_type
    {
        using element = Element;
        static constexpr std::uint32_t id = Id;
        static constexpr std::size_t values = 1, bytes = sizeof(Element);
        static constexpr std::array words{word{0, sizeof(Element)}};
    };
    // float
    struct f32 : plain_type<float, 0>
    {
        static constexpr std::string_view name = "F32";
    };
    // half
    struct f16 : plain_type<half, 1>
    {
        static constexpr std::string_view name = "F16";
    };
    // bfloat16
    struct bf16 : plain_type<bfloat16, 30>
    {
        static constexpr std::string_view name = "BF16";
    };
}
