// SPDX-License-Identifier: BSD-3-Clause
// Which scale goes with which codebook, and which clipping: what a concept promises compiles, and gives numbers.
#include <jackplane/quantize/matryoshka.hpp>
#include <jackplane/quantize/quantize.hpp>
#include <jackplane/quantize/row_table.hpp>
#include <jackplane/tune/clipping.hpp>
#include <cmath>
#include <doctest/doctest.h>

using namespace jackplane;

namespace
{
    template <class C>
    C const& book()
    {
        static constexpr unsigned widths[]{8, 2};
        static constexpr float weights[]{1, 1};
        if constexpr (std::same_as<C, matryoshka>)
        {
            static matryoshka const both{widths, weights};
            return both;
        }
        else
        {
            static constexpr C empty{};
            return empty;
        }
    }
    constexpr float group_of_weights[]{-0.75f, 0.5f, 0.125f, 0, 0.25f, -0.25f, 0.375f, -0.5f};

    // As the concept says; where it holds, the quantized weights are inside their range.
    template <class P, class C>
    void check_pair(bool expected)
    {
        INFO(std::string(C::name()), C::bits, " bits of ", C::centre);
        CHECK(scale<P, C> == expected);
        if constexpr (scale<P, C>)
        {
            matrix_view<float const> const w{group_of_weights, 1, 8};
            auto const q = quantize(w, book<C>(), P{}, group{8});
            for (std::size_t i = 0; i < 8; ++i)
                CHECK(std::abs(q.at(0, i) - group_of_weights[i]) <= 1.5f);
        }
        using clip = clip_range<P>;
        using adjust = adjust_scale<P>;
        if constexpr (clipping<clip, C>)
        {
            auto const r = clip{}.start(group_of_weights, book<C>());
            auto const s = clip{}.scale(r, clip::initial(), book<C>());
            CHECK(is_finite(clip{}.slope(r, clip::initial(), s, s, book<C>()).first));
        }
        CHECK(clipping<adjust, C> == expected);
        if constexpr (clipping<adjust, C>)
        {
            auto const s = adjust{}.start(group_of_weights, book<C>());
            CHECK(is_finite(adjust{}.scale(s, adjust::initial(), book<C>()).scale));
        }
    }
    template <class P>
    void check_books(bool table, bool own_width, bool parents, bool joint)
    {
        check_pair<P, uniform<1>>(own_width);
        check_pair<P, uniform<4>>(own_width);
        check_pair<P, uniform<8>>(parents);
        check_pair<P, uniform<2, 8>>(parents);
        check_pair<P, nf4>(table);
        check_pair<P, fp4>(table);
        check_pair<P, matryoshka>(joint);
        check_pair<P, row_table<3>>(false); // it has values of its own
    }
    template <class P>
    void check_policies(bool table)
    {
        check_books<P>(table, true, true, table);
        check_books<mse_search<P>>(table, true, true, table);
        check_books<parent_scale<P>>(false, false, true, true);
        check_books<mse_search<parent_scale<P>>>(false, false, true, true);
    }
}
TEST_CASE("scale and clipping hold for the pairs that work, and for no others")
{
    check_policies<absmax>(true);
    check_policies<full_range>(true);
    check_policies<minmax<real_zero>>(true);
    check_policies<minmax<integer_zero>>(false); // a whole code as zero
    check_policies<gptq_symmetric>(false);       // half a step
}
TEST_CASE("a clipping of a scale that is searched has no slope")
{
    CHECK(clipping<clip_range<minmax<>>, uniform<4>>);
    CHECK(!clipping<clip_range<minmax<>>, nf4>);
    CHECK(!clipping<clip_range<mse_search<absmax>>, uniform<4>>);
    CHECK(!clipping<clip_range<parent_scale<mse_search<absmax>>>, uniform<8>>);
    CHECK(clipping<adjust_scale<mse_search<absmax>>, uniform<4>>);
}
