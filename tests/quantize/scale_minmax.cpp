// SPDX-License-Identifier: BSD-3-Clause
#include "../laws/scale.hpp"
using namespace jackplane;
using laws::on;
using whole = minmax<integer_zero>;
using real = minmax<real_zero>;

TEST_CASE_TEMPLATE_INVOKE(scale_law, on<uniform<1>, whole>, on<uniform<2>, whole>, on<uniform<3>, whole>);
TEST_CASE_TEMPLATE_INVOKE(scale_law, on<uniform<4>, whole>, on<uniform<5>, whole>, on<uniform<6>, whole>);
TEST_CASE_TEMPLATE_INVOKE(scale_law, on<uniform<7>, whole>, on<uniform<8>, whole>);
TEST_CASE_TEMPLATE_INVOKE(scale_law, on<uniform<1>, real>, on<uniform<2>, real>, on<uniform<3>, real>);
TEST_CASE_TEMPLATE_INVOKE(scale_law, on<uniform<4>, real>, on<uniform<5>, real>, on<uniform<6>, real>);
TEST_CASE_TEMPLATE_INVOKE(scale_law, on<uniform<7>, real>, on<uniform<8>, real>, on<nf4, real>, on<fp4, real>);

TEST_CASE_TEMPLATE("minmax brackets the group and 0", T, on<uniform<1>, whole>, on<uniform<2>, whole>,
                   on<uniform<4>, whole>, on<uniform<8>, whole>, on<uniform<2>, real>, on<uniform<4>, real>,
                   on<uniform<8>, real>, on<nf4, real>, on<fp4, real>)
{
    using C = typename T::book;
    constexpr bool integer = std::is_same_v<typename T::policy::zero_type, integer_zero>;
    C const book{};
    laws::sequence next{17};
    for (float const offset : {0.0f, 0.5f, -0.5f, 2.5f, -2.5f, 30.0f}) // from 2 on all weights have one sign
        for (int trial = 0; trial < 10; ++trial)
        {
            std::vector<float> w(33);
            for (float& x : w)
                x = next.bell() + offset;
            scale_and_zero const s = typename T::policy{}(w, book, {});
            double const scale = s.scale, zero = s.zero;
            CHECK(s.scale > 0);
            // An integer zero moves both ends by up to half a step; the rest is the rounding of scale and zero, at most
            // 4 u of numbers up to size + |zero| steps.
            double const slack = scale * ((integer ? 0.5 : 0.0) + 4 * 0x1p-24 * (C::size + std::abs(zero)));
            double lowest = 0, highest = 0;
            for (float const x : w)
                lowest = std::min<double>(lowest, x), highest = std::max<double>(highest, x);
            CHECK(std::abs(scale * (book.decode(0) - zero) - lowest) <= slack);
            CHECK(std::abs(scale * (book.decode(C::size - 1) - zero) - highest) <= slack);
            if (integer)
            {
                CHECK(zero == std::floor(zero));
                CHECK(zero >= 0);
                CHECK(zero <= C::size - 1);
            }
        }
}

TEST_CASE("a weight of 0 is kept exactly by an integer zero, and by any zero when all weights have one sign")
{
    laws::sample w = laws::weights(3, 40, 6);
    for (std::size_t i = 0; i < w.data.size(); i += 3)
        w.data[i] = 0;
    auto const q = quantize(w.view(), uniform<4>{}, whole{}, group{16});
    for (std::size_t i = 0; i < w.data.size(); i += 3)
        CHECK(q.at(i / 40, i % 40) == 0);
    for (float& x : w.data)
        x = std::abs(x);
    auto const p = quantize(w.view(), uniform<4>{}, real{}, group{16});
    for (std::size_t i = 0; i < w.data.size(); i += 3)
        CHECK(p.at(i / 40, i % 40) == 0);
}

TEST_CASE("ranges whose width overflows a float still have a scale")
{
    float const most = std::numeric_limits<float>::max();
    std::vector<float> const w{-most, most};
    CHECK(is_finite(whole{}(w, uniform<8>{}, {}).scale));
    CHECK(is_finite(real{}(w, uniform<2>{}, {}).scale));
    CHECK(is_finite(real{}(w, nf4{}, {}).scale));
}
