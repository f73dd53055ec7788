// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>
#include <doctest/doctest.h>
#include <jackplane/quantize/codebook.hpp>
#include "weights.hpp"

namespace laws
{
    // Values where a codebook may stumble: its own values, the middles between them and their neighbours, far outside.
    template <jackplane::codebook C>
    std::vector<float> places(C const& book)
    {
        float const first = book.decode(0), last = book.decode(C::size - 1);
        float const most = std::numeric_limits<float>::max(), infinity = std::numeric_limits<float>::infinity();
        std::vector<float> x{0.0f, -0.0f, 1e-40f, C::centre, first - 1, last + 1, -1e9f, 1e9f, -most, most};
        for (unsigned q = 0; q < C::size; ++q)
        {
            float const here = book.decode(static_cast<jackplane::code>(q));
            float const next = book.decode(static_cast<jackplane::code>(std::min(q + 1, C::size - 1)));
            for (float const at : {here, (here + next) / 2})
                x.insert(x.end(), {at, std::nextafter(at, infinity), std::nextafter(at, -infinity)});
        }
        sequence random{C::bits};
        for (int k = 0; k < 1000; ++k)
            x.push_back(first + (last - first) * (random.unit() * 1.25f - 0.125f));
        return x;
    }
    template <jackplane::codebook C>
    double distance(C const& book, unsigned q, float x)
    {
        return std::abs(static_cast<double>(x) - book.decode(static_cast<jackplane::code>(q)));
    }
}

TEST_CASE_TEMPLATE_DEFINE("codebook", C, codebook_law)
{
    static_assert(jackplane::codebook<C>);
    static_assert(C::size >= 2 && C::size <= 1u << C::bits);
    using jackplane::code;
    C const book{};

    SUBCASE("decode is non-decreasing, and the zero of symmetric schemes lies inside")
    {
        for (unsigned q = 1; q < C::size; ++q)
            CHECK(book.decode(static_cast<code>(q - 1)) <= book.decode(static_cast<code>(q)));
        CHECK(book.decode(0) <= C::centre);
        CHECK(C::centre <= book.decode(C::size - 1));
    }
    SUBCASE("encode finds every value of decode, coordinate its code")
    {
        for (unsigned q = 0; q < C::size; ++q)
        {
            float const value = book.decode(static_cast<code>(q));
            CHECK(book.decode(book.encode(value)) == value);
            CHECK(book.coordinate(value) == static_cast<float>(q));
        }
    }
    SUBCASE("encode is the whole number nearest to coordinate, clamped to the codes")
    {
        for (float const x : laws::places(book))
        {
            float const whole = std::nearbyint(book.coordinate(x));
            CHECK(book.encode(x) == std::clamp(whole, 0.0f, static_cast<float>(C::size - 1)));
        }
    }
    SUBCASE("encode is the nearest value; of two equally near ones either")
    {
        // coordinate() rounds at most three times at numbers up to `size`, so a tie may fall 3 u size cells off the
        // middle, u = 2^-24; the farther value is then 6 u size cells farther.
        double widest = 0;
        for (unsigned q = 1; q < C::size; ++q)
            widest = std::max(widest, laws::distance(book, q, book.decode(static_cast<code>(q - 1))));
        double const slack = 6 * 0x1p-24 * C::size * widest;
        for (float const x : laws::places(book))
        {
            double least = laws::distance(book, 0, x);
            for (unsigned q = 1; q < C::size; ++q)
                least = std::min(least, laws::distance(book, q, x));
            CHECK(laws::distance(book, book.encode(x), x) <= least + slack);
        }
    }
}
