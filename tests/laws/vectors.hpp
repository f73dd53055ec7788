// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// Every word of vectors<Arch> is the plain loop over its lanes; integers and bits are equal, not near.
#include <cmath>
#include <limits>
#include <string>
#include "vector_dots.hpp"
#include "vector_preparing.hpp"
#include <doctest/doctest.h>

namespace laws
{
    template <class V, class words = vector_words<V>> // masks, exchanges and shifts act on every byte
    unsigned wrong_merges()
    {
        words w;
        unsigned wrong = 0;
        for (int turn = 0; turn < turns; ++turn)
        {
            auto const a = w.random_bytes(), b = w.random_bytes();
            auto const va = words::bytes(a), vb = words::bytes(b);
            auto const compare = [&](typename V::bytes const& found, auto byte)
            {
                auto const bytes = words::octets_of(found);
                for (std::size_t i = 0; i < words::size; ++i)
                    wrong += bytes[i] != (byte(unsigned{a[i]}, unsigned{b[i]}) & 0xff);
            };
            for_each(numbers<0x0f, 0xf0, 0x03, 0x0c, 0x30, 0xc0, 0x01, 0x80, 0x55, 0xaa, 0xcc>{}, [&](auto m)
            { compare(V::template keep<m>(va), [&](unsigned x, unsigned) { return x & m; }); });
            if constexpr (jackplane::kernel::flips<V>)
                for_each(numbers<0xff, 0xaa, 0x88, 0x80>{}, [&](auto m)
                { compare(V::template flip<m>(va), [&](unsigned x, unsigned) { return x ^ m; }); });
            for_each(numbers<1, 2, 4>{}, [&](auto n) // the butterfly of two planes of n bits
            {
                constexpr unsigned m = n == 1 ? 0xaa : n == 2 ? 0xcc : 0xf0;
                auto high = va, low = vb;
                V::template exchange<n>(high, low);
                compare(high, [&](unsigned x, unsigned y) { return (x & m) | (y >> n & ~m); });
                compare(low, [&](unsigned x, unsigned y) { return (x << n & m) | (y & ~m); });
            });
            for_each(numbers<1, 2, 3, 4, 5, 6, 7>{}, [&](auto n)
            {
                compare(V::template keep<(0xff << n & 0xff)>(V::template left<n>(va)),
                        [&](unsigned x, unsigned) { return x << n; });
                compare(V::template keep<(0xff >> n)>(V::template right<n>(va)),
                        [&](unsigned x, unsigned) { return x >> n; });
                if constexpr (requires { requires V::shifts_bytes; })
                    compare(V::template right<n>(va), [&](unsigned x, unsigned) { return x >> n; });
            });
        }
        return wrong;
    }
    template <class V, class words = vector_words<V>> // the same four bytes for every row
    unsigned wrong_broadcasts()
    {
        words w;
        unsigned wrong = 0;
        for (int turn = 0; turn < turns; ++turn)
        {
            alignas(4) std::array<std::int8_t, 20> x;
            std::generate(x.begin(), x.end(), [&] { return static_cast<std::int8_t>(w.next()); });
            auto const spread = words::octets_of(V::broadcast_bytes(x.data() + 4));
            for (std::size_t i = 0; i < words::size; ++i)
                wrong += spread[i] != static_cast<std::uint8_t>(x[4 + i % 4]);
            if constexpr (requires { V::template dot_lane<0>(V::zero(), words::bytes({}), x.data()); })
            {
                auto const sum = words::ints(w.random_ints(9));
                auto const codes = words::bytes(w.random_bytes((1u << V::in_place) - 1));
                for_each(numbers<0, 1, 2, 3>{}, [&](auto lane)
                {
                    auto const four = V::broadcast_bytes(x.data() + 4 + 4 * lane);
                    wrong += words::lanes_of(V::template dot_lane<lane>(sum, codes, x.data() + 4)) !=
                             words::lanes_of(V::dot(sum, codes, four));
                });
            }
        }
        return wrong + (words::lanes_of(V::zero()) != typename words::lanes{});
    }
    template <class V, class words = vector_words<V>> // two rows of 8 bytes by two of x; what two such products hold
    unsigned wrong_matrices()
    {
        words w;
        unsigned wrong = 0;
        for (int turn = 0; turn < turns; ++turn)
        {
            bool const most = turn == 0;
            auto const a = most ? words::alike(0xff) : w.random_bytes();
            auto const b = most ? words::alike(0x80) : w.random_bytes();
            auto sum = w.random_ints(8), next = w.random_ints(8);
            auto const found = V::dot_matrices(words::ints(sum), words::bytes(a), words::bytes(b));
            for (std::size_t i = 0; i < 32; ++i)
                sum[i / 8] += int{a[i / 16 * 8 + i % 8]} * int{static_cast<std::int8_t>(b[i / 8 % 2 * 8 + i % 8])};
            wrong += words::lanes_of(found) != sum;

            auto va = words::bytes(a), vb = words::bytes(b);
            V::pair_steps(va, vb);
            auto first = words::ints(sum), second = words::ints(next);
            V::part_vectors(first, second);
            auto const of_a = words::octets_of(va), of_b = words::octets_of(vb);
            auto const one = words::lanes_of(first), other = words::lanes_of(second);
            for (std::size_t i = 0; i < 4; ++i)
            {
                wrong += words::dword(of_a, i) != words::dword(i % 2 == 0 ? a : b, i / 2);
                wrong += words::dword(of_b, i) != words::dword(i % 2 == 0 ? a : b, 2 + i / 2);
                wrong += one[i] != (i < 2 ? sum : next)[i % 2 * 2];
                wrong += other[i] != (i < 2 ? sum : next)[i % 2 * 2 + 1];
            }
        }
        return wrong;
    }
    template <class V, class words = vector_words<V>> // shifted arithmetically, then rounded once to float
    unsigned wrong_sums()
    {
        words w;
        unsigned wrong = 0;
        for (int turn = 0; turn < turns; ++turn)
        {
            auto const sum = w.random_ints(2), a = w.random_ints(2), small = w.random_ints(9);
            for_each(numbers<0, 1, 2, 3, 4, 5, 6, 7>{}, [&](auto n)
            {
                auto right = sum, left = sum;
                for (std::size_t i = 0; i < V::rows; ++i)
                {
                    right[i] += a[i] >> n;
                    left[i] += small[i] * (1 << n);
                }
                auto const vsum = words::ints(sum), va = words::ints(a);
                wrong += words::lanes_of(V::template plus_shifted<n>(vsum, va)) != right;
                wrong += words::lanes_of(V::template plus_left<n>(vsum, words::ints(small))) != left;
            });
            for (unsigned const sign_bits : {0u, 8u, 20u})
            {
                auto const whole = w.random_ints(sign_bits);
                typename words::reals expected;
                for (std::size_t i = 0; i < V::rows; ++i)
                    expected[i] = static_cast<float>(whole[i]);
                wrong += words::bits_of(V::to_float(words::ints(whole))) != words::bits_of(expected);
            }
        }
        return wrong;
    }
    template <class V> // every pattern of half and bfloat16, subnormals, Inf and NaN too, every byte
    unsigned wrong_loads()
    {
        auto const word = [](unsigned i) { return static_cast<std::uint16_t>(i); };
        return wrong_loads<V>(0x10000, [&](unsigned i) { return jackplane::half{word(i)}; }) +
               wrong_loads<V>(0x10000, [&](unsigned i) { return jackplane::bfloat16{word(i)}; }) +
               wrong_loads<V>(0x10000, [](unsigned i) { return std::bit_cast<float>(i * 0x10001); }) +
               wrong_loads<V>(0x100, [](unsigned i) { return static_cast<std::uint8_t>(i); });
    }
    template <class V, class words = vector_words<V>> // + - * round once; fma may round twice in xsimd
    unsigned wrong_floats(bool may_round_twice)
    {
        words w;
        unsigned wrong = 0;
        for (int turn = 0; turn < turns; ++turn)
        {
            auto const a = w.random_reals(), b = w.random_reals();
            auto c = w.random_reals();
            if (turn % 2 == 0) // only the rounding of a b remains
                for (std::size_t i = 0; i < V::rows; ++i)
                    c[i] = -(a[i] * b[i]);
            auto const va = words::floats(a), vb = words::floats(b), vc = words::floats(c);
            auto const sum = words::bits_of(va + vb), difference = words::bits_of(va - vb);
            auto const product = words::bits_of(va * vb), fused = words::bits_of(V::fma(va, vb, vc));
            for (std::size_t i = 0; i < V::rows; ++i)
            {
                wrong += sum[i] != std::bit_cast<std::uint32_t>(a[i] + b[i]);
                wrong += difference[i] != std::bit_cast<std::uint32_t>(a[i] - b[i]);
                float volatile const rounded = a[i] * b[i]; // or the compiler may fuse
                wrong += product[i] != std::bit_cast<std::uint32_t>(float{rounded});
                bool const once = fused[i] == std::bit_cast<std::uint32_t>(std::fma(a[i], b[i], c[i]));
                bool const twice = fused[i] == std::bit_cast<std::uint32_t>(rounded + c[i]);
                wrong += !once && !(may_round_twice && twice);
            }
            auto const everywhere = words::bits_of(typename V::floats(a[0]));
            wrong += std::count(everywhere.begin(), everywhere.end(), std::bit_cast<std::uint32_t>(a[0])) != V::rows;
        }
        return wrong;
    }
    template <class V, class words = vector_words<V>> // a field of a lane as a number
    unsigned wrong_columns()
    {
        words w;
        unsigned wrong = 0;
        auto const check = [&]<unsigned Width, unsigned... At>(numbers<Width>, numbers<At...> all)
        {
            for_each(all, [&](auto at)
            {
                auto const a = w.random_bytes();
                typename words::reals expected;
                for (std::size_t i = 0; i < V::rows; ++i)
                    expected[i] = static_cast<float>(words::dword(a, i) >> at & ((1u << Width) - 1));
                wrong += words::bits_of(V::template column<at, Width>(words::bytes(a))) != words::bits_of(expected);
            });
        };
        for (int turn = 0; turn < turns; ++turn)
        {
            check(numbers<1>{}, numbers<0, 7, 14, 24, 31>{});
            check(numbers<2>{}, numbers<0, 6, 10, 20, 30>{});
            check(numbers<3>{}, numbers<0, 5, 13, 29>{});
            check(numbers<4>{}, numbers<0, 4, 8, 12, 16, 20, 24, 28>{});
            check(numbers<8>{}, numbers<0, 8, 16, 24>{});
        }
        return wrong;
    }
    template <class V, class words = vector_words<V>> // four bits choose among 16, the others do not matter
    unsigned wrong_look_ups()
    {
        words w;
        unsigned wrong = 0;
        std::array<float, 17> values;
        for (float& value : values)
            value = w.next.bell();
        values[3] = -0.0f;
        values[12] = std::numeric_limits<float>::infinity();
        float const* const table = values.data() + 1;
        for (int turn = 0; turn < turns; ++turn)
            for_each(numbers<0, 4, 8, 12, 16, 20, 24, 28, 2, 27, 30>{}, [&](auto at)
            {
                auto const a = w.random_bytes();
                typename words::reals expected;
                for (std::size_t i = 0; i < V::rows; ++i)
                    expected[i] = table[words::dword(a, i) >> at & 15];
                auto const found = V::template look_up<at>(V::make_table(table), words::bytes(a));
                wrong += words::bits_of(found) != words::bits_of(expected);
            });
        return wrong;
    }
    template <class V, class words = vector_words<V>> // each dword by its own number; fours of one and the other
    unsigned wrong_lanes()
    {
        words w;
        unsigned wrong = 0;
        for (int turn = 0; turn < turns; ++turn)
        {
            auto const a = w.random_bytes(), b = w.random_bytes();
            std::array<std::uint32_t, V::rows + 1> by; // off every boundary
            std::generate(by.begin(), by.end(), [&] { return static_cast<std::uint32_t>(w.next() % 32); });
            auto const shifted = words::octets_of(V::right_by(words::bytes(a), by.data() + 1));
            for (std::size_t i = 0; i < V::rows; ++i)
                wrong += words::dword(shifted, i) != words::dword(a, i) >> by[i + 1];
            if constexpr (V::rows > 4)
            {
                auto const both = words::octets_of(V::in_turn(words::bytes(a), words::bytes(b)));
                for (std::size_t i = 0; i < V::rows; ++i)
                    wrong += words::dword(both, i) != words::dword(i / 4 % 2 == 0 ? a : b, i);
            }
        }
        return wrong;
    }
    template <class V, class words = vector_words<V>> // of 16 bytes
    unsigned wrong_byte_look_ups()
    {
        words w;
        unsigned wrong = 0;
        for (int turn = 0; turn < turns; ++turn)
        {
            auto const entries = w.random_bytes(), at = w.random_bytes(0x0f);
            auto const found = words::octets_of(V::look_up_bytes(V::make_bytes(entries.data()), words::bytes(at)));
            for (std::size_t i = 0; i < words::size; ++i)
                wrong += found[i] != entries[at[i]];
        }
        return wrong;
    }
}

TEST_CASE_TEMPLATE_DEFINE("vectors", Arch, vectors_law)
{
    if constexpr (!Arch::supported())
        MESSAGE(std::string(Arch::name()), " is not among the flags of this unit");
    else
    {
        using V = jackplane::kernel::vectors<Arch>;
        CHECK(laws::wrong_merges<V>() == 0);
        if constexpr (Arch::multiplies_bytes)
            CHECK(laws::wrong_dots<V>() == 0);
        if constexpr (requires { V::dot_both; })
            if constexpr (V::narrow)
                CHECK(laws::wrong_dots_of_both<V>() == 0);
        CHECK(laws::wrong_broadcasts<V>() == 0);
        CHECK(laws::wrong_sums<V>() == 0);
        CHECK(laws::wrong_loads<V>() == 0);
        CHECK(laws::wrong_floats<V>(requires { typename Arch::batch_arch; }) == 0);
        CHECK(laws::wrong_columns<V>() == 0);
        if constexpr (V::looks_up)
            CHECK(laws::wrong_look_ups<V>() + laws::wrong_lanes<V>() == 0);
        if constexpr (Arch::looks_up_bytes)
            CHECK(laws::wrong_byte_look_ups<V>() == 0);
        if constexpr (jackplane::kernel::multiplies_matrices<V>)
            CHECK(laws::wrong_matrices<V>() == 0);
        CHECK(laws::wrong_magnitudes<V>() == 0);
        CHECK(laws::wrong_integers<V>() == 0);
        CHECK(laws::wrong_roundings<V>() == 0);
    }
}
