// SPDX-License-Identifier: BSD-3-Clause
// What sits in a seat, and what does not. Models are asserted beside their definitions; here the refusals.
#include <string>
#include <doctest/doctest.h>
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/quantize.hpp>
using namespace jackplane;

static_assert(!codebook<int> && !codebook<float> && !codebook<absmax>);
static_assert(codebook<uniform<8>::narrowed<3>> && linear_codebook<uniform<8>::narrowed<3>>);
static_assert(!linear_codebook<nf4> && !linear_codebook<fp4>);
static_assert(!nested_codebook<nf4> && !nested_codebook<fp4>);

static_assert(!slice<nearest> && !slice<int>);
static_assert(!rounding<truncate_centred> && !rounding<int>);
static_assert(!rounding<decltype([](float, position) { return 1; })>); // must be a float

static_assert(!scale<int, uniform<4>> && !scale<absmax, int> && !scale<absmax, absmax>);
static_assert(zero_number<no_zero> && zero_number<integer_zero> && zero_number<real_zero>);
static_assert(!zero_number<float> && !zero_number<bfloat16>);
static_assert(zero_number<offset_zero<half>> && zero_number<offset_zero<float>> && !zero_in_steps<offset_zero<float>>);

static_assert(element<float> && element<double> && element<half> && element<bfloat16>);
static_assert(!element<int> && !element<std::uint8_t> && !element<long double>);
static_assert(scale_number<float> && scale_number<half> && scale_number<bfloat16> && !scale_number<double>);

static_assert(code_layout<planes<1>> && code_layout<planes<1, 2, 4, 1>> && !code_layout<uniform<4>>);
static_assert(dense_map<packed<planes<4>>> && dense_map<prefixed<bit_planes, uniform<8>, half, no_zero>>);
static_assert(!dense_map<quantized<uniform<4>>> && !packed_matrix<quantized<uniform<4>>>);

// Planes hold no other widths, and never more than a code.
template <unsigned... W>
concept planes_exist = requires { typename planes<W...>; };
static_assert(planes_exist<8> && planes_exist<4, 2, 2> && planes_exist<1>);
static_assert(!planes_exist<> && !planes_exist<3> && !planes_exist<16> && !planes_exist<8, 1> &&
              !planes_exist<4, 4, 1>);

template <class W, class C, class P>
concept quantizable = requires(matrix_view<W> w) { quantize(w, C{}, P{}, group{}); };
static_assert(quantizable<float const, nf4, absmax> && quantizable<double, uniform<3>, minmax<>>);
static_assert(!quantizable<int const, nf4, absmax> && !quantizable<float const, absmax, nf4>);

namespace
{
    struct three // a codebook of one's own: -1, 0, 1
    {
        static constexpr unsigned bits = 2, size = 3;
        static constexpr float centre = 0;
        static constexpr char const* name() { return "three"; }
        static constexpr float decode(code q) { return static_cast<float>(q) - 1; }
        static constexpr float coordinate(float x) { return x + 1; }
        static code encode(float x) { return x < -0.5f ? code{0} : x > 0.5f ? code{2} : code{1}; }
    };
}

TEST_CASE("a codebook of one's own goes the whole way")
{
    static_assert(codebook<three> && !linear_codebook<three> && !nested_codebook<three>);
    float const w[] = {3, -3, 0.5f, -2, 0, 2.9f};
    auto const a = pack<planes<2>>(quantize(matrix_view<float const>{w, 2, 3}, three{}, absmax{}, group{3}));
    float const expected[] = {3, -3, 0, -2.900390625f, 0, 2.900390625f}; // the half nearest to 2.9
    for (std::size_t i = 0; i < 6; ++i)
        CHECK(a.at(i / 3, i % 3) == expected[i]);
    CHECK_THROWS_AS(a.prefix(1), width_error);
}
