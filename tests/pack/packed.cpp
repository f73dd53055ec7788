// SPDX-License-Identifier: BSD-3-Clause
#include <cmath>
#include <doctest/doctest.h>
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/quantize.hpp>
#include "../laws/weights.hpp"
using namespace jackplane;

namespace
{
    // Of an 8-bit q at `bits`: the middle of the codes that share its leading bits, in the formula's own roundings.
    template <class Q>
    float expected_at(Q const& q, unsigned bits, std::size_t row, std::size_t col)
    {
        double const cell = std::exp2(Q::codebook_type::bits - bits);
        double const value = std::floor(q.codes[row * q.cols + col] / cell) * cell + (cell - 1) / 2;
        float const offset = static_cast<float>(value - q.zero_at(row, col));
        return static_cast<float>(static_cast<double>(q.scale_at(row, col)) * offset);
    }
    template <class Q, class M>
    std::size_t differing(Q const& q, unsigned bits, M const& a)
    {
        std::size_t wrong = 0;
        for (std::size_t row = 0; row < q.rows; ++row)
            for (std::size_t col = 0; col < q.cols; ++col)
                wrong += a.at(row, col) != expected_at(q, bits, row, col);
        return wrong;
    }
    template <class P>
    auto eight_bits(std::size_t rows, std::size_t cols, group g = group{32})
    {
        laws::sample const w = laws::weights(rows, cols, rows + cols);
        return quantize(w.view(), uniform<8>{}, P{}, g);
    }
}

TEST_CASE_TEMPLATE("prefixes decode to scale * (middle of the cell - zero)", P, absmax, full_range,
                   minmax<integer_zero>, minmax<real_zero>)
{
    for (laws::shape const s : {laws::shape{1, 1}, laws::shape{17, 33}, laws::shape{5, 129}, laws::shape{63, 31}})
    {
        auto const q = eight_bits<P>(s.rows, s.cols);
        auto const bit = pack<bit_planes>(q);
        auto const mixed = pack<planes<1, 2, 4, 1>>(q);
        for (unsigned bits = 1; bits <= 8; ++bits)
        {
            CHECK(bit.prefix(bits).bits() == bits);
            CHECK(differing(q, bits, bit.prefix(bits)) == 0);
            CHECK(mixed.readable(bits) == (bits == 1 || bits == 3 || bits == 7 || bits == 8));
            if (mixed.readable(bits))
                CHECK(differing(q, bits, mixed.prefix(bits)) == 0);
        }
    }
}

TEST_CASE("a prefix chosen at compile time is the same view")
{
    auto const q = eight_bits<minmax<>>(18, 40);
    auto const a = pack<planes<4, 2, 2>>(q);
    auto same = [](auto const& x, auto const& y)
    {
        return x.view().plane == y.view().plane && x.view().bits == y.view().bits && x.view().step == y.view().step &&
               x.view().base == y.view().base && x.view().planes == y.view().planes &&
               x.view().scales == y.view().scales;
    };
    CHECK(same(a.prefix<4>(), a.prefix(4)));
    CHECK(same(a.prefix<6>(), a.prefix(6)));
    CHECK(same(a.prefix<8>(), a.prefix(8)));
    using A = decltype(a);
    static_assert(A::readable<4>() && A::readable<6>() && A::readable<8>() && !A::readable<2>() && !A::readable<5>());
    CHECK(a.prefix(8).at(17, 39) == a.at(17, 39));
}

TEST_CASE("a prefix needs no other plane than its own, and copies none")
{
    auto const a = pack<planes<2, 2, 4>>(eight_bits<absmax>(20, 50));
    auto const v = a.prefix(4).view();
    CHECK(v.planes == 2);
    CHECK(v.plane[0] == a.view().plane[0]);
    CHECK(v.plane[1] == a.view().plane[1]);
    CHECK(v.plane[2] == nullptr);
    CHECK(v.scales == a.view().scales);
}

TEST_CASE("widths that cannot be read are errors that list those that can")
{
    auto const a = pack<planes<4, 4>>(eight_bits<absmax>(3, 5));
    CHECK_THROWS_WITH_AS(a.prefix(2), doctest::Contains("no 2-bit prefix here; readable widths: 4, 8"), width_error);
    for (unsigned const bits : {0u, 1u, 5u, 9u, 16u, 4000000000u})
        CHECK_THROWS_AS(a.prefix(bits), width_error);
    CHECK(pack<bit_planes>(eight_bits<absmax>(3, 5)).readable_widths() == "1, 2, 3, 4, 5, 6, 7, 8");
    CHECK(pack<planes<1, 2, 4, 1>>(eight_bits<absmax>(3, 5)).readable_widths() == "1, 3, 7, 8");

    laws::sample const w = laws::weights(3, 5, 1); // a table is not nested: leading bits mean nothing
    auto const table = pack<planes<2, 2>>(quantize(w.view(), nf4{}, absmax{}, group{4}));
    CHECK(table.readable_widths() == "4");
    CHECK_THROWS_WITH_AS(table.prefix(2), doctest::Contains("readable widths: 4"), width_error);
    CHECK(table.prefix(4).at(2, 4) == table.at(2, 4));
}

TEST_CASE("planes cut at a level are a matrix of their own: the same numbers, fewer widths")
{
    auto const q = eight_bits<minmax<>>(19, 45);
    auto const whole = pack<bit_planes>(q);
    decltype(whole) const cut{whole.prefix(4).view(), whole.owner()};
    CHECK(cut.bits() == 4);
    CHECK(cut.readable_widths() == "1, 2, 3, 4");
    for (unsigned bits = 1; bits <= 4; ++bits)
        CHECK(differing(q, bits, cut.prefix(bits)) == 0);
    CHECK(differing(q, 4, cut) == 0);
    CHECK_THROWS_WITH_AS(cut.prefix(8), doctest::Contains("readable widths: 1, 2, 3, 4"), width_error);
}

TEST_CASE("a width may have scales and zeros of its own; others keep the parent's")
{
    auto q = eight_bits<minmax<>>(18, 40);
    auto const parent = pack<bit_planes>(q);
    auto other = q;
    for (half& s : other.scales)
        s = from_float<half>(to_float(s) * 1.5f);
    for (integer_zero& z : other.zeros)
        z = static_cast<integer_zero>(z / 2 + 3);
    auto const source = pack<bit_planes>(other);

    decltype(parent)::width_scales own{};
    own[2] = {source.view().scales, source.view().zeros};
    std::shared_ptr<void const> const both = std::make_shared<std::array<std::shared_ptr<void const>, 2>>(
        std::array{parent.owner(), source.owner()});
    packed<bit_planes, uniform<8>, half, integer_zero> const a{parent.view(), both, own};
    CHECK(differing(other, 2, a.prefix(2)) == 0);
    CHECK(differing(q, 2, a.prefix(2)) > 0);
    for (unsigned const bits : {1u, 3u, 4u, 8u})
        CHECK(differing(q, bits, a.prefix(bits)) == 0);
    CHECK(a.own_scales()[2].scales == source.view().scales);
    CHECK(a.own_scales()[4].scales == nullptr);
    CHECK(bytes_read(a.prefix(2)) == bytes_read(parent.prefix(2)));

    auto const made = with_scales(with_scales(parent, 4, other), 8, other);
    for (unsigned const bits : {4u, 8u})
        CHECK(differing(other, bits, made.prefix(bits)) == 0);
    CHECK(differing(q, 2, made.prefix(2)) == 0);
    CHECK(made.view().plane[0] == parent.view().plane[0]);
    auto coarse = other;
    coarse.grid.columns *= 2;
    CHECK_THROWS_WITH_AS(with_scales(parent, 4, coarse), doctest::Contains("in groups of"), shape_error);
    CHECK_THROWS_WITH_AS(with_scales(parent, 9, other), "scales for 9 bits; there are 1, 2, 3, 4, 5, 6, 7, 8",
                         width_error);
}

TEST_CASE("copies share their planes and keep them alive")
{
    packed<bit_planes> copy;
    float expected = 0;
    {
        auto const a = pack<bit_planes>(eight_bits<absmax>(40, 40));
        copy = a;
        CHECK(copy.view().plane == a.view().plane);
        CHECK(copy.view().scales == a.view().scales);
        expected = a.at(39, 39);
    }
    CHECK(copy.at(39, 39) == expected);
    packed<bit_planes> const moved = std::move(copy);
    CHECK(moved.prefix(8).at(39, 39) == expected);
}

TEST_CASE("nothing packed yet: an empty matrix")
{
    packed<bit_planes> const nothing;
    CHECK(nothing.rows() == 0);
    CHECK(nothing.cols() == 0);
    CHECK(nothing.bits() == 0);
    CHECK(nothing.readable_widths().empty());
    CHECK(effective_bits(nothing) == 0);
    CHECK_THROWS_AS(nothing.prefix(4), width_error);
}

template <class M>
concept has_view = requires(M&& m) { std::forward<M>(m).view(); };
template <class M>
concept has_own_scales = requires(M&& m) { std::forward<M>(m).own_scales(); };
using any_matrix = packed<bit_planes>;
static_assert(has_view<any_matrix&> && has_view<any_matrix const&> && !has_view<any_matrix>);
static_assert(!has_view<any_matrix const> && has_own_scales<any_matrix&> && !has_own_scales<any_matrix>);
static_assert(std::is_same_v<decltype(any_matrix{}.owner()), std::shared_ptr<void const>>);
static_assert(std::is_same_v<decltype(std::declval<any_matrix&>().prefix(1).view()), any_matrix::view_type>);

TEST_CASE("the leading bits of a temporary own the planes")
{
    auto const q = eight_bits<minmax<>>(19, 45);
    auto const four = pack<bit_planes>(q).prefix(4);
    auto const two = pack<bit_planes>(q).template prefix<2>();
    static_assert(std::is_same_v<decltype(four), packed<bit_planes, uniform<8>, half, integer_zero> const>);
    std::vector<std::byte> const elsewhere(100000); // where freed planes would be written over
    CHECK(four.bits() == 4);
    CHECK(two.bits() == 2);
    CHECK(differing(q, 4, four) == 0);
    CHECK(differing(q, 2, two) == 0);
    CHECK(differing(q, 1, four.prefix(1)) == 0);
    CHECK_THROWS_AS(pack<bit_planes>(q).prefix(9), width_error);
    CHECK_THROWS_AS(decltype(four)(four).prefix(5), width_error);
}

TEST_CASE("and read the scales that each width has")
{
    auto const q = eight_bits<minmax<>>(18, 40);
    auto other = q;
    for (half& s : other.scales)
        s = from_float<half>(to_float(s) * 1.5f);
    auto const made = with_scales(pack<bit_planes>(q), 4, other);
    auto const four = with_scales(pack<bit_planes>(q), 4, other).prefix(4);
    CHECK(differing(other, 4, four) == 0);
    CHECK(differing(other, 4, four.prefix(4)) == 0);
    CHECK(differing(q, 2, four.prefix(2)) == 0);
    CHECK(differing(q, 2, made.prefix(2)) == 0);
}
