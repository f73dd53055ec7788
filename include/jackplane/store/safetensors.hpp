// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include "../core/number.hpp"
#include "../core/view.hpp"
#include "file.hpp"
#include "header.hpp"
#include "reject.hpp"

// Reading safetensors strictly: header at most 100 MB, every key once, offsets that cover the data without holes or
// overlaps, sizes that agree with shapes, a file that ends where the header says. Writing: safetensors_write.hpp.
namespace jackplane::inline v0::inline JACKPLANE_TARGET::safetensors
{
    static_assert(std::endian::native == std::endian::little, "tensors are little-endian and read in place");

    // What the header says, and where the bytes of each tensor are.
    class file : public tensor_file<header>
    {
    public:
        file(std::string name, std::span<std::byte const> bytes, std::shared_ptr<void const> keep)
            : tensor_file(std::move(name), std::move(keep))
        {
            auto& head = _all->head = read_header(_all->name, bytes);
            if (head.end != bytes.size())
                detail::reject({_all->name, head.order.empty() ? "" : head.order.back()->name, head.data_start},
                               text("a file of ", head.end, " bytes"), text(bytes.size()));
            for (tensor* t : head.order)
                t->bytes = bytes.subspan(static_cast<std::size_t>(t->offset), static_cast<std::size_t>(t->size));
        }
    };

    // Of a path, or of bytes and a name for them (file.hpp).
    inline constexpr open_file<file> open{};
    inline constexpr parse_file<file> parse{};
    inline constexpr try_open_file<file> try_open{};
    inline constexpr try_parse_file<file> try_parse{};
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET::safetensors
{
    // A tensor's elements as T: as they are when the dtype is T's; float also from F16, BF16 and F64 (rounded).
    template <class T>
    aligned_vector<T> read(tensor const& t)
    {
        auto const copy = [&]<class From>(From)
        {
            aligned_vector<T> out(t.bytes.size() / sizeof(From));
            for (std::size_t i = 0; i < out.size(); ++i)
            {
                From x;
                std::memcpy(&x, t.bytes.data() + i * sizeof(From), sizeof(From));
                if constexpr (std::same_as<T, From>)
                    out[i] = x;
                else
                    out[i] = to_float(x);
            }
            return out;
        };
        if (t.type == dtype_of<T>)
            return copy(T{});
        if constexpr (std::same_as<T, float>)
        {
            if (t.type == dtype::F16)
                return copy(half{});
            if (t.type == dtype::BF16)
                return copy(bfloat16{});
            if (t.type == dtype::F64)
                return copy(double{});
        }
        fail<format_error>(text("tensor '", detail::printable(t.name), "': expected ", dtype_name(dtype_of<T>),
                                std::same_as<T, float> ? ", F16, BF16 or F64" : "", ", found ", dtype_name(t.type)));
    }

    // The same for a tensor that must have this shape: "tensor 'w': expected shape [64, 172], found [64, 171]".
    template <class T>
    aligned_vector<T> read(tensor const& t, extents const& expected)
    {
        JACKPLANE_EXPECTS(t.shape == expected, shape_error, "tensor '", detail::printable(t.name),
                          "': expected shape ", shape_text(expected), ", found ", shape_text(t.shape));
        return read<T>(t);
    }

    // f(w), w the tensor in place, as a matrix_view of float, half or bfloat16. Returns what f does. Throws
    // format_error for other types and where the data are not aligned (read copies them), shape_error unless it has
    // two dimensions.
    //     auto const a = visit_matrix(file.at("up"), [](auto w) { return quantize<recipes::nested8<>>(w); });
    template <class F>
    decltype(auto) visit_matrix(tensor const& t, F&& f)
    {
        JACKPLANE_EXPECTS(t.shape.size() == 2, shape_error, "tensor '", detail::printable(t.name),
                          "': a matrix wanted, found shape ", shape_text(t.shape));
        JACKPLANE_EXPECTS(t.bytes.size() == t.size, format_error, "tensor '", detail::printable(t.name),
                          "': its data are not mapped");
        auto const view = [&]<class T>(T) -> matrix_view<T const>
        {
            bool const aligned = reinterpret_cast<std::uintptr_t>(t.bytes.data()) % alignof(T) == 0;
            JACKPLANE_EXPECTS(aligned, format_error, "tensor '", detail::printable(t.name),
                              "': its data start at byte ", t.offset, ", which is not aligned for ",
                              dtype_name(t.type));
            return {reinterpret_cast<T const*>(t.bytes.data()), static_cast<std::size_t>(t.shape[0]),
                    static_cast<std::size_t>(t.shape[1])};
        };
        if (t.type == dtype::F16)
            return f(view(half{}));
        if (t.type == dtype::BF16)
            return f(view(bfloat16{}));
        JACKPLANE_EXPECTS(t.type == dtype::F32, format_error, "tensor '", detail::printable(t.name),
                          "': expected F32, F16 or BF16, found ", dtype_name(t.type));
        return f(view(float{}));
    }
}
