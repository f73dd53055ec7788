// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <doctest/doctest.h>
#include <jackplane/quantize/slice.hpp>

namespace laws
{
    template <class Body>
    void for_each_width(Body&& body) // body(from, to)
    {
        for (unsigned from = 1; from <= 8; ++from)
            for (unsigned to = 1; to <= from; ++to)
                body(from, to);
    }

    // |value - code| in steps of the parent, as the model states it. d = from - to.
    constexpr double error_bound(jackplane::truncate_centred, unsigned, unsigned d) { return ((1u << d) - 1) / 2.0; }
    constexpr double error_bound(jackplane::extra_precision, unsigned, unsigned d)
    {
        return d == 0 ? 0 : (1u << d) / 2.0;
    }
    constexpr double error_bound(jackplane::round_clamp, unsigned distance_to_last, unsigned d)
    {
        bool const clamped = d > 0 && distance_to_last < 1u << (d - 1); // would round up to 2^to
        return clamped ? (1u << d) - 1.0 : error_bound(jackplane::extra_precision{}, 0, d);
    }
}

TEST_CASE_TEMPLATE_DEFINE("slice", S, slice_law)
{
    static_assert(jackplane::slice<S>);
    S const rule{};

    SUBCASE("the result fits in the bits that are kept, of which none is made up")
    {
        laws::for_each_width([&](unsigned from, unsigned to)
        {
            CHECK(S::bits_kept(from, to) >= to);
            CHECK(S::bits_kept(from, to) <= S::bits_read(from, to));
            CHECK(S::bits_read(from, to) <= from);
            for (unsigned q = 0; q < 1u << from; ++q)
                CHECK(rule(q, from, to) < 1u << S::bits_kept(from, to));
        });
    }
    SUBCASE("monotone, and the identity at the full width")
    {
        laws::for_each_width([&](unsigned from, unsigned to)
        {
            for (unsigned q = 1; q < 1u << from; ++q)
            {
                CHECK(rule(q - 1, from, to) <= rule(q, from, to));
                CHECK(rule.value(rule(q - 1, from, to), from, to) <= rule.value(rule(q, from, to), from, to));
            }
        });
        for (unsigned q = 0; q < 256; ++q)
        {
            CHECK(rule(q, 8, 8) == q);
            CHECK(rule.value(q, 8, 8) == static_cast<float>(q));
        }
    }
    SUBCASE("the error stays within the stated bound for every code")
    {
        laws::for_each_width([&](unsigned from, unsigned to)
        {
            for (unsigned q = 0; q < 1u << from; ++q)
            {
                double const error = std::abs(static_cast<double>(rule.value(rule(q, from, to), from, to)) - q);
                CHECK(error <= laws::error_bound(rule, (1u << from) - 1 - q, from - to));
            }
        });
    }
    SUBCASE("bits_read bits are enough: those below change nothing, and the rule works on the leading bits alone")
    {
        laws::for_each_width([&](unsigned from, unsigned to)
        {
            unsigned const read = S::bits_read(from, to), below = from - read;
            for (unsigned q = 0; q < 1u << from; ++q)
            {
                CHECK(rule(q, from, to) == rule(q >> below << below, from, to));
                CHECK(rule(q, from, to) == rule(q >> below, read, to));
            }
        });
    }
}
