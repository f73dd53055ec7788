// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>
#include "dtype.hpp"
#include "foreign.hpp"
#include "json.hpp"
#include "reject.hpp"

// The head of a safetensors file: u64 length, one JSON object, spaces. All sizes below are hostile until checked here.
namespace jackplane::inline v0::inline JACKPLANE_TARGET::safetensors
{
    using extents = std::vector<std::uint64_t>; // row-major; [] is a scalar

    struct tensor // as the header describes it, with its bytes where the file is mapped
    {
        std::string name;
        dtype type = dtype::U8;
        extents shape;
        std::uint64_t offset = 0, size = 0; // of its data: bytes, from the file's start
        std::span<std::byte const> bytes;   // may be unaligned; size() == 0 while not mapped

        std::uint64_t end() const noexcept { return offset + size; }
    };

    // By name.
    using tensor_map = std::map<std::string, tensor, std::less<>>;
    using metadata_map = std::map<std::string, std::string, std::less<>>;

    struct header // of a safetensors file, checked
    {
        metadata_map metadata;
        tensor_map tensors;
        std::vector<tensor*> order;           // as they lie in the file: no holes, no overlaps
        std::uint64_t data_start = 0, end = 0; // bytes from the file's start; end is the length the file must have

        header() = default;
        header(header&&) = default; // a moved map keeps its nodes
        header& operator=(header&&) = default;
    };

    inline constexpr std::uint64_t largest_header = 100'000'000; // bytes of JSON; the reference reader's limit
    inline constexpr std::size_t largest_rank = 64;              // dimensions of a tensor

    // "[64, 172]", for messages; after eight sizes "..."
    inline std::string shape_text(extents const& s)
    {
        std::string line = "[";
        for (std::size_t i = 0; i < s.size(); ++i)
            line += (i == 0 ? "" : ", ") + (i < 8 ? std::to_string(s[i]) : std::string("..."));
        return line + "]";
    }

    // Bytes of a tensor; nothing when the number does not fit in 64 bits or ends inside a byte.
    inline std::optional<std::uint64_t> byte_size(dtype type, extents const& s)
    {
        constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
        std::uint64_t product = 1;
        for (std::uint64_t const size : s)
        {
            if (size != 0 && product > most / size)
                return std::nullopt;
            product *= size;
        }
        if (product > most / dtype_bits(type) || product * dtype_bits(type) % 8 != 0)
            return std::nullopt;
        return product * dtype_bits(type) / 8;
    }

    // Reads the head out of `bytes`, which must start at the file's start and hold at least the head.
    inline header read_header(std::string_view file, std::span<std::byte const> bytes);
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET::detail
{
    // The grammar of the header, as events: anything else in it is an error where it stands.
    class header_reader : public json_events
    {
    public:
        header_reader(std::string_view file, std::string_view json, safetensors::header& out)
            : json_events(file, json, 8), _out(out)
        {
        }

        bool start_object(std::size_t) override
        {
            if (_in == inside::nothing)
                _in = inside::root;
            else if (_in == inside::root && _name == "__metadata__")
                _in = inside::metadata;
            else if (_in == inside::root)
                _in = inside::tensor, _tensor = {}, _tensor.name = _name, _begin_end.clear(), _seen = 0;
            else
                unexpected("an object");
            return true;
        }
        bool key(std::string& k) override
        {
            if (_in == inside::root)
            {
                bool const is_new =
                    k == "__metadata__" ? !std::exchange(_has_metadata, true) : !_out.tensors.contains(k);
                if (!is_new)
                    refuse(k, "every name once", "it twice");
                _name = k;
            }
            else if (_in == inside::metadata && _out.metadata.contains(k))
                refuse("__metadata__", "every key once", text("'", printable(k), "' twice"));
            else if (_in == inside::tensor)
            {
                unsigned const bit = k == "dtype" ? 1 : k == "shape" ? 2 : k == "data_offsets" ? 4 : 0;
                if (bit == 0)
                    unexpected("the key '" + printable(k) + "'");
                if ((_seen & bit) != 0)
                    refuse(_name, "every key once", text("'", k, "' twice"));
                _seen |= bit;
            }
            _key = k;
            return true;
        }
        bool string(std::string& s) override
        {
            if (_in == inside::metadata)
                _out.metadata.emplace(_key, std::move(s));
            else if (_in == inside::tensor && _key == "dtype")
            {
                auto const type = find_dtype(s);
                if (!type)
                    refuse(_name, "a dtype (BOOL, U8, ..., F16, BF16, F32, F64)", text("'", printable(s), "'"));
                _tensor.type = *type;
            }
            else
                unexpected("the string '" + printable(s, 40) + "'");
            return true;
        }
        bool start_array(std::size_t) override
        {
            if (_in == inside::tensor && _key == "shape")
                _in = inside::shape;
            else if (_in == inside::tensor && _key == "data_offsets")
                _in = inside::offsets;
            else
                unexpected("an array");
            return true;
        }
        bool number_unsigned(std::uint64_t n) override
        {
            if (_in != inside::shape && _in != inside::offsets)
                unexpected(text("the number ", n));
            auto& list = _in == inside::shape ? _tensor.shape : _begin_end;
            if (list.size() == safetensors::largest_rank)
                refuse(_name, text("at most ", safetensors::largest_rank, " dimensions"), "more");
            list.push_back(n);
            return true;
        }
        bool end_array() override
        {
            _in = inside::tensor;
            return true;
        }
        bool end_object() override
        {
            if (_in == inside::tensor)
                finish();
            _in = _in == inside::root ? inside::nothing : inside::root;
            return true;
        }

        bool unexpected(std::string const& what) override
        {
            std::string const wanted = _in == inside::nothing    ? "an object"
                                       : _in == inside::root     ? "an object for each name"
                                       : _in == inside::metadata ? "strings only in __metadata__"
                                       : _in == inside::tensor   ? "dtype, shape and data_offsets"
                                                                 : "whole numbers below 2^64";
            refuse(_in == inside::nothing ? "" : _name, wanted, what);
        }

    private:
        void finish() // one tensor by itself; read_header() checks them against each other
        {
            if (_seen != 7)
                refuse(_name, "dtype, shape and data_offsets", "not all three");
            if (_begin_end.size() != 2 || _begin_end[0] > _begin_end[1])
                refuse(_name, "data_offsets [begin, end]", safetensors::shape_text(_begin_end));
            _tensor.offset = _begin_end[0];
            _tensor.size = _begin_end[1] - _begin_end[0];
            auto const size = safetensors::byte_size(_tensor.type, _tensor.shape);
            std::string const what = text(dtype_name(_tensor.type), " ", safetensors::shape_text(_tensor.shape));
            if (!size)
                refuse(_name, "a size in whole bytes below 2^64", what);
            if (*size != _tensor.size)
                refuse(_name, text(*size, " bytes for ", what), text(_tensor.size, " in data_offsets ",
                                                                     safetensors::shape_text(_begin_end)));
            _out.tensors.emplace(_name, std::move(_tensor));
        }

        enum class inside { nothing, root, metadata, tensor, shape, offsets };
        inside _in = inside::nothing;
        std::string _name, _key;
        bool _has_metadata = false;
        unsigned _seen = 0; // bits: dtype, shape, data_offsets
        safetensors::tensor _tensor;
        safetensors::extents _begin_end;
        safetensors::header& _out;
    };

    inline std::uint64_t read_u64(std::byte const* p) // little-endian on every machine
    {
        std::uint64_t n = 0;
        if constexpr (std::endian::native == std::endian::little)
            std::memcpy(&n, p, sizeof n);
        else
            for (int i = 7; i >= 0; --i)
                n = n << 8 | std::to_integer<std::uint64_t>(p[i]);
        return n;
    }
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET::safetensors
{
    inline header read_header(std::string_view file, std::span<std::byte const> bytes)
    {
        if (bytes.size() < 9 || bytes[8] != std::byte{'{'})
            if (std::string const found = detail::foreign(bytes); !found.empty())
                detail::reject({file, "", 0}, "a safetensors file", found);
        if (bytes.size() < 8)
            detail::reject({file, "", 0}, "8 bytes of header length", text("a file of ", bytes.size()));
        std::uint64_t const length = detail::read_u64(bytes.data());
        if (length < 2 || length > largest_header)
            detail::reject({file, "", 0}, text("a header of 2 to ", largest_header, " bytes"), text(length));
        if (length > bytes.size() - 8)
            detail::reject({file, "", 0}, text("a header of ", length, " bytes"), text("a file of ", bytes.size()));
        std::string_view const json(reinterpret_cast<char const*>(bytes.data()) + 8, static_cast<std::size_t>(length));
        auto const last = json.find_last_not_of(' ');
        if (json.front() != '{')
            detail::reject({file, "", 8}, "'{'", text("'", detail::printable(json.substr(0, 1)), "'"));
        if (json[last] != '}')
            detail::reject({file, "", 8 + last}, "'}' and then spaces only",
                           text("'", detail::printable(json.substr(last, 1)), "'"));

        header head;
        detail::header_reader(file, json, head).read();
        head.data_start = 8 + length;
        for (auto& [name, tensor] : head.tensors)
            head.order.push_back(&tensor);
        auto const place = [](tensor const* t) { return std::tie(t->offset, t->size, t->name); };
        std::sort(head.order.begin(), head.order.end(),
                  [&](tensor const* a, tensor const* b) { return place(a) < place(b); });
        std::uint64_t end = 0; // of the data, from data_start
        for (tensor* t : head.order)
        {
            if (t->offset != end)
                detail::reject({file, t->name, head.data_start},
                               text("its data to begin at ", end, t->offset < end ? " (no overlaps)" : " (no holes)"),
                               text("data_offsets ", shape_text({t->offset, t->offset + t->size})));
            end = t->offset + t->size; // finish() saw begin <= end <= 2^64 - 1
            t->offset += head.data_start; // wraps only if `end` is rejected below
        }
        if (end > std::numeric_limits<std::uint64_t>::max() - head.data_start)
            detail::reject({file, "", 8}, "a file below 2^64 bytes", text(end, " bytes of data"));
        head.end = head.data_start + end;
        return head;
    }
}
