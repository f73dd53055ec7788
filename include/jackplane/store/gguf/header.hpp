// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>
#include "../foreign.hpp"
#include "tensor.hpp"

// The head of a GGUF file, versions 2 and 3: counts, metadata, what the tensors are. All of it is hostile until checked
// here.
namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf::detail
{
    inline constexpr std::string_view magic = "GGUF";

    // n, far below 2^64, up to a multiple of a power of two.
    constexpr std::uint64_t padded(std::uint64_t n, std::uint64_t alignment) noexcept
    {
        return (n + (alignment - 1)) & ~(alignment - 1);
    }

    class header_reader
    {
    public:
        header_reader(std::string_view file, std::span<std::byte const> bytes) : _file(file), _bytes(bytes) {}

        header read()
        {
            header h;
            h.metadata = metadata(std::string(_file));
            read_version(h);
            auto const tensors = count("tensors", least_tensor), keys = count("keys", least_key);
            for (std::uint64_t i = 0; i < keys; ++i)
                read_key(h);
            _name = {};
            read_alignment(h);
            for (std::uint64_t i = 0; i < tensors; ++i)
                read_tensor(h);
            place_tensors(h);
            return h;
        }

    private:
        static constexpr std::uint64_t least_tensor = 24, least_key = 14; // bytes
        static constexpr std::uint64_t largest_data = std::uint64_t{1} << 62;

        [[noreturn]] void refuse(std::size_t offset, std::string const& expected, std::string const& found) const
        {
            reject({_file, _name, offset, _kind}, expected, found);
        }
        [[noreturn]] void refuse(std::string const& expected, std::string const& found) const
        {
            refuse(_at, expected, found);
        }
        std::size_t left() const noexcept { return _bytes.size() - _at; }
        std::span<std::byte const> take(std::uint64_t size, std::string_view what)
        {
            if (size > left())
                refuse(text(size, " bytes of ", what), text(left(), " up to the end of the file"));
            auto const taken = _bytes.subspan(_at, static_cast<std::size_t>(size));
            _at += taken.size();
            return taken;
        }
        template <class T>
        T number(std::string_view what)
        {
            std::byte bytes[sizeof(T)];
            auto const taken = take(sizeof(T), what);
            std::copy(taken.begin(), taken.end(), bytes);
            if (_is_swapped)
                std::reverse(bytes, bytes + sizeof(T));
            return std::bit_cast<T>(bytes);
        }
        std::string string(std::string_view what)
        {
            auto const taken = take(number<std::uint64_t>(text("the length of ", what)), what);
            return {reinterpret_cast<char const*>(taken.data()), taken.size()};
        }
        std::uint64_t count(std::string_view what, std::uint64_t least)
        {
            std::size_t const at = _at;
            auto const n = number<std::uint64_t>(text("the number of ", what));
            if (n > left() / least)
                refuse(at, text("at most ", left() / least, " ", what), text(n));
            return n;
        }

        void read_version(header& h)
        {
            std::string_view const all(reinterpret_cast<char const*>(_bytes.data()), _bytes.size());
            if (!all.starts_with(magic))
            {
                std::string const known = foreign(all);
                refuse("a GGUF file",
                       known.empty() ? text("a file that begins with '", printable(all.substr(0, 4)), "'") : known);
            }
            _at = magic.size();
            auto version = number<std::uint32_t>("the version");
            h.is_big_endian = _is_swapped = (version & 0xffffu) == 0;
            if (_is_swapped)
                version = __builtin_bswap32(version);
            if (version != 2 && version != 3)
                refuse(magic.size(), "version 2 or 3", text(version));
            h.version = version;
        }

        template <class T>
        void read_into(T& to)
        {
            if constexpr (std::same_as<T, std::string>)
                to = string("a string");
            else if constexpr (std::same_as<T, bool>)
            {
                auto const b = number<std::uint8_t>("a value");
                if (b > 1)
                    refuse(_at - 1, "a BOOL of 0 or 1", text(b));
                to = b == 1;
            }
            else if constexpr (std::same_as<T, array>)
            {
                auto const kind = number<std::uint32_t>("the type of elements");
                auto const n = number<std::uint64_t>("the number of elements");
                if (!emplace(to, kind) || kind == 9)
                    refuse(_at - 12, "elements of a type from 0 to 12, no arrays", text(kind));
                std::visit([&](auto& list) { read_list(list, n); }, to);
            }
            else
                to = number<T>("a value");
        }
        void read_list(std::monostate&, std::uint64_t) {}
        template <class E>
        void read_list(std::vector<E>& list, std::uint64_t n)
        {
            constexpr std::size_t least = std::same_as<E, std::string> ? 8 : sizeof(E); // bytes of an element
            if (n > left() / least)
                refuse(_at - 8, text("at most ", left() / least, " elements"), text(n));
            list.reserve(static_cast<std::size_t>(n));
            for (std::uint64_t i = 0; i < n; ++i)
            {
                E e{};
                read_into(e);
                list.push_back(std::move(e));
            }
        }
        template <class Variant> // value and array have their alternatives at the same places
        static bool emplace(Variant& v, std::uint32_t kind)
        {
            return [&]<std::size_t... I>(std::index_sequence<I...>)
            {
                return ((I == kind && (v.template emplace<I>(), true)) || ...);
            }
            (std::make_index_sequence<std::variant_size_v<Variant>>{});
        }

        void read_key(header& h)
        {
            std::size_t const at = _at;
            _name = {};
            std::string key = string("a key");
            if (key.empty() || key.size() > largest_key)
                refuse(at, text("a key of 1 to ", largest_key, " bytes"), text(key.size()));
            _kind = "key", _name = key;
            if (h.metadata.find(key) != nullptr)
                refuse(at, "every key once", "another");
            auto const kind = number<std::uint32_t>("the type");
            value v;
            if (!emplace(v, kind))
                refuse(_at - 4, "a type from 0 to 12", text(kind));
            std::visit([&](auto& to) { read_into(to); }, v);
            h.metadata.set(std::move(key), std::move(v));
        }
        void read_alignment(header& h) const
        {
            h.alignment = h.metadata.get_or<std::uint32_t>(alignment_key, 32);
            JACKPLANE_EXPECTS(std::has_single_bit(h.alignment), format_error, one_line(_file), ": key '", alignment_key,
                              "': expected a power of two, found ", h.alignment);
            auto const parts = h.metadata.get_or<std::uint64_t>("split.count", 1);
            JACKPLANE_EXPECTS(parts <= 1, format_error, one_line(_file),
                              ": key 'split.count': expected a whole model, "
                              "found one of ",
                              parts, " parts; llama-gguf-split --merge joins them");
        }

        void read_tensor(header& h)
        {
            std::size_t const at = _at;
            tensor t;
            _name = {};
            t.name = string("the name of a tensor");
            _kind = "tensor", _name = t.name;
            if (t.name.size() > largest_key)
                refuse(at, text("a name of at most ", largest_key, " bytes"), text(t.name.size()));
            auto const rank = number<std::uint32_t>("the number of dimensions");
            if (rank > largest_rank)
                refuse(_at - 4, text("at most ", largest_rank, " dimensions"), text(rank));
            t.shape.resize(rank);
            for (auto size = t.shape.rbegin(); size != t.shape.rend(); ++size)
                *size = number<std::uint64_t>("a dimension");
            auto const type = number<std::uint32_t>("the type");
            auto const facts = find_type(type);
            if (!facts)
                refuse(_at - 4, "a type of tensors that is known", text(type));
            t.type = *facts;
            auto const size = byte_size(t.type, t.shape);
            if (!size)
                refuse(at,
                       text("rows of whole ", t.type.name, " blocks of ", t.type.values, " and fewer than 2^61 values"),
                       safetensors::shape_text(t.shape));
            t.size = *size;
            t.offset = number<std::uint64_t>("the offset");
            if (t.offset != h.end)
                refuse(_at - 8, text("the offset ", h.end), text(t.offset));
            if (t.size > largest_data - std::min(h.end, largest_data))
                refuse(at, "data of less than 2^62 bytes", text(t.size));
            h.end = padded(h.end + t.size, h.alignment); // of the data alone, for now
            auto const [place, is_new] = h.tensors.emplace(t.name, t);
            if (!is_new)
                refuse(at, "every name once", "another");
            h.order.push_back(&place->second);
        }

        // Offsets from the file's start, bytes, and that the file ends where the last tensor does or its padding.
        void place_tensors(header& h)
        {
            _name = {};
            h.data_start = padded(_at, h.alignment);
            std::uint64_t const padded_end = h.data_start + h.end;
            h.end = h.order.empty() ? _at : h.data_start + h.order.back()->offset + h.order.back()->size;
            for (tensor* t : h.order)
                t->offset += h.data_start;
            if (_bytes.size() < h.end || _bytes.size() > padded_end)
            {
                _name = h.order.empty() ? std::string_view() : std::string_view(h.order.back()->name);
                refuse(_bytes.size(), text("a file of ", padded_end, " bytes"),
                       text(_bytes.size(), _bytes.size() < h.end ? " (truncated)" : ""));
            }
            for (tensor* t : h.order)
                t->bytes = _bytes.subspan(static_cast<std::size_t>(t->offset), static_cast<std::size_t>(t->size));
        }

        std::string_view _file, _kind = "tensor", _name; // what is being read
        std::span<std::byte const> _bytes;
        std::size_t _at = 0;
        bool _is_swapped = false;
    };
}
