// SPDX-License-Identifier: BSD-3-Clause
// Views of packed matrices that anybody may have filled in, where they become a matrix; and of what is decoded into.
#include <functional>
#include <limits>
#include <doctest/doctest.h>
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/quantize.hpp>
#include <jackplane/quantize/row_table.hpp>
#include "../laws/broken_views.hpp"
#include "../laws/weights.hpp"
using namespace jackplane;

namespace
{
    template <class V>
    struct broken
    {
        std::string error; // without the name
        std::function<void(V&)> brk;
    };

    constexpr std::size_t height = 33, width = 70; // 3 panels of 3 blocks

    // What is wrong with any view of 33 x 70, whatever its types.
    template <class V>
    std::vector<broken<V>> broken_packed(V const& whole)
    {
        std::size_t const most = std::numeric_limits<std::size_t>::max();
        std::string const groups = text(" groups of ", whole.group),
                          planes = text(" of ", whole.plane.size(), " planes"),
                          groups_on = " groups, of which the next begins ";
        std::vector<broken<V>> all{
            {"49 x 70 in 3 panels of 3 blocks", [](V& v) { v.rows = 49; }},
            {"32 x 70 in 3 panels of 3 blocks", [](V& v) { v.rows = 32; }},
            {"33 x 97 in 3 panels of 3 blocks", [](V& v) { v.cols = 97; }},
            {"33 x 70 in 0 panels of 3 blocks", [](V& v) { v.panels = 0; }},
            {"33 x 70 in 4 panels of 3 blocks", [](V& v) { v.panels = 4; }},
            {"33 x 70 in 3 panels of 2 blocks", [](V& v) { v.blocks = 2; }},
            {text(most, " x 70 do not fit in memory"),
             [=](V& v) { v.rows = most, v.panels = ceil_div(most, block::rows); }},
            {text("33 x 70 in ", whole.groups, " groups of 0"), [](V& v) { v.group = 0; }},
            {text("33 x 70 in ", whole.groups, " groups of 20"), [](V& v) { v.group = 20; }},
            {text("33 x 70 in ", whole.groups + 1, groups), [](V& v) { ++v.groups; }},
            {text("33 x 70 in ", whole.groups - 1, groups), [](V& v) { --v.groups; }},
            {text("panels of 3 blocks and ", whole.groups, groups_on, "0 blocks and ", whole.groups, " groups on"),
             [](V& v) { v.block_stride = 0; }}, // forgotten
            {text("panels of 3 blocks and ", whole.groups, groups_on, "3 blocks and 0 groups on"),
             [](V& v) { v.group_stride = 0; }},
            {text("panels of 3 blocks and ", whole.groups, groups_on, "2 blocks and ", whole.groups, " groups on"),
             [](V& v) { v.block_stride = 2; }},
            {text("33 x 70 do not fit in memory"), [=](V& v) { v.block_stride = most; }},
            {text("33 x 70 do not fit in memory"), [=](V& v) { v.group_stride = most; }},
            {text(whole.bits, " bits in ", whole.planes + 1, planes), [](V& v) { ++v.planes; }},
            {text(whole.bits, " bits in ", most, planes), [=](V& v) { v.planes = most; }},
            {text(whole.bits, " bits in ", whole.planes - 1, planes), [](V& v) { --v.planes; }},
            {text(whole.bits - 1, " bits in ", whole.planes, planes), [](V& v) { --v.bits; }},
            {text(whole.bits + 1, " bits in ", whole.planes, planes), [](V& v) { ++v.bits; }},
            {text("33 x 70 without scales, ", whole.zeros == nullptr ? "without" : "with", " zeros"),
             [](V& v) { v.scales = nullptr; }},
        };
        for (std::size_t p = 0; p < whole.planes; ++p)
            all.push_back(
                {text("33 x 70 without plane ", p, " of ", whole.planes), [=](V& v) { v.plane[p] = nullptr; }});
        using zero_type = std::remove_cvref_t<decltype(*whole.zeros)>;
        static zero_type const some{};
        if (whole.zeros != nullptr)
            all.push_back({"33 x 70 with scales, without zeros", [](V& v) { v.zeros = nullptr; }});
        else
            all.push_back({"33 x 70 with scales, with zeros", [](V& v) { v.zeros = &some; }});
        return all;
    }

    template <class M>
    void refuses_broken_packed(M const& a)
    {
        auto const whole = a.view();
        using V = std::remove_const_t<decltype(whole)>;
        using owner = packed<typename V::layout, typename V::codebook_type,
                             std::remove_cvref_t<decltype(*whole.scales)>, std::remove_cvref_t<decltype(*whole.zeros)>>;
        CHECK_NOTHROW(owner(whole, nullptr));
        CHECK_NOTHROW(prefixed{whole});
        for (auto const& b : broken_packed(whole))
        {
            V v = whole;
            b.brk(v);
            CAPTURE(b.error);
            CHECK_THROWS_WITH_AS(owner(v, nullptr), ("packed: " + b.error).c_str(), shape_error);
            CHECK_THROWS_WITH_AS(prefixed{v}, ("prefixed: " + b.error).c_str(), shape_error);
        }
    }

    auto eight_bits()
    {
        return quantize(laws::weights(height, width, 1).view(), uniform<8>{}, minmax<integer_zero>{}, group{32});
    }
}

TEST_CASE("a packed view is looked at where it becomes a matrix")
{
    laws::sample const w = laws::weights(height, width, 1);
    auto const mixed = pack<planes<4, 2, 2>>(eight_bits());
    refuses_broken_packed(mixed);
    refuses_broken_packed(mixed.prefix(6));
    refuses_broken_packed(pack<bit_planes>(quantize<float>(w.view(), uniform<8>{}, minmax<real_zero>{}, group{48})));
    refuses_broken_packed(pack<planes<4>>(quantize(w.view(), nf4{}, absmax{}, group{32})));
    refuses_broken_packed(pack<planes<2, 1>>(quantize(w.view(), row_table<3>{})));
}

TEST_CASE("planes of more bits than a table has values for")
{
    auto const a =
        pack<planes<4, 1>>(quantize(laws::weights(height, width, 1).view(), uniform<5>{}, absmax{}, group{32}));
    auto const& v = a.view();
    packed_view<planes<4, 1>, nf4, half, no_zero> wide{
        v.plane, v.scales, nullptr, v.rows, v.cols, v.panels, v.blocks, v.blocks, v.group, v.groups, v.groups, 2, 5,
        1, 0, {}};
    CHECK_THROWS_WITH_AS(prefixed{wide}, "prefixed: 5 bits in 2 of 2 planes", shape_error);
    wide.planes = 1, wide.bits = 4;
    CHECK_NOTHROW(prefixed{wide});
}

TEST_CASE("scales of a width's own come with zeros where the matrix has them")
{
    auto const a = pack<planes<4, 4>>(eight_bits());
    using A = std::remove_const_t<decltype(a)>;
    A::width_scales own{};
    own[4] = {a.view().scales, a.view().zeros};
    CHECK_NOTHROW(A(a.view(), a.owner(), own));
    own[4].zeros = nullptr;
    CHECK_THROWS_WITH_AS(A(a.view(), a.owner(), own), "packed: 4 bits with scales of their own, without zeros",
                         shape_error);
}

TEST_CASE("a matrix without rows or without columns needs no memory")
{
    for (laws::shape const s : {laws::shape{0, 5}, laws::shape{5, 0}})
    {
        matrix_view<float const> const nothing{nullptr, s.rows, s.cols};
        auto const a = pack<bit_planes>(quantize(nothing, uniform<8>{}, minmax<>{}, group{32}));
        CHECK_NOTHROW(prefixed{a.prefix(4).view()});
    }
    CHECK_NOTHROW(packed<planes<2, 1>, row_table<3>>());
}

TEST_CASE("what is decoded into is looked at")
{
    auto const q = eight_bits();
    auto const a = pack<bit_planes>(q);
    auto const check = [](auto&& decode) { laws::refuses_broken_views<float>(height, width, "dequantize", decode); };
    check([&](matrix_view<float> out) { dequantize(q, out); });
    check([&](matrix_view<float> out) { dequantize(a, out); });
    check([&](matrix_view<float> out) { dequantize(a.prefix(3), out, threads{2}); });
}
