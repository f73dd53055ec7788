// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <cmath>
#include <type_traits>
#include <doctest/doctest.h>
#include <jackplane/quantize/overlapping.hpp>
using namespace jackplane;

namespace
{
    template <class C>
    float value_of_code(unsigned q)
    {
        return C::decode(static_cast<code>(q));
    }
    // body(integral_constant<unsigned, bits>) for each width that has values of its own
    template <class Body>
    void at_each_overlapping_width(Body&& body)
    {
        [&]<unsigned... I>(std::integer_sequence<unsigned, I...>)
        { (body(std::integral_constant<unsigned, I + 3>{}), ...); }(std::make_integer_sequence<unsigned, 6>{});
    }
}

static_assert(std::is_same_v<overlapping<8>::narrowed<2>, uniform<8>::narrowed<2>>);
static_assert(std::is_same_v<overlapping<8>::narrowed<1>, uniform<8>::narrowed<1>>);
static_assert(std::is_same_v<overlapping<8>::narrowed<4>, overlapping<4>>);

TEST_CASE("overlapping: a value is a step times a level below 256, of up to 4 bits below 32, and exact in a float")
{
    at_each_overlapping_width(
        [](auto bits)
        {
            using C = overlapping<bits>;
            for (unsigned q = 0; q < C::size; ++q)
            {
                unsigned const level = C::level_at(q, bits);
                CHECK(level < (bits <= 4 ? 32u : 256u));
                double const exact = static_cast<double>(C::step_at(bits)) * level + C::base_at(bits);
                CHECK(static_cast<double>(value_of_code<C>(q)) == exact);
                CHECK(std::nearbyint(exact * 64) == exact * 64);
            }
        });
}

TEST_CASE("overlapping: leading bits of a wider code mean what the parent says of that width")
{
    at_each_overlapping_width(
        [](auto bits)
        {
            for (unsigned q = 0; q < 1u << bits; ++q)
                CHECK(overlapping<8>::step_at(bits) * static_cast<float>(overlapping<8>::level_at(q, bits)) +
                          overlapping<8>::base_at(bits) ==
                      value_of_code<overlapping<bits>>(q));
        });
    CHECK(overlapping<8>::step_at(2) * static_cast<float>(overlapping<8>::level_at(3, 2)) +
              overlapping<8>::base_at(2) ==
          value_of_code<uniform<2, 8>>(3));
}

TEST_CASE("overlapping: values mirror each other about the middle of the parent")
{
    at_each_overlapping_width(
        [](auto bits)
        {
            using C = overlapping<bits>;
            for (unsigned q = 0; q < C::size; ++q)
                CHECK(value_of_code<C>(q) + value_of_code<C>(C::size - 1 - q) == 255);
        });
}

TEST_CASE("overlapping: codes of 8 bits inside a cell of 2 reach beyond it, on both sides")
{
    for (unsigned cell = 0; cell < 4; ++cell)
    {
        float low = 1e9f, high = -1e9f;
        for (unsigned q = cell * 64; q < (cell + 1) * 64; ++q)
        {
            low = std::min(low, value_of_code<overlapping<8>>(q));
            high = std::max(high, value_of_code<overlapping<8>>(q));
        }
        CHECK(low < static_cast<float>(cell * 64) - 4);
        CHECK(high > static_cast<float>(cell * 64 + 63) + 4);
    }
}

TEST_CASE("overlapping: codes that share four bits lie evenly apart, a range wider than what is between two of those")
{
    at_each_overlapping_width(
        [](auto bits)
        {
            if constexpr (bits > 4)
            {
                using C = overlapping<bits>;
                constexpr unsigned block = 1u << (bits - 4);
                for (unsigned q = 0; q < C::size; ++q)
                    if (q % block != 0)
                        CHECK(value_of_code<C>(q) - value_of_code<C>(q - 1) ==
                              C::step_at(bits) * static_cast<float>(1u << (8 - bits)));
            }
        });
}

TEST_CASE("overlapping: encode finds a value, and the nearest one at 3, 4 and 8 bits")
{
    auto const nearest = [](auto book, float x)
    {
        using C = decltype(book);
        float least = std::abs(x - value_of_code<C>(0));
        for (unsigned q = 1; q < C::size; ++q)
            least = std::min(least, std::abs(x - value_of_code<C>(q)));
        return least;
    };
    auto const check = [&](auto book)
    {
        for (float x = -100; x < 400; x += 0.34375f)
            CHECK(std::abs(x - book.decode(book.encode(x))) == doctest::Approx(nearest(book, x)).epsilon(1e-5));
        for (unsigned q = 0; q < book.size; ++q)
        {
            float const value = book.decode(static_cast<code>(q));
            CHECK(book.decode(book.encode(value)) == value);
        }
    };
    check(overlapping<3>{});
    check(overlapping<4>{});
    check(overlapping<8>{});
}

TEST_CASE("overlapping: the place of a value among the codes of one leading code is that of its code")
{
    at_each_overlapping_width(
        [](auto bits)
        {
            using C = overlapping<bits>;
            constexpr unsigned inside = bits <= 4 ? 1u << (bits - 2) : 1u << (bits - 4); // of a cell without overlaps
            for (unsigned first = 0; first < C::size; first += inside)
                for (unsigned q = first; q < first + inside; ++q)
                {
                    CHECK(C::coordinate_in(value_of_code<C>(q), first, inside) ==
                          doctest::Approx(static_cast<float>(q)).epsilon(1e-6));
                    if (q > first)
                    {
                        float const between = (value_of_code<C>(q - 1) + value_of_code<C>(q)) / 2;
                        CHECK(C::coordinate_in(between, first, inside) ==
                              doctest::Approx(static_cast<float>(q) - 0.5f).epsilon(1e-6));
                    }
                }
            CHECK(C::coordinate_in(-1000, 0, inside) < -0.5f);
            CHECK(C::coordinate_in(1000, 0, inside) > static_cast<float>(inside) - 0.5f);
        });
}
