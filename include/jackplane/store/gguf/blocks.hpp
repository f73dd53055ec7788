// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include "../../core/view.hpp"
#include "blocks/few.hpp"
#include "blocks/plain.hpp"
#include "blocks/simple.hpp"
#include "blocks/super_centred.hpp"
#include "blocks/table.hpp"

// GGUF's types of tensors. Rows are consecutive blocks: T::values values in T::bytes bytes.
namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf
{
    static_assert(std::endian::native == std::endian::little, "blocks are little-endian and read in place");

    // Types by themselves.
    template <class... Types>
    struct type_list
    {
        static constexpr std::size_t size = sizeof...(Types);
    };
    // All that are read and written here. To add one: its struct, and its name here.
    using block_types = type_list<f32, f16, bf16, q4_0, q4_1, q5_0, q5_1, q8_0, q2_k, q3_k, q4_k, q5_k, q6_k, iq4_nl,
                                  iq4_xs, tq1_0, tq2_0, mxfp4, q1_0, q2_0>;

    // A type of numbers without blocks.                                                      f32, f16, bf16
    template <class T>
    concept plain_block = element<typename T::element>;

    // Codes with constants for each sub-block: x = scale * q + offset, or scale * table[q]. Both are exact in float but
    // for the last rounding, so that no compiler can change them.
    template <class T>
    concept coded_block = requires(std::byte const* from, std::byte* to, code* q, typename T::constants const& c)
    {
        {
            T::bits
            } -> std::convertible_to<unsigned>;
        {
            T::sub_block
            } -> std::convertible_to<std::size_t>; // values that share a scale
        T::codes(from, q);
        T::put_codes(q, to);
        {
            T::read(from)
            } -> std::same_as<typename T::constants>;
        T::write(c, to);
        {
            T::scale(c, std::size_t{})
            } -> std::same_as<float>;
        {
            T::offset(c, std::size_t{})
            } -> std::same_as<float>;
        {
            T::choose(block_input{}, q)
            } -> std::same_as<typename T::constants>; // as ggml's quantizer does
    };
    // Those without a table.
    template <class T>
    concept linear_block = coded_block<T> && !requires
    {
        T::table;
    };

    // f(T{}) for the type of that number; false where there is none.
    template <class F>
    bool visit_type(std::uint32_t id, F&& f)
    {
        return [&]<class... T>(type_list<T...>) { return ((T::id == id && (f(T{}), true)) || ...); }(block_types{});
    }

    // One block from codes [values] and what is stored beside them.
    template <coded_block T>
    void put(code const* q, typename T::constants const& c, std::byte* block) noexcept
    {
        T::put_codes(q, block);
        T::write(c, block);
    }
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf::detail
{
    template <coded_block T>
    void decode_block(std::byte const* block, float* x) noexcept
    {
        code q[T::values];
        T::codes(block, q);
        auto const c = T::read(block);
        for (std::size_t s = 0; s < T::values / T::sub_block; ++s)
        {
            float const scale = T::scale(c, s), offset = T::offset(c, s);
            for (std::size_t i = s * T::sub_block; i < (s + 1) * T::sub_block; ++i)
                if constexpr (linear_block<T>)
                    x[i] = scale * static_cast<float>(q[i]) + offset;
                else
                    x[i] = scale * T::table[q[i]];
        }
    }

    template <class T>
    void expect_row(std::size_t values, std::size_t bytes)
    {
        JACKPLANE_EXPECTS(values % T::values == 0, shape_error, "a row of ", values, " values in ", T::name,
                          " blocks of ", T::values);
        JACKPLANE_EXPECTS(bytes == values / T::values * T::bytes, shape_error, "a row of ", values, " values takes ",
                          values / T::values * T::bytes, " bytes as ", T::name, ", not ", bytes);
    }

    // No block holds as much: a scale is a half, times codes below 2^14.
    inline constexpr float too_large = 0x1p30f;
    inline void expect_weights(std::span<float const> row, std::string_view what)
    {
        for (std::size_t i = 0; i < row.size(); ++i)
            JACKPLANE_EXPECTS(abs(row[i]) < too_large, value_error, what, " ", i, " is ", row[i],
                              "; blocks hold numbers below 2^30");
    }
    template <class Constants>
    void expect_finite(Constants const& c, std::string_view type, std::size_t column)
    {
        if constexpr (requires { c.d; })
            JACKPLANE_EXPECTS(is_finite(c.d), value_error, "column ", column, ": no half holds the scale of its ",
                              type, " block");
        if constexpr (requires { c.m; })
            JACKPLANE_EXPECTS(is_finite(c.m), value_error, "column ", column, ": no half holds the offset of its ",
                              type, " block");
    }
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf
{
    // A row of blocks as numbers. Throws shape_error unless the sizes agree.
    template <class T>
    void decode(std::span<std::byte const> row, std::span<float> x)
    {
        detail::expect_row<T>(x.size(), row.size());
        for (std::size_t i = 0; i < x.size() / T::values; ++i)
            if constexpr (plain_block<T>)
            {
                typename T::element e;
                std::memcpy(&e, row.data() + i * T::bytes, sizeof e);
                x[i] = to_float(e);
            }
            else
                detail::decode_block<T>(row.data() + i * T::bytes, x.data() + i * T::values);
    }

    // A row of numbers as blocks, byte for byte what ggml's quantizer makes of it; importance: a weight >= 0 for each
    // column, or empty. Throws shape_error, and value_error at a number that is not finite or too large (its column)
    // and at a negative importance. Two differences, where the reference makes zeros or garbage: a group whose
    // importance is 0 counts as one of importance 1, and a block whose 1 / scale is no float gets zeros.
    template <class T>
    void encode(std::span<float const> x, std::span<float const> importance, std::span<std::byte> row)
    {
        detail::expect_row<T>(x.size(), row.size());
        if constexpr (plain_block<T>)
        {
            for (std::size_t i = 0; i < x.size(); ++i)
            {
                auto const e = from_float<typename T::element>(x[i]);
                JACKPLANE_EXPECTS(is_finite(e), value_error, "column ", i, " is ", x[i], ": not in ", T::name);
                std::memcpy(row.data() + i * T::bytes, &e, sizeof e);
            }
        }
        else
        {
            detail::expect_weights(x, "column");
            JACKPLANE_EXPECTS(importance.empty() || importance.size() == x.size(), shape_error, "importance of ",
                              importance.size(), " columns for ", x.size());
            detail::expect_weights(importance, "importance of column");
            for (std::size_t i = 0; i < importance.size(); ++i)
                JACKPLANE_EXPECTS(importance[i] >= 0, value_error, "importance of column ", i, " is ",
                                  importance[i]);
            float const mean_square =
                importance.empty() ? 0.0f : detail::sum_of_squares(x) / static_cast<float>(x.size());
            for (std::size_t i = 0; i < x.size() / T::values; ++i)
            {
                block_input const in{x.subspan(i * T::values, T::values),
                                     importance.empty() ? importance : importance.subspan(i * T::values, T::values),
                                     mean_square};
                code q[T::values];
                auto const c = T::choose(in, q);
                detail::expect_finite(c, T::name, i * T::values);
                put<T>(q, c, row.data() + i * T::bytes);
            }
        }
    }
}
