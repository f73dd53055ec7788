// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// The words of vectors<Arch> that multiply bytes: for the law in vectors.hpp.
#include "vector_words.hpp"

namespace laws
{
    template <class V, class words = vector_words<V>> // 512 columns, codes as large and x as far as allowed
    unsigned wrong_dots()
    {
        static_assert(V::in_place == 4 || V::in_place == 8);
        words w;
        unsigned wrong = 0;
        constexpr unsigned most = (1u << V::in_place) - 1;
        for (unsigned const mask : {0x0fu, 0x03u, 0x0cu, 0x01u, 0x08u, 0xf0u, 0x30u, 0xc0u, 0xffu})
            if (mask <= most)
                for (int turn = 0; turn < 5; ++turn)
                    wrong += !w.dots_are_equal([&] { return w.random_bytes(mask); }, [&] { return w.random_bytes(); });
        for (int const x : {-128, -127, 127, 0})
            for (std::size_t const blocks : {1u, 16u})
                wrong += !w.dots_are_equal([] { return words::alike(most); }, [&] { return words::alike(x); }, blocks);
        auto sign = [k = 0]() mutable { return words::alike(++k % 2 == 0 ? -128 : 127); };
        return wrong + !w.dots_are_equal([] { return words::alike(most); }, sign);
    }
    template <class V, class words = vector_words<V>> // two dots by one x; sums of pairs widened, and times 16
    unsigned wrong_dots_of_both()
    {
        words w;
        unsigned wrong = 0;
        for (unsigned const bits : {4u, 5u, 6u, 7u})
            for (int const far : {0, 127, -128})
            {
                auto one = V::zero(), two = V::zero(), with_one = V::zero(), with_two = V::zero();
                for (unsigned step = 0; step < 1u << (7 - bits); ++step) // as many as 16 bits have room for
                {
                    auto const most = words::bytes(words::alike((1 << bits) - 1));
                    auto const any = words::bytes(w.random_bytes((1u << bits) - 1));
                    auto const x = words::bytes(far == 0 ? w.random_bytes() : words::alike(far));
                    one = V::dot(one, most, x);
                    two = V::dot(two, any, x);
                    V::dot_both(with_one, with_two, most, any, x);
                }
                wrong += words::lanes_of(with_one) != words::lanes_of(one);
                wrong += words::lanes_of(with_two) != words::lanes_of(two);
                auto const sum = w.random_ints(9);
                auto expected = words::lanes_of(V::widen(words::ints(sum), one));
                wrong += words::lanes_of(V::template widen_times<1>(words::ints(sum), one)) != expected;
                for (std::size_t i = 0; i < V::rows; ++i)
                    expected[i] = sum[i] + (expected[i] - sum[i]) * 16;
                wrong += words::lanes_of(V::template widen_times<16>(words::ints(sum), one)) != expected;
            }
        return wrong;
    }
}
