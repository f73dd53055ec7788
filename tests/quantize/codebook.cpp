// SPDX-License-Identifier: BSD-3-Clause
#include "../laws/codebook.hpp"
#include "../laws/linear_codebook.hpp"
#include "../laws/nested_codebook.hpp"
using namespace jackplane;

TYPE_TO_STRING_AS("nf4", nf4);
TYPE_TO_STRING_AS("fp4", fp4);

TEST_CASE_TEMPLATE_INVOKE(codebook_law, uniform<1>, uniform<2>, uniform<3>, uniform<4>);
TEST_CASE_TEMPLATE_INVOKE(codebook_law, uniform<5>, uniform<6>, uniform<7>, uniform<8>);
TEST_CASE_TEMPLATE_INVOKE(codebook_law, uniform<8>::narrowed<1>, uniform<8>::narrowed<2>, uniform<8>::narrowed<3>);
TEST_CASE_TEMPLATE_INVOKE(codebook_law, uniform<8>::narrowed<4>, uniform<8>::narrowed<5>, uniform<8>::narrowed<6>);
TEST_CASE_TEMPLATE_INVOKE(codebook_law, uniform<8>::narrowed<7>, uniform<5>::narrowed<4>::narrowed<2>);
TEST_CASE_TEMPLATE_INVOKE(codebook_law, nf4);
TEST_CASE_TEMPLATE_INVOKE(codebook_law, fp4);

TEST_CASE_TEMPLATE_INVOKE(linear_codebook_law, uniform<1>, uniform<2>, uniform<3>, uniform<4>);
TEST_CASE_TEMPLATE_INVOKE(linear_codebook_law, uniform<5>, uniform<6>, uniform<7>, uniform<8>);
TEST_CASE_TEMPLATE_INVOKE(linear_codebook_law, uniform<8>::narrowed<1>, uniform<8>::narrowed<2>,
                          uniform<8>::narrowed<4>);
TEST_CASE_TEMPLATE_INVOKE(linear_codebook_law, uniform<8>::narrowed<7>, uniform<6>::narrowed<3>);

TEST_CASE_TEMPLATE_INVOKE(nested_codebook_law, uniform<1>, uniform<2>, uniform<3>, uniform<4>);
TEST_CASE_TEMPLATE_INVOKE(nested_codebook_law, uniform<5>, uniform<6>, uniform<7>, uniform<8>);
TEST_CASE_TEMPLATE_INVOKE(nested_codebook_law, uniform<8>::narrowed<5>, uniform<6>::narrowed<3>);

// A form narrowed twice is the form narrowed at once, and no narrower than one bit.
static_assert(std::is_same_v<uniform<8>::narrowed<4>::narrowed<2>, uniform<8>::narrowed<2>>);
static_assert(std::is_same_v<uniform<8>::narrowed<8>, uniform<8>>);
template <class C, unsigned K>
concept narrows = requires { typename C::template narrowed<K>; };
static_assert(narrows<uniform<4>, 4> && !narrows<uniform<4>, 0> && !narrows<uniform<4>, 9>);

// The definition (architecture 4): the leading K bits of a B-bit code mean the middle of their cell.
static_assert(uniform<8>::narrowed<4>::step == 16 && uniform<8>::narrowed<4>::base == 7.5f);
static_assert(uniform<8>::centre == 128 && uniform<8>::narrowed<2>::centre == 128 && uniform<1>::centre == 1);
static_assert(reach(uniform<8>{}) == 127 && reach(uniform<2>{}) == 1 && reach(uniform<1>{}) == 1);
static_assert(reach(nf4{}) == 1 && reach(fp4{}) == 6);

TEST_CASE("nf4 is its table: 16 values, 0 and both ends exact, steeper away from 0")
{
    CHECK(nf4::size == 16);
    CHECK(nf4::decode(0) == -1);
    CHECK(nf4::decode(15) == 1);
    for (unsigned q = 1; q < 7; ++q)
        CHECK(nf4::decode(static_cast<code>(q)) - nf4::decode(static_cast<code>(q - 1)) >
              nf4::decode(static_cast<code>(q + 1)) - nf4::decode(static_cast<code>(q)));
    // Quantiles of the normal distribution, normalized to [-1, 1]: Phi(value * end) is evenly spaced on each side of 0,
    // with end the outermost quantile, (1/32 + 1/30) / 2 of the probability away from the tail.
    auto probability = [](double x) { return std::erfc(-x / std::sqrt(2.0)) / 2; };
    double const end = 1.8481308; // Phi^-1(1 - (1/32 + 1/30) / 2)
    CHECK(probability(end) == doctest::Approx(1 - (1 / 32.0 + 1 / 30.0) / 2).epsilon(1e-7));
    double const tail = 1 - probability(end);
    for (unsigned q = 0; q < 16; ++q)
    {
        double const even = q < 7 ? tail + (0.5 - tail) * q / 7 : 0.5 + (0.5 - tail) * (q - 7) / 8;
        CHECK(probability(nf4::decode(static_cast<code>(q)) * end) == doctest::Approx(even).epsilon(1e-5));
    }
}

TEST_CASE("fp4 is every E2M1 number once")
{
    CHECK(fp4::size == 15);
    for (unsigned pattern = 0; pattern < 16; ++pattern) // sign, exponent biased by 1, fraction of one bit
    {
        unsigned const exponent = pattern >> 1 & 3u, fraction = pattern & 1u;
        float const magnitude = exponent == 0
                                    ? static_cast<float>(fraction) / 2
                                    : std::ldexp(1 + static_cast<float>(fraction) / 2, static_cast<int>(exponent) - 1);
        float const x = pattern & 8u ? -magnitude : magnitude;
        CHECK(fp4::decode(fp4{}.encode(x)) == x);
    }
    CHECK(fp4::decode(15) == 6); // the sixteenth code, which encode never gives
    CHECK(fp4{}.encode(100) == 14);
}
