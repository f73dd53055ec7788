// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// half and bfloat16 against their definition: sign, exponent, fraction -> a number in double; the nearest of the two
// neighbours, the even one of a tie.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>
#include <doctest/doctest.h>
#include <jackplane/core/number.hpp>
#include "weights.hpp"

namespace laws
{
    template <class T>
    struct narrow_format
    {
        static constexpr int fraction_bits = std::is_same_v<T, jackplane::half> ? 10 : 7;
        static constexpr int bias = std::is_same_v<T, jackplane::half> ? 15 : 127;
        static constexpr unsigned infinity = (2u * bias + 1) << fraction_bits; // exponent all ones, fraction 0
        static constexpr unsigned quiet = 1u << (fraction_bits - 1);

        // Of the pattern 0 .. infinity. At infinity: the number that would stand there, which decides what overflows.
        static double value(unsigned pattern)
        {
            unsigned const fraction = pattern & ((1u << fraction_bits) - 1), exponent = pattern >> fraction_bits;
            int const shift = std::max(1, static_cast<int>(exponent)) - bias - fraction_bits;
            return std::ldexp(fraction + (exponent == 0 ? 0.0 : std::ldexp(1.0, fraction_bits)), shift);
        }
    };

    template <class T>
    struct nearest_pattern // values of the patterns 0 .. infinity, which are in their order
    {
        std::vector<double> values;
        nearest_pattern()
        {
            for (unsigned pattern = 0; pattern <= narrow_format<T>::infinity; ++pattern)
                values.push_back(narrow_format<T>::value(pattern));
        }
        unsigned operator()(float x) const // finite
        {
            double const magnitude = std::abs(static_cast<double>(x));
            auto const above = std::upper_bound(values.begin(), values.end(), magnitude);
            unsigned pattern = narrow_format<T>::infinity;
            if (above != values.end())
            {
                unsigned const up = static_cast<unsigned>(above - values.begin());
                double const twice = 2 * magnitude, middle = values[up - 1] + values[up]; // both exact
                pattern = twice < middle || (twice == middle && up % 2 == 1) ? up - 1 : up;
            }
            return pattern | (std::signbit(x) ? 0x8000u : 0u);
        }
    };
}

TEST_CASE_TEMPLATE_DEFINE("storage type of 16 bits", T, narrow_number_law)
{
    using jackplane::from_float, jackplane::to_float, jackplane::is_finite;
    using format = laws::narrow_format<T>;
    auto const to_bits = [](float x) { return static_cast<unsigned>(from_float<T>(x).bits); };

    SUBCASE("all 65,536 patterns: the value is the definition's, and the way back gives the pattern")
    {
        unsigned wrong_values = 0, wrong_patterns = 0, wrong_classes = 0;
        for (unsigned pattern = 0; pattern < 0x10000; ++pattern)
        {
            T const x{static_cast<std::uint16_t>(pattern)};
            unsigned const magnitude = pattern & 0x7fffu;
            float const value = to_float(x);
            bool const negative = pattern >= 0x8000u;
            wrong_classes += is_finite(x) != (magnitude < format::infinity);
            wrong_classes += std::signbit(value) != negative;
            if (magnitude > format::infinity) // NaN; a signalling one comes back quiet, payload kept
            {
                wrong_values += !std::isnan(value);
                wrong_patterns += to_bits(value) != (pattern | format::quiet);
                continue;
            }
            double const defined = magnitude == format::infinity ? std::numeric_limits<double>::infinity()
                                                                 : format::value(magnitude);
            wrong_values += static_cast<double>(value) != (negative ? -defined : defined);
            wrong_patterns += to_bits(value) != pattern;
        }
        CHECK(wrong_values == 0);
        CHECK(wrong_patterns == 0);
        CHECK(wrong_classes == 0);
    }
    laws::nearest_pattern<T> const nearest;
    SUBCASE("every value and every middle, with the floats beside them")
    {
        unsigned wrong = 0;
        float const infinity = std::numeric_limits<float>::infinity();
        for (unsigned pattern = 0; pattern < format::infinity; ++pattern)
            for (double const at :
                 {nearest.values[pattern], (nearest.values[pattern] + nearest.values[pattern + 1]) / 2})
            {
                float const x = static_cast<float>(at);
                CHECK_MESSAGE(static_cast<double>(x) == at, "a float holds it");
                for (float const y : {x, std::nextafter(x, infinity), std::nextafter(x, -infinity)})
                {
                    wrong += to_bits(y) != nearest(y);
                    wrong += to_bits(-y) != nearest(-y);
                }
            }
        CHECK(wrong == 0);
    }
    SUBCASE("a million random floats of every magnitude")
    {
        unsigned wrong = 0;
        laws::sequence random{7};
        for (int k = 0; k < 1000000; ++k)
        {
            float const x = std::bit_cast<float>(random());
            if (is_finite(x))
                wrong += to_bits(x) != nearest(x);
        }
        CHECK(wrong == 0);
    }
    SUBCASE("Inf stays, overflow becomes Inf, NaN never does")
    {
        float const infinity = std::numeric_limits<float>::infinity();
        CHECK(to_bits(infinity) == format::infinity);
        CHECK(to_bits(-infinity) == (format::infinity | 0x8000u));
        CHECK(to_bits(std::numeric_limits<float>::max()) == format::infinity);
        for (unsigned bit = 0; bit < 23; ++bit)
            for (unsigned const sign : {0u, 0x80000000u})
            {
                unsigned const pattern = to_bits(std::bit_cast<float>(sign | 0x7f800000u | 1u << bit));
                CHECK((pattern & 0x7fffu) > format::infinity);
                CHECK((pattern & format::quiet) != 0);
                CHECK((pattern & 0x8000u) == sign >> 16);
            }
    }
}
