// SPDX-License-Identifier: BSD-3-Clause
#include "laws/dense_map.hpp"
#include "laws/linear_map.hpp"
#include "subjects.hpp"
#include <jackplane/core/tensor.hpp>
#if __has_include(<xtensor/views/xview.hpp>)
#include <xtensor/views/xview.hpp>
#else
#include <xtensor/xview.hpp>
#endif

using namespace jackplane;
using subjects::prefixes;
using subjects::whole;

// one-bit planes
using eight = whole<bit_planes, uniform<8>, minmax<integer_zero>>;
using any_width = prefixes<bit_planes, uniform<8>, minmax<real_zero>>;
TEST_CASE_TEMPLATE_INVOKE(linear_map_law, eight, any_width);
TEST_CASE_TEMPLATE_INVOKE(dense_map_law, eight, any_width);

TEST_CASE("half and bfloat16 x and y: the float product, y rounded once")
{
    auto const subject = eight::make({33, 65}, group{32}, 4);
    auto const x = laws::vector(65, laws::input::bell, 1);
    auto check = [&]<class T, class U>(T, U)
    {
        std::vector<T> narrow_x;
        std::vector<float> same_x;
        for (float const v : x)
        {
            narrow_x.push_back(from_float<T>(v));
            same_x.push_back(to_float(narrow_x.back()));
        }
        std::vector<U> y(33), expected;
        for (float const v : laws::times(subject.map, same_x))
            expected.push_back(from_float<U>(v));
        multiply(subject.map, std::span<T const>(narrow_x), std::span<U>(y), threads{2});
        CHECK(y == expected);
        multiply(subject.map.template prefix<3>(), std::span<T const>(narrow_x), std::span<U>(y));
        CHECK(y != expected);
    };
    check(half{}, half{});
    check(half{}, bfloat16{});
    check(bfloat16{}, half{});
    check(bfloat16{}, bfloat16{});
    check(half{}, 0.0f);
    check(0.0f, bfloat16{});
}

TEST_CASE("one prepared x serves matrices of any format and height")
{
    auto const x = laws::vector(129, laws::input::outlier, 2);
    exact::prepared ready;
    exact::prepare(x, ready);
    auto check = [&](auto const& map)
    {
        std::vector<float> y(map.rows());
        multiply(map, ready, y);
        CHECK(laws::same_bits(y, laws::times(map, x)));
    };
    check(eight::make({31, 129}, group{64}, 1).map);
    check(eight::make({64, 129}, group{5}, 2).map.prefix(3));
    check(whole<planes<4>, nf4, absmax>::make({7, 129}, group{48}, 3).map);
}

TEST_CASE("x, y and their rows may be arrays of xtensor")
{
    auto const subject = eight::make({33, 65}, group{32}, 4);
    jackplane::matrix<float> tokens = jackplane::matrix<float>::from_shape({2, 65}), out = xt::zeros<float>({2, 33});
    for (std::size_t i = 0; i < tokens.size(); ++i)
        tokens.data()[i] = static_cast<float>(i % 7);
    xt::xtensor<float, 1> const x = xt::row(tokens, 1);
    xt::xtensor<float, 1> y = xt::zeros<float>({33}), same = y;
    exact::prepared ready;
    exact::prepare(tokens, ready);
    multiply(subject.map, ready, out);
    multiply(subject.map, x, y, threads{2});
    CHECK(y == xt::row(out, 1));
    exact::prepare(x, ready);
    multiply(subject.map, ready, same);
    CHECK(y == same);
    CHECK(xt::any(xt::not_equal(y, 0.0f)));
}

TEST_CASE("very large and very small x and scales keep the bound")
{
    laws::sample w = laws::weights(33, 129, 6);
    for (float const weight_gain : {0x1p-80f, 1.0f, 0x1p80f})
        for (float const gain : {0x1p-20f, 0x1p40f, 0x1p100f})
        {
            if (weight_gain > 1 && gain > 1)
                continue; // overflows a float
            laws::sample scaled = w;
            for (float& v : scaled.data)
                v *= weight_gain;
            auto const q = quantize<float>(scaled.view(), uniform<8>{}, minmax<real_zero>{}, group{48});
            auto const a = pack<bit_planes>(q);
            auto x = laws::vector(129, laws::input::bell, 7);
            for (float& v : x)
                v *= gain;
            for (unsigned const bits : {8u, 3u})
            {
                auto const expected = laws::product(laws::twin_of(q, bits), x);
                CHECK(laws::first_wrong(expected, laws::times(a.prefix(bits), x)) == 33);
            }
        }
}

TEST_CASE("a product that no float holds is never a finite number")
{
    laws::sample w{1, 64, aligned_vector<float>(64, 3e38f)};
    auto const a = pack<bit_planes>(quantize<float>(w.view(), uniform<8>{}, absmax{}, group{64}));
    std::vector<float> const x(64, 1.0f);
    CHECK(!is_finite(laws::times(a, x)[0]));
    CHECK(!is_finite(laws::times(a, std::vector<float>(64, 3e38f))[0]));
}
