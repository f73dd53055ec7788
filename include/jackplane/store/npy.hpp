// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include "../core/number.hpp"
#include "../core/view.hpp"
#include "dtype.hpp"
#include "foreign.hpp"
#include "header.hpp"
#include "map.hpp"
#include "reject.hpp"
#include "write.hpp"

// NumPy's .npy, versions 1 and 2: magic, version, header length, a Python dict, data in C order.
namespace jackplane::inline v0::inline JACKPLANE_TARGET::npy
{
    static_assert(std::endian::native == std::endian::little);
    using safetensors::extents;

    // An array where its bytes lie; keep() of its file keeps them.
    struct array
    {
        dtype type = dtype::U8;
        extents shape;                    // row-major
        std::span<std::byte const> bytes; // may be unaligned
        std::shared_ptr<void const> keep;
        std::string file; // for messages

        template <class T>
        aligned_vector<T> read() const
        {
            JACKPLANE_EXPECTS(type == dtype_of<T>, format_error, detail::one_line(file), ": expected ",
                              dtype_name(dtype_of<T>), ", found ", dtype_name(type));
            aligned_vector<T> out(bytes.size() / sizeof(T));
            if (!out.empty())
                std::memcpy(out.data(), bytes.data(), bytes.size());
            return out;
        }
    };
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET::detail
{
    inline constexpr std::string_view npy_magic = "\x93NUMPY";

    struct npy_code // NumPy's name of an element type
    {
        std::string_view code;
        dtype type;
    };
    inline constexpr npy_code npy_codes[] = {
        {"|u1", dtype::U8},  {"|i1", dtype::I8},  {"|b1", dtype::BOOL}, {"<u2", dtype::U16},
        {"<i2", dtype::I16}, {"<u4", dtype::U32}, {"<i4", dtype::I32},  {"<u8", dtype::U64},
        {"<i8", dtype::I64}, {"<f2", dtype::F16}, {"<f4", dtype::F32},  {"<f8", dtype::F64},
    };

    // The dict of three keys that NumPy writes, and nothing more of Python: 'descr', 'fortran_order', 'shape'.
    class npy_dict
    {
    public:
        npy_dict(std::string_view file, std::string_view dict, std::size_t offset)
            : _file(file), _rest(dict), _all(dict), _offset(offset)
        {
        }

        void read(npy::array& out)
        {
            unsigned seen = 0;
            expect("{");
            while (!next("}"))
            {
                std::string_view const key = quoted_text();
                expect(":");
                unsigned const bit = key == "descr" ? 1 : key == "fortran_order" ? 2 : key == "shape" ? 4 : 0;
                if (bit == 0 || (seen & bit) != 0)
                    refuse("descr, fortran_order and shape, once each", text("'", printable(key), "'"));
                seen |= bit;
                if (bit == 1)
                    out.type = type();
                else if (bit == 2 && !next("False"))
                    refuse("fortran_order False (row-major data)",
                           next("True") ? "True: save it with numpy.ascontiguousarray" : sample());
                else if (bit == 4)
                    out.shape = shape();
                if (!next(","))
                {
                    expect("}");
                    break;
                }
            }
            if (seen != 7)
                refuse("descr, fortran_order and shape", "not all three");
            if (!next("\n") || !_rest.empty())
                refuse("spaces and one newline at the header's end", sample());
        }

    private:
        bool next(std::string_view token)
        {
            while (!_rest.empty() && _rest.front() == ' ')
                _rest.remove_prefix(1);
            bool const is_next = _rest.substr(0, token.size()) == token;
            if (is_next)
                _rest.remove_prefix(token.size());
            return is_next;
        }
        void expect(std::string_view token)
        {
            if (!next(token))
                refuse(text("'", token, "'"), sample());
        }
        std::string_view quoted_text()
        {
            std::string_view const quote = next("'") ? "'" : "\"";
            if (quote == "\"")
                expect(quote);
            auto const size = _rest.find(quote);
            if (size == std::string_view::npos)
                refuse("a closing quote", sample());
            auto const inner = _rest.substr(0, size);
            _rest.remove_prefix(size + 1);
            return inner;
        }
        dtype type()
        {
            if (next("["))
                refuse("a plain element type", "a record");
            std::string_view const code = quoted_text();
            for (npy_code const& known : npy_codes)
                if (known.code == code)
                    return known.type;
            refuse("descr |u1, |i1, |b1, <u2, <i2, <u4, <i4, <u8, <i8, <f2, <f4 or <f8",
                   text("'", printable(code), "'"));
        }
        npy::extents shape()
        {
            npy::extents sizes;
            expect("(");
            for (bool ended = next(")"); !ended;)
            {
                std::uint64_t n = 0;
                bool has_digit = false;
                for (next(""); !_rest.empty() && _rest.front() >= '0' && _rest.front() <= '9'; _rest.remove_prefix(1))
                {
                    auto const digit = static_cast<std::uint64_t>(_rest.front() - '0');
                    if (n > (std::numeric_limits<std::uint64_t>::max() - digit) / 10)
                        refuse("a dimension below 2^64", "more");
                    n = n * 10 + digit;
                    has_digit = true;
                }
                if (!has_digit)
                    refuse("a dimension", sample());
                if (sizes.size() == safetensors::largest_rank)
                    refuse(text("at most ", safetensors::largest_rank, " dimensions"), "more");
                sizes.push_back(n);
                bool const has_comma = next(",");
                ended = next(")");
                if (!ended && !has_comma)
                    refuse("',' or ')'", sample());
                if (ended && !has_comma && sizes.size() == 1)
                    refuse("(n,)", "(n)");
            }
            return sizes;
        }

        std::string sample() const
        {
            return _rest.empty() ? "the end" : text("'", printable(_rest.substr(0, 16)), "'");
        }
        [[noreturn]] void refuse(std::string const& expected, std::string const& found) const
        {
            reject({_file, "", _offset + (_all.size() - _rest.size())}, expected, found);
        }

        std::string_view _file, _rest, _all;
        std::size_t _offset; // of the dict in the file
    };
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET::npy
{
    // An array of NumPy over bytes that the caller keeps alive, by himself or through `keep`. Throws format_error.
    inline array parse(std::span<std::byte const> bytes, std::string file, std::shared_ptr<void const> keep = {})
    {
        std::string_view const all(reinterpret_cast<char const*>(bytes.data()), bytes.size());
        auto const byte = [&](std::size_t i) { return std::to_integer<std::size_t>(bytes[i]); };
        if (std::string const found = detail::foreign(all); !found.empty() && !all.starts_with(detail::npy_magic))
            detail::reject({file, "", 0}, "a .npy file", found);
        if (all.size() < 12 || all.substr(0, 6) != detail::npy_magic)
            detail::reject({file, "", 0}, "\\x93NUMPY and a header",
                           all.size() < 12 ? text("a file of ", all.size(), " bytes")
                                           : text("'", detail::printable(all.substr(0, 6)), "'"));
        if ((byte(6) != 1 && byte(6) != 2) || byte(7) != 0)
            detail::reject({file, "", 6}, "version 1.0 or 2.0", text(byte(6), ".", byte(7)));
        std::size_t const start = byte(6) == 1 ? 10 : 12;
        std::size_t const length =
            byte(8) | byte(9) << 8 | (byte(6) == 1 ? 0 : byte(10) << 16 | byte(11) << 24); // of the dict
        if (length > all.size() - start)
            detail::reject({file, "", 8}, text("a header of ", length, " bytes"), text("a file of ", all.size()));
        array out;
        detail::npy_dict(file, all.substr(start, length), start).read(out);
        auto const size = safetensors::byte_size(out.type, out.shape);
        std::string const what = text(dtype_name(out.type), " ", safetensors::shape_text(out.shape));
        if (!size)
            detail::reject({file, "", start}, "a size below 2^64 bytes", what);
        out.bytes = bytes.subspan(start + length);
        if (out.bytes.size() != *size)
            detail::reject({file, "", start + length}, text(*size, " bytes for ", what), text(out.bytes.size()));
        out.keep = std::move(keep);
        out.file = std::move(file);
        return out;
    }
    inline array open(std::filesystem::path const& path)
    {
        mapped_file const map(path);
        return parse(map.bytes(), path.string(), map.keep());
    }
    template <class = void>
    attempt<array> try_open(std::filesystem::path const& path)
    {
        return try_load([&] { return open(path); });
    }
    template <class = void>
    attempt<array> try_parse(std::span<std::byte const> bytes, std::string file)
    {
        return try_load([&] { return parse(bytes, std::move(file)); });
    }

    // Version 1.0; the data start at a multiple of 64.
    template <class T>
        requires(dtype_of<T> != dtype::BF16) // NumPy has no name for it
    void save(std::filesystem::path const& path, extents const& shape, std::span<T const> values)
    {
        JACKPLANE_EXPECTS(safetensors::byte_size(dtype_of<T>, shape) == values.size_bytes(), shape_error,
                          detail::one_line(path.string()), ": ", values.size(), " elements for shape ",
                          safetensors::shape_text(shape));
        std::string dict = "{'descr': '";
        for (detail::npy_code const& known : detail::npy_codes)
            if (known.type == dtype_of<T>)
                dict += known.code;
        dict += "', 'fortran_order': False, 'shape': (";
        for (std::size_t i = 0; i < shape.size(); ++i)
            dict += text(i == 0 ? "" : " ", shape[i], i + 1 < shape.size() || i == 0 ? "," : "");
        dict += "), }";
        dict.append(63 - (10 + dict.size()) % 64, ' '); // ends at a multiple of 64
        dict += '\n';
        std::string const head = std::string(detail::npy_magic) + '\x01' + '\0' + static_cast<char>(dict.size() & 255) +
                                 static_cast<char>(dict.size() >> 8);
        atomic_file out(path);
        out.write(std::as_bytes(std::span(head)));
        out.write(std::as_bytes(std::span(dict)));
        out.write(std::as_bytes(values));
        out.commit();
    }

    // Token numbers: one dimension of u2 or u4.
    inline std::vector<std::uint32_t> read_tokens(std::filesystem::path const& path)
    {
        array const a = open(path);
        if (a.shape.size() != 1 || (a.type != dtype::U16 && a.type != dtype::U32))
            detail::reject({a.file, "", 0}, "tokens: one dimension of <u2 or <u4",
                           text(dtype_name(a.type), " ", safetensors::shape_text(a.shape)));
        std::vector<std::uint32_t> tokens;
        if (a.type == dtype::U16)
            for (std::uint16_t const t : a.read<std::uint16_t>())
                tokens.push_back(t);
        else
            for (std::uint32_t const t : a.read<std::uint32_t>())
                tokens.push_back(t);
        return tokens;
    }
}
