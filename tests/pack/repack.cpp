// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/quantize.hpp>
#include "../laws/weights.hpp"
using namespace jackplane;

TYPE_TO_STRING_AS("truncate_centred", truncate_centred);
TYPE_TO_STRING_AS("extra_precision", extra_precision);
TYPE_TO_STRING_AS("round_clamp", round_clamp);

namespace
{
    template <class P, unsigned Bits = 8>
    auto quantized_sample()
    {
        laws::sample const w = laws::weights(21, 75, 31);
        return quantize(w.view(), uniform<Bits>{}, P{}, group{32});
    }
    // Where `a` differs from the slice of each code of q, applied by hand.
    template <class M, class Q, class S>
    std::size_t differing(M const& a, Q const& q, unsigned to, S rule)
    {
        using C = typename Q::codebook_type;
        auto const codes = codes_of(a);
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < q.codes.size(); ++i)
        {
            unsigned const sliced = rule(q.codes[i], C::bits, to);
            float const value = C::step * rule.value(sliced, C::bits, to) + C::base; // few digits: exact
            float const expected = q.scale_at(i / 75, i % 75) * (value - q.zero_at(i / 75, i % 75));
            wrong += codes[i] != sliced;
            wrong += a.at(i / 75, i % 75) != expected;
        }
        return wrong;
    }
}

TEST_CASE_TEMPLATE("repack applies the slice to every code", S, truncate_centred, extra_precision, round_clamp)
{
    auto const q = quantized_sample<minmax<>>();
    auto const a = pack<bit_planes>(q);
    for (unsigned to = 1; to <= 8; ++to)
    {
        auto const b = repack<bit_planes>(a, to, S{});
        CHECK(b.bits() == S::bits_kept(8, to));
        CHECK(differing(b, q, to, S{}) == 0);
        CHECK(bytes_read(b) == bytes_read(a.prefix(S::bits_kept(8, to))));
    }
    auto const real = quantized_sample<minmax<real_zero>>();
    CHECK(differing(repack<bit_planes>(pack<planes<8>>(real), 3, S{}), real, 3, S{}) == 0);
    auto const none = quantized_sample<full_range>();
    CHECK(differing(repack<planes<1, 2, 4, 1>>(pack<planes<4, 4>>(none), 7, truncate_centred{}), none, 7,
                    truncate_centred{}) == 0);
}

TEST_CASE_TEMPLATE("repack of fewer planes: those that the rule reads are enough", S, truncate_centred, extra_precision,
                   round_clamp)
{
    auto const q = quantized_sample<absmax>();
    auto const whole = pack<bit_planes>(q);
    for (unsigned bits = 1; bits <= 8; ++bits)
    {
        decltype(whole) const cut{whole.prefix(bits).view(), whole.owner()};
        for (unsigned to = 1; to <= 8; ++to)
            if (S::bits_read(8, to) <= bits)
                CHECK(differing(repack<bit_planes>(cut, to, S{}), q, to, S{}) == 0);
            else
                CHECK_THROWS_WITH_AS(repack<bit_planes>(cut, to, S{}), doctest::Contains(S::name()), width_error);
    }
}

TEST_CASE("truncate_centred by repack is what a prefix reads")
{
    auto const a = pack<bit_planes>(quantized_sample<minmax<>>());
    for (unsigned to = 1; to <= 8; ++to)
    {
        auto const b = repack<bit_planes>(a, to, truncate_centred{});
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < 21 * 75; ++i)
            wrong += b.at(i / 75, i % 75) != a.prefix(to).at(i / 75, i % 75);
        CHECK(wrong == 0);
    }
}

TEST_CASE("parents of other widths, and codebooks that are narrowed themselves")
{
    auto const five = quantized_sample<minmax<>, 5>();
    for (unsigned to = 1; to <= 5; ++to)
        CHECK(differing(repack<planes<1, 1, 1, 1, 1>>(pack<planes<4, 1>>(five), to, round_clamp{}), five, to,
                        round_clamp{}) == 0);

    laws::sample const w = laws::weights(21, 75, 31);
    auto const narrowed = quantize(w.view(), uniform<8>::narrowed<4>{}, absmax{}, group{32});
    for (unsigned to = 1; to <= 4; ++to)
    {
        CHECK(differing(repack<planes<1, 1, 1, 1>>(pack<planes<4>>(narrowed), to, round_clamp{}), narrowed, to,
                        round_clamp{}) == 0);
        CHECK(differing(repack<planes<1, 1, 1, 1>>(pack<planes<4>>(narrowed), to, truncate_centred{}), narrowed, to,
                        truncate_centred{}) == 0);
    }
}

TEST_CASE("widths that cannot be made are errors with the numbers")
{
    auto const a = pack<bit_planes>(quantized_sample<absmax>());
    CHECK_THROWS_AS(repack<bit_planes>(a, 0, round_clamp{}), width_error);
    CHECK_THROWS_AS(repack<bit_planes>(a, 9, round_clamp{}), width_error);
    using nibbles = planes<4, 4>;
    CHECK_THROWS_WITH_AS(repack<nibbles>(a, 3, round_clamp{}), doctest::Contains("no prefix of 3 bits"), width_error);
    CHECK_THROWS_WITH_AS(repack<nibbles>(a, 4, extra_precision{}), doctest::Contains("no prefix of 5 bits"),
                         width_error);
    CHECK_NOTHROW(repack<nibbles>(a, 4, round_clamp{}));
    decltype(a) const cut{a.prefix(4).view(), a.owner()};
    CHECK_THROWS_WITH_AS(repack<bit_planes>(cut, 4, round_clamp{}), "round_clamp to 4 bits reads 5 bits, there are 4",
                         width_error);
}
