// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include "../header.hpp"
#include "blocks.hpp"

// What a file says of a tensor's type, also of those that are not decoded here.
namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf
{
    using safetensors::extents; // rows first: the other way round than in the file

    struct type_facts // of a type of tensors: values in bytes
    {
        std::string_view name;
        std::uint32_t id = 0;
        std::size_t values = 1, bytes = 1;
        bool is_decoded = false;
        std::span<word const> words; // what has another order in a big-endian file
    };
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf::detail
{
    inline constexpr std::array<word, 1> first_two{word{0, 2}}, first_four{word{0, 4}}, first_eight{word{0, 8}};

    // Those without a struct: their tensors are bytes. Where words are missing, a big-endian file is refused.
    inline constexpr std::array<type_facts, 15> other_types{{
        {"Q8_1", 9, 32, 36, false, {}},
        {"Q8_K", 15, 256, 292, false, {}},
        {"IQ2_XXS", 16, 256, 66, false, {}},
        {"IQ2_XS", 17, 256, 74, false, {}},
        {"IQ3_XXS", 18, 256, 98, false, {}},
        {"IQ1_S", 19, 256, 50, false, {}},
        {"IQ3_S", 21, 256, 110, false, {}},
        {"IQ2_S", 22, 256, 82, false, {}},
        {"I8", 24, 1, 1, false, {}},
        {"I16", 25, 1, 2, false, first_two},
        {"I32", 26, 1, 4, false, first_four},
        {"I64", 27, 1, 8, false, first_eight},
        {"F64", 28, 1, 8, false, first_eight},
        {"IQ1_M", 29, 256, 56, false, {}},
        {"NVFP4", 40, 64, 36, false, {}},
    }};
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf
{
    // The type of that number; nothing where there is none.
    inline std::optional<type_facts> find_type(std::uint32_t id)
    {
        for (type_facts const& t : detail::other_types)
            if (t.id == id)
                return t;
        std::optional<type_facts> found;
        visit_type(id, [&]<class T>(T) { found = {T::name, T::id, T::values, T::bytes, true, T::words}; });
        return found;
    }
    // The type of that name, as "Q4_K".
    inline std::optional<type_facts> find_type(std::string_view name)
    {
        for (std::uint32_t id = 0; id < 64; ++id)
            if (auto const t = find_type(id); t && t->name == name)
                return t;
        return std::nullopt;
    }

    // Bytes of a tensor; nothing when a row is no whole number of blocks, and from 2^61 values or 2^64 bytes on.
    inline std::optional<std::uint64_t> byte_size(type_facts const& type, extents const& shape)
    {
        auto const values = safetensors::byte_size(dtype::U8, shape); // as many as bytes of that shape
        std::uint64_t const columns = shape.empty() ? 1 : shape.back();
        if (!values || columns % type.values != 0)
            return std::nullopt;
        std::uint64_t const blocks = *values / type.values;
        if (blocks > std::uint64_t(-1) / type.bytes)
            return std::nullopt;
        return blocks * type.bytes;
    }

    // Turns the numbers inside blocks round: from a big-endian file, or for one.
    inline void swap_bytes(type_facts const& type, std::span<std::byte> blocks)
    {
        for (std::size_t at = 0; at + type.bytes <= blocks.size(); at += type.bytes)
            for (word const& w : type.words)
                std::reverse(blocks.data() + at + w.at, blocks.data() + at + w.at + w.size);
    }
}
