// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include "header.hpp"
#include "write.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET::safetensors
{
    using sink = std::function<void(std::span<std::byte const>)>; // takes the next bytes

    // One tensor to write: its bytes, or a callback that hands them over piece by piece when their turn comes, so that
    // memory never holds the whole file.
    struct item
    {
        std::string name;
        dtype type = dtype::U8;
        extents shape;
        std::span<std::byte const> bytes;
        std::function<void(sink const&)> fill; // used instead of bytes when set

        template <class T>
        static item of(std::string name, extents shape, std::span<T const> values) // a view of them
        {
            return {std::move(name), dtype_of<T>, std::move(shape), std::as_bytes(values), {}};
        }
    };

    // The head for tensors in the order given; spaces make the data start at a multiple of `alignment`.
    inline std::string write_header(std::string_view file, std::span<item const> items, metadata_map const& metadata,
                                    std::size_t alignment = 8)
    {
        std::string json = "{";
        if (!metadata.empty())
        {
            json += "\"__metadata__\":{";
            for (auto const& [key, value] : metadata)
                json += text(json.back() == '{' ? "" : ",", detail::quoted(file, key), ":",
                             detail::quoted(file, value));
            json += "}";
        }
        std::set<std::string_view> names = {"__metadata__"};
        std::uint64_t begin = 0;
        for (item const& i : items)
        {
            auto const size = byte_size(i.type, i.shape);
            std::uint64_t const end = begin + size.value_or(0);
            JACKPLANE_EXPECTS(size && end >= begin, shape_error, "tensor '", detail::printable(i.name),
                              "': ", dtype_name(i.type), " ", shape_text(i.shape),
                              " has no size in whole bytes below 2^64");
            JACKPLANE_EXPECTS(i.fill || i.bytes.size() == *size, shape_error, "tensor '", detail::printable(i.name),
                              "': ", dtype_name(i.type), " ", shape_text(i.shape), " needs ", *size, " bytes, not ",
                              i.bytes.size());
            JACKPLANE_EXPECTS(names.insert(i.name).second, format_error, "tensor '", detail::printable(i.name),
                              "': the name is taken");
            json += text(json.back() == '{' ? "" : ",", detail::quoted(file, i.name), ":{\"dtype\":\"",
                         dtype_name(i.type), "\",\"shape\":[");
            for (std::uint64_t const n : i.shape)
                json += text(json.back() == '[' ? "" : ",", n);
            json += text("],\"data_offsets\":[", begin, ",", end, "]}");
            begin = end;
        }
        json += "}";
        json.append((alignment - (8 + json.size()) % alignment) % alignment, ' ');
        JACKPLANE_EXPECTS(json.size() <= largest_header, format_error, detail::one_line(file), ": a header of ",
                          json.size(), " bytes; readers take ", largest_header);
        std::string head;
        for (unsigned shift = 0; shift < 64; shift += 8)
            head += static_cast<char>(static_cast<unsigned char>(std::uint64_t{json.size()} >> shift & 255u));
        return head + json;
    }

    // Hands an item's bytes to `out` and checks that they are as many as its shape says.
    inline void write_data(item const& i, sink const& out)
    {
        if (!i.fill)
            return out(i.bytes);
        std::uint64_t written = 0;
        i.fill([&](std::span<std::byte const> bytes) { written += bytes.size(), out(bytes); });
        JACKPLANE_EXPECTS(written == byte_size(i.type, i.shape), shape_error, "tensor '", detail::printable(i.name),
                          "': ", dtype_name(i.type), " ", shape_text(i.shape), " was filled with ", written, " bytes");
    }

    // Writes the file whole or not at all (atomic_file), tensors in the order given.
    inline void save(std::filesystem::path const& path, std::span<item const> items, metadata_map const& metadata = {},
                     std::size_t alignment = 8)
    {
        std::string const head = write_header(path.string(), items, metadata, alignment);
        atomic_file out(path);
        out.write(std::as_bytes(std::span(head)));
        for (item const& i : items)
            write_data(i, [&](std::span<std::byte const> bytes) { out.write(bytes); });
        out.commit();
    }
}
