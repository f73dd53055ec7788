// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>
#include "../write.hpp"
#include "header.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf
{
    using sink = std::function<void(std::span<std::byte const>)>; // takes the next bytes

    // One tensor to write: its blocks, or a callback that hands them over piece by piece when their turn comes.
    struct item
    {
        std::string name;
        std::uint32_t type = 0;
        extents shape; // rows first
        std::span<std::byte const> bytes;
        std::function<void(sink const&)> fill; // used instead of bytes when set

        template <class Block>
        static item of(std::string name, extents shape, std::span<std::byte const> bytes) // a view of them
        {
            return {std::move(name), Block::id, std::move(shape), bytes, {}};
        }
        static item of(tensor const& t) { return {t.name, t.type.id, t.shape, t.bytes, {}}; } // of another file
    };
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf::detail
{
    class header_writer
    {
    public:
        template <class T>
        void add(T const& number)
        {
            auto const bytes = std::bit_cast<std::array<char, sizeof(T)>>(number);
            head.append(bytes.data(), bytes.size());
        }
        void add(bool b) { head += static_cast<char>(b); }
        void add(std::monostate) {}
        void add(std::string const& s)
        {
            add(std::uint64_t{s.size()});
            head += s;
        }
        void add(array const& list)
        {
            add(static_cast<std::uint32_t>(list.index()));
            std::visit(
                [&]<class List>(List const& each)
                {
                    if constexpr (!std::same_as<List, std::monostate>)
                    {
                        add(std::uint64_t{each.size()});
                        for (auto const& e : each)
                            add(typename List::value_type(e));
                    }
                },
                list);
        }
        void add(value const& v)
        {
            add(static_cast<std::uint32_t>(v.index()));
            std::visit([&](auto const& of) { add(of); }, v);
        }

        std::string head;
    };

    inline std::uint64_t item_size(item const& i)
    {
        auto const type = find_type(i.type);
        JACKPLANE_EXPECTS(type.has_value(), format_error, "tensor '", printable(i.name), "': no type ", i.type);
        auto const size = byte_size(*type, i.shape);
        JACKPLANE_EXPECTS(size.has_value(), shape_error, "tensor '", printable(i.name), "': ", type->name,
                          " of blocks of ", type->values, " has no rows of ", safetensors::shape_text(i.shape));
        JACKPLANE_EXPECTS(i.fill || i.bytes.size() == *size, shape_error, "tensor '", printable(i.name),
                          "': ", type->name, " ", safetensors::shape_text(i.shape), " needs ", *size, " bytes, not ",
                          i.bytes.size());
        return *size;
    }
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf
{
    // The head of a file of version 3, up to the data, for tensors in the order given. Throws format_error for names
    // and keys that readers refuse, shape_error where sizes do not agree.
    inline std::string write_header(std::span<item const> items, metadata const& about)
    {
        detail::header_writer to;
        to.head = detail::magic;
        to.add(std::uint32_t{3});
        to.add(std::uint64_t{items.size()});
        to.add(std::uint64_t{about.size()});
        for (auto const& [key, v] : about)
        {
            JACKPLANE_EXPECTS(!key.empty() && key.size() <= largest_key, format_error, "key '", detail::printable(key),
                              "': of 1 to ", largest_key, " bytes");
            to.add(key);
            to.add(v);
        }
        std::uint64_t const alignment = about.get_or<std::uint32_t>(alignment_key, 32);
        JACKPLANE_EXPECTS(std::has_single_bit(alignment), format_error, "key '", alignment_key,
                          "': expected a power of two, found ", alignment);
        std::set<std::string_view> names;
        std::uint64_t offset = 0;
        for (item const& i : items)
        {
            JACKPLANE_EXPECTS(i.name.size() <= largest_name, format_error, "tensor '", detail::printable(i.name),
                              "': a name of ", i.name.size(), " bytes; readers take ", largest_name);
            JACKPLANE_EXPECTS(names.insert(i.name).second, format_error, "tensor '", detail::printable(i.name),
                              "': the name is taken");
            JACKPLANE_EXPECTS(i.shape.size() <= largest_rank, shape_error, "tensor '", detail::printable(i.name),
                              "': ", i.shape.size(), " dimensions; readers take ", largest_rank);
            std::uint64_t const size = detail::item_size(i);
            to.add(i.name);
            to.add(static_cast<std::uint32_t>(i.shape.size()));
            for (auto n = i.shape.rbegin(); n != i.shape.rend(); ++n)
                to.add(*n);
            to.add(i.type);
            to.add(offset);
            offset = detail::padded(offset + size, alignment);
        }
        to.head.resize(static_cast<std::size_t>(detail::padded(to.head.size(), alignment)));
        return to.head;
    }

    // Writes the file whole or not at all (atomic_file), tensors in the order given. `general.alignment` of the
    // metadata is that of the file; nothing is added to the metadata.
    inline void save(atomic_file& out, std::span<item const> items, metadata const& about) // and commits
    {
        std::string const head = write_header(items, about);
        auto const alignment = about.get_or<std::uint32_t>(alignment_key, 32);
        out.write(std::as_bytes(std::span(head)));
        for (item const& i : items)
        {
            std::uint64_t const size = detail::item_size(i);
            std::uint64_t written = i.fill ? 0 : size;
            if (i.fill)
                i.fill([&](std::span<std::byte const> bytes) { written += bytes.size(), out.write(bytes); });
            else
                out.write(i.bytes);
            JACKPLANE_EXPECTS(written == size, shape_error, "tensor '", detail::printable(i.name), "': ", size,
                              " bytes were filled with ", written);
            std::string const padding(static_cast<std::size_t>(detail::padded(size, alignment) - size), '\0');
            out.write(std::as_bytes(std::span(padding)));
        }
        out.commit();
    }
    inline void save(std::filesystem::path const& path, std::span<item const> items, metadata const& about)
    {
        atomic_file out(path);
        save(out, items, about);
    }
}
