// SPDX-License-Identifier: BSD-3-Clause
#include "../laws/scale.hpp"
using namespace jackplane;
using laws::on;

TEST_CASE_TEMPLATE_INVOKE(scale_law, on<uniform<1>, absmax>, on<uniform<2>, absmax>, on<uniform<3>, absmax>);
TEST_CASE_TEMPLATE_INVOKE(scale_law, on<uniform<4>, absmax>, on<uniform<5>, absmax>, on<uniform<6>, absmax>);
TEST_CASE_TEMPLATE_INVOKE(scale_law, on<uniform<7>, absmax>, on<uniform<8>, absmax>, on<nf4, absmax>, on<fp4, absmax>);
TEST_CASE_TEMPLATE_INVOKE(scale_law, on<uniform<1>, full_range>, on<uniform<2>, full_range>,
                          on<uniform<3>, full_range>);
TEST_CASE_TEMPLATE_INVOKE(scale_law, on<uniform<4>, full_range>, on<uniform<5>, full_range>,
                          on<uniform<6>, full_range>);
TEST_CASE_TEMPLATE_INVOKE(scale_law, on<uniform<7>, full_range>, on<uniform<8>, full_range>, on<nf4, full_range>);
TEST_CASE_TEMPLATE_INVOKE(scale_law, on<fp4, full_range>);
TEST_CASE_TEMPLATE_INVOKE(scale_law, on<uniform<2>, gptq_symmetric>, on<uniform<4>, gptq_symmetric>,
                          on<uniform<8>, gptq_symmetric>);
TEST_CASE_TEMPLATE_INVOKE(scale_law, on<uniform<2, 8>, parent_scale<minmax<>>>,
                          on<uniform<4, 8>, parent_scale<absmax>>);

namespace
{
    template <class T>
    scale_and_zero scale_of(std::vector<float> const& w)
    {
        return typename T::policy{}(w, typename T::book{}, {});
    }
    std::vector<float> bell(std::size_t n, std::uint64_t seed)
    {
        laws::sequence next{seed};
        std::vector<float> w(n);
        for (float& x : w)
            x = next.bell();
        return w;
    }
}

TEST_CASE_TEMPLATE("parent_scale is that of 8 bits for every width, unless it is asked for the width's own", P, absmax,
                   full_range, minmax<integer_zero>, minmax<real_zero>)
{
    auto const same = [](scale_and_zero a, scale_and_zero b) { return a.scale == b.scale && a.zero == b.zero; };
    for (std::uint64_t seed = 0; seed < 5; ++seed)
    {
        auto const w = bell(64, seed);
        CHECK(same(parent_scale<P>{}(w, uniform<2, 8>{}), P{}(w, uniform<8>{})));
        CHECK(same(parent_scale<P>{}(w, uniform<8>{}), P{}(w, uniform<8>{})));
        CHECK(same(parent_scale<P>{{}, true}(w, uniform<2, 8>{}), P{}(w, uniform<2, 8>{})));
        CHECK(parent_scale<P>{}(w, uniform<2, 8>{}).scale != P{}(w, uniform<2, 8>{}).scale);
    }
    CHECK(parent_scale<P>{}(std::vector<float>(9), uniform<2, 8>{}).scale == 0);
}

TEST_CASE_TEMPLATE("absmax puts the largest magnitude on the nearer end of the codebook", C, uniform<1>, uniform<2>,
                   uniform<4>, uniform<8>, nf4, fp4)
{
    using T = on<C, absmax>;
    CHECK(scale_of<T>({1, -3, 2}).scale == 3 / reach(C{}));
    CHECK(scale_of<T>({1, 3, -2}).scale == 3 / reach(C{}));
    for (std::uint64_t seed = 1; seed <= 20; ++seed)
    {
        std::vector<float> const w = bell(48, seed);
        float const scale = scale_of<T>(w).scale;
        CHECK(scale > 0);
        for (float const x : w) // nothing is farther out than that end; u for the division, u for the product
            CHECK(std::abs(static_cast<double>(x)) <= static_cast<double>(scale) * reach(C{}) * (1 + 0x1p-23));
    }
}

TEST_CASE_TEMPLATE("full_range puts the weight of largest magnitude on code 0; its sign decides the scale's", C,
                   uniform<1>, uniform<2>, uniform<4>, uniform<8>, nf4, fp4)
{
    using T = on<C, full_range>;
    float const end = C{}.decode(0) - C::centre; // negative
    CHECK(scale_of<T>({1, -3, 2}).scale == -3 / end);
    CHECK(scale_of<T>({1, 3, -2}).scale == 3 / end);
    CHECK(std::signbit(scale_of<T>({1, 3, -2}).scale));
    CHECK(!std::signbit(scale_of<T>({1, -3, 2}).scale));
    for (std::uint64_t seed = 1; seed <= 20; ++seed)
    {
        std::vector<float> const w = bell(48, seed);
        float extreme = 0;
        for (float const x : w)
            extreme = std::abs(x) > std::abs(extreme) ? x : extreme;
        auto const q =
            quantize<float>(matrix_view<float const>{w.data(), 1, w.size()}, C{}, full_range{}, group::per_row());
        CHECK((q.scales[0] < 0) == (extreme > 0));
        for (std::size_t i = 0; i < w.size(); ++i)
            if (w[i] == extreme)
                CHECK(q.codes[i] == 0);
    }
}

TEST_CASE("gptq_symmetric spreads the range [-r, r] over all steps: both ends lie half a step off a code")
{
    CHECK(scale_of<on<uniform<4>, gptq_symmetric>>({1, -3, 2}).scale == 3 / 7.5f);
    CHECK(scale_of<on<uniform<2>, gptq_symmetric>>({1, 3, -2}).scale == 2.0f);
    float const w[] = {-3, 3, 0, 1};
    auto const q = quantize<float>(matrix_view<float const>{w, 1, 4}, uniform<2>{}, gptq_symmetric{}, group{4});
    CHECK(q.at(0, 0) == -4); // codes -2 .. 1 of scale 2: -1.5 steps tie to the even one
    CHECK(q.at(0, 1) == 2);
    CHECK(q.at(0, 2) == 0);
}

TEST_CASE("the same magnitude on both sides is full_range's choice of a positive scale")
{
    CHECK(scale_of<on<uniform<4>, full_range>>({2, -2}).scale == -0.25f);
    CHECK(scale_of<on<uniform<4>, full_range>>({-2, 2}).scale == -0.25f);
}
