// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// Arrays in and out of vectors<Arch>, random contents, products by plain loops: for the law in vectors.hpp.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>
#include <jackplane/multiply/kernel/vectors.hpp>
#include "weights.hpp"

namespace laws
{
    template <unsigned... N, class Body>
    void for_each(std::integer_sequence<unsigned, N...>, Body const& body)
    {
        (body(std::integral_constant<unsigned, N>{}), ...);
    }
    template <unsigned... N>
    using numbers = std::integer_sequence<unsigned, N...>;

    // The functions wrong_... count what differs from the plain loop, in so many turns: a CHECK at every place would
    // cost seconds of compilation.
    inline constexpr int turns = 50;

    // One vectors<Arch> and arrays of as many numbers.
    template <class V>
    struct vector_words
    {
        static constexpr std::size_t rows = V::rows, size = 4 * rows;
        using octets = std::array<std::uint8_t, size>; // what `bytes` holds
        using lanes = std::array<std::int32_t, rows>;  // what `ints` holds
        using reals = std::array<float, rows>;
        using bits = std::array<std::uint32_t, rows>; // of floats: -0 and NaN count
        static_assert(sizeof(typename V::bytes) == size && sizeof(typename V::ints) == size);
        static_assert(V::floats::size == rows && V::registers >= 16);

        sequence next{rows};

        octets random_bytes(unsigned mask = 0xff)
        {
            octets a;
            std::generate(a.begin(), a.end(), [&] { return static_cast<std::uint8_t>(next() & mask); });
            return a;
        }
        lanes random_ints(unsigned sign_bits)
        {
            lanes a;
            std::generate(a.begin(), a.end(), [&] { return std::bit_cast<std::int32_t>(next()) >> sign_bits; });
            return a;
        }
        reals random_reals() // of many magnitudes
        {
            reals a;
            for (float& x : a)
            {
                float const number = next.bell();
                x = std::ldexp(number, static_cast<int>(next() % 40) - 20);
            }
            return a;
        }

        // Loads are unaligned and end with the array: address sanitizer sees what lies beyond.
        template <class T>
        static T const* astray(std::vector<unsigned char>& room, T const* from, std::size_t count)
        {
            room.resize(sizeof(T) * (count + 1));
            std::copy_n(reinterpret_cast<unsigned char const*>(from), sizeof(T) * count, room.data() + sizeof(T));
            return reinterpret_cast<T const*>(room.data() + sizeof(T));
        }
        static typename V::bytes bytes(octets const& a)
        {
            std::vector<unsigned char> room;
            return V::load_bytes(reinterpret_cast<std::byte const*>(astray(room, a.data(), size)));
        }
        static typename V::ints ints(lanes const& a) { return std::bit_cast<typename V::ints>(a); }
        template <class T>
        static typename V::floats floats(std::array<T, rows> const& a)
        {
            std::vector<unsigned char> room;
            return V::load(astray(room, a.data(), rows));
        }
        static octets octets_of(typename V::bytes const& a) { return std::bit_cast<octets>(a); }
        static lanes lanes_of(typename V::ints const& a) { return std::bit_cast<lanes>(a); }
        static bits bits_of(typename V::floats const& a)
        {
            alignas(64) float out[rows + 1];
            a.store(out + 1);
            bits result;
            std::transform(out + 1, out + 1 + rows, result.begin(), std::bit_cast<std::uint32_t, float>);
            return result;
        }
        static bits bits_of(reals const& a) { return std::bit_cast<bits>(a); }

        static std::uint32_t dword(octets const& a, std::size_t row)
        {
            return static_cast<std::uint32_t>(a[4 * row] | a[4 * row + 1] << 8 | a[4 * row + 2] << 16) |
                   std::uint32_t{a[4 * row + 3]} << 24;
        }
        static octets alike(int byte)
        {
            octets a;
            a.fill(static_cast<std::uint8_t>(byte));
            return a;
        }

        // blocks[b][s] times x[b][s], each of 8 steps; the sums begin at `sum`.
        static lanes dots(lanes sum, std::vector<std::array<octets, 8>> const& blocks,
                          std::vector<std::array<octets, 8>> const& x)
        {
            typename V::ints result = ints(sum);
            for (std::size_t b = 0; b < blocks.size(); ++b)
            {
                typename V::ints part = V::narrow ? V::zero() : result;
                for (std::size_t s = 0; s < 8; ++s)
                    part = V::dot(part, bytes(blocks[b][s]), bytes(x[b][s]));
                if constexpr (V::narrow)
                    result = V::widen(result, part);
                else
                    result = part;
            }
            return lanes_of(result);
        }
        static lanes expected_dots(lanes sum, std::vector<std::array<octets, 8>> const& blocks,
                                   std::vector<std::array<octets, 8>> const& x)
        {
            for (std::size_t b = 0; b < blocks.size(); ++b)
                for (std::size_t s = 0; s < 8; ++s)
                    for (std::size_t i = 0; i < size; ++i)
                        sum[i / 4] += int{blocks[b][s][i]} * int{static_cast<std::int8_t>(x[b][s][i])};
            return sum;
        }
        // 16 blocks: 512 columns, as many as one sum may run over.
        template <class Codes, class X>
        bool dots_are_equal(Codes codes, X x, std::size_t count = 16)
        {
            std::vector<std::array<octets, 8>> a(count), b(count);
            for (std::size_t i = 0; i < count; ++i)
                for (std::size_t s = 0; s < 8; ++s)
                {
                    a[i][s] = codes();
                    b[i][s] = x();
                }
            lanes const begin = random_ints(8);
            return dots(begin, a, b) == expected_dots(begin, a, b);
        }
    };

    // make(0 .. patterns - 1), rows at a time, against to_float; NaN for NaN.
    template <class V, class Make>
    unsigned wrong_loads(unsigned patterns, Make make)
    {
        using words = vector_words<V>;
        using T = decltype(make(0u));
        unsigned wrong = 0;
        for (unsigned first = 0; first < patterns; first += words::rows)
        {
            std::array<T, words::rows> stored;
            for (std::size_t i = 0; i < words::rows; ++i)
                stored[i] = make(first + static_cast<unsigned>(i));
            auto const loaded = words::bits_of(words::floats(stored));
            for (std::size_t i = 0; i < words::rows; ++i)
            {
                float const value = jackplane::to_float(stored[i]);
                bool const both_nan = std::isnan(value) && std::isnan(std::bit_cast<float>(loaded[i]));
                wrong += !both_nan && loaded[i] != std::bit_cast<std::uint32_t>(value);
            }
        }
        return wrong;
    }
}
