// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// The words of vectors<Arch> that turn x into integers: for the law in vectors.hpp.
#include <algorithm>
#include <cmath>
#include <limits>
#include "vector_words.hpp"

namespace laws
{
    template <class V, class words = vector_words<V>> // they compare as |x|; Inf and NaN are the largest
    unsigned wrong_magnitudes()
    {
        words w;
        unsigned wrong = 0;
        using limits = std::numeric_limits<float>;
        std::array<float, 10> const rising{0.0f,    0x1p-149f,     0x1.fffffcp-127f,   0x1p-126f,        0.7f, 1.0f,
                                           0x1p24f, limits::max(), limits::infinity(), limits::quiet_NaN()};
        std::int32_t before = -1;
        for (std::size_t k = 0; k < rising.size(); ++k)
            for (std::size_t at = 0; at < V::rows; ++at)
            {
                typename words::reals x{};
                for (std::size_t i = 0; i < V::rows; ++i) // the others are smaller
                    x[i] = (i % 2 == 0 ? 1.0f : -1.0f) * rising[w.next() % (k + 1)];
                x[at] = std::copysign(rising[k], at % 2 == 0 ? -1.0f : 1.0f);
                std::int32_t const most = V::largest(V::magnitude(words::floats(x)));
                wrong += most != (std::bit_cast<std::int32_t>(rising[k]) & 0x7fffffff);
                wrong += at == 0 ? most <= before : most != before;
                before = most;
            }
        return wrong;
    }
    template <class V, class words = vector_words<V>> // max, largest, total, minus, low byte, bytes stored
    unsigned wrong_integers()
    {
        words w;
        unsigned wrong = 0;
        for (int turn = 0; turn < turns; ++turn)
        {
            auto const a = w.random_ints(turn % 2 == 0 ? 6u : 20u), b = w.random_ints(turn % 2 == 0 ? 6u : 20u);
            typename words::lanes larger, difference, low;
            std::int32_t total = 0;
            for (std::size_t i = 0; i < V::rows; ++i)
            {
                larger[i] = std::max(a[i], b[i]);
                difference[i] = a[i] - b[i];
                low[i] = static_cast<std::int8_t>(a[i] & 0xff);
                total += a[i];
            }
            auto const va = words::ints(a), vb = words::ints(b);
            wrong += words::lanes_of(V::max(va, vb)) != larger;
            wrong += words::lanes_of(V::minus(va, vb)) != difference;
            wrong += words::lanes_of(V::low_byte(va)) != low;
            wrong += V::largest(va) != *std::max_element(a.begin(), a.end());
            wrong += V::total(va) != total;

            std::array<std::int8_t, V::rows + 2> out;
            out.fill(99);
            V::store_bytes(words::ints(low), out.data() + 1);
            wrong += !std::equal(low.begin(), low.end(), out.begin() + 1);
            wrong += out.front() != 99 || out.back() != 99;
        }
        return wrong;
    }
    template <class V, class words = vector_words<V>> // to nearest, ties to even
    unsigned wrong_roundings()
    {
        words w;
        unsigned wrong = 0;
        auto const check = [&](typename words::reals const& x)
        {
            typename words::lanes expected;
            for (std::size_t i = 0; i < V::rows; ++i)
                expected[i] = static_cast<std::int32_t>(std::nearbyint(x[i]));
            wrong += words::lanes_of(V::round(words::floats(x))) != expected;
        };
        for (int quarter = -4 * 130; quarter < 4 * 130; quarter += static_cast<int>(V::rows))
        {
            typename words::reals x;
            for (std::size_t i = 0; i < V::rows; ++i)
                x[i] = static_cast<float>(quarter + static_cast<int>(i)) / 4;
            check(x);
            for (float& one : x) // limbs reach 127 * 65536
                one += one < 0 ? -8323000.0f : 8323000.0f;
            check(x);
            for (std::size_t i = 0; i < V::rows; ++i)
                x[i] = std::nextafter(static_cast<float>(quarter + static_cast<int>(i)) / 4,
                                      w.next() % 2 == 0 ? 1000.0f : -1000.0f);
            check(x);
        }
        return wrong;
    }
}
