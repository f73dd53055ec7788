// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include "../core/number.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // Element types as files name them (safetensors' list); values are little-endian.
    enum class dtype : std::uint8_t
    {
        BOOL, F4, F6_E2M3, F6_E3M2, U8, I8, F8_E5M2, F8_E4M3, F8_E8M0, F8_E4M3FNUZ, F8_E5M2FNUZ,
        I16, U16, F16, BF16, I32, U32, F32, C64, F64, I64, U64
    };

    namespace detail
    {
        struct dtype_facts
        {
            std::string_view name;
            unsigned bits;
        };
        inline constexpr std::array<dtype_facts, 22> dtypes = {{
            {"BOOL", 8}, {"F4", 4}, {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8}, {"I8", 8}, {"F8_E5M2", 8},
            {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16}, {"U16", 16},
            {"F16", 16}, {"BF16", 16}, {"I32", 32}, {"U32", 32}, {"F32", 32}, {"C64", 64}, {"F64", 64}, {"I64", 64},
            {"U64", 64},
        }};
    }

    // "BF16", and bits of one element
    constexpr std::string_view dtype_name(dtype type) noexcept
    {
        return detail::dtypes[static_cast<std::size_t>(type)].name;
    }
    constexpr unsigned dtype_bits(dtype type) noexcept { return detail::dtypes[static_cast<std::size_t>(type)].bits; }
    static_assert(dtype_name(dtype::BF16) == "BF16" && dtype_name(dtype::U64) == "U64");
    static_assert(dtype_bits(dtype::F8_E5M2FNUZ) == 8 && dtype_bits(dtype::U64) == 64);

    constexpr std::optional<dtype> find_dtype(std::string_view name) noexcept
    {
        for (std::size_t i = 0; i < detail::dtypes.size(); ++i)
            if (detail::dtypes[i].name == name)
                return static_cast<dtype>(i);
        return std::nullopt;
    }

    namespace detail
    {
        template <class T>
        consteval dtype find_dtype_of()
        {
            if constexpr (std::same_as<T, std::byte>)
                return dtype::U8;
            else if constexpr (std::same_as<T, half>)
                return dtype::F16;
            else if constexpr (std::same_as<T, bfloat16>)
                return dtype::BF16;
            else if constexpr (std::same_as<T, float>)
                return dtype::F32;
            else if constexpr (std::same_as<T, double>)
                return dtype::F64;
            else
            {
                static_assert(std::integral<T> && sizeof(T) <= 8, "no file has elements of this type");
                constexpr bool has_sign = std::signed_integral<T>;
                return std::same_as<T, bool> ? dtype::BOOL
                       : sizeof(T) == 1      ? (has_sign ? dtype::I8 : dtype::U8)
                       : sizeof(T) == 2      ? (has_sign ? dtype::I16 : dtype::U16)
                       : sizeof(T) == 4      ? (has_sign ? dtype::I32 : dtype::U32)
                                             : (has_sign ? dtype::I64 : dtype::U64);
            }
        }
    }
    template <class T>
    inline constexpr dtype dtype_of = detail::find_dtype_of<T>();
}
