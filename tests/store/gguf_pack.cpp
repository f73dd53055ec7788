// SPDX-License-Identifier: BSD-3-Clause
#include <jackplane/core/team.hpp>
#include <jackplane/store/gguf/pack.hpp>
#include <jackplane/store/reject.hpp>
#include <doctest/doctest.h>
#include <algorithm>
#include <cstring>
#include <string>
#include <vector>
#include "blocks.hpp"

using namespace jackplane;

namespace
{
    // Planes, scales and offsets, byte for byte; padding, too.
    template <class A>
    bool same_bytes(A const& a, A const& b)
    {
        auto const &v = a.view(), &w = b.view();
        bool same = v.rows == w.rows && v.cols == w.cols && v.panels == w.panels && v.blocks == w.blocks &&
                    v.group == w.group && v.groups == w.groups && v.planes == w.planes && v.step == w.step &&
                    v.base == w.base;
        for (std::size_t p = 0; same && p < v.planes; ++p)
            same = std::equal(v.plane[p], v.plane[p] + v.panels * v.blocks * A::layout_type::bytes(p), w.plane[p]);
        std::size_t const scales = v.panels * v.groups * block::rows;
        return same && std::memcmp(v.scales, w.scales, scales * sizeof *v.scales) == 0 &&
               std::memcmp(v.zeros, w.zeros, scales * sizeof *v.zeros) == 0;
    }

    template <class L, class T>
    void check_all_shapes()
    {
        for (std::size_t const rows : {1u, 2u, 15u, 16u, 17u, 33u, 130u})
            for (std::size_t const across : {1u, 2u, 5u})
            {
                std::size_t const cols = across * T::values;
                auto const blocks = random_blocks<T>(rows * across);
                auto const expected = pack<L>(gguf::from_blocks<T>(blocks, rows, cols));
                CHECK(same_bytes(gguf::pack<L, T>(blocks, rows, cols), expected));
                for (unsigned const count : {2u, 3u})
                    CHECK(same_bytes(gguf::pack<L, T>(blocks, rows, cols, team(count)), expected));
            }
    }

    // A scale of this block becomes a NaN or an infinity.
    template <class T>
    void damage(std::vector<std::byte>& blocks, std::size_t nth, std::size_t word)
    {
        half const broken{static_cast<std::uint16_t>(word == 0 ? 0x7c01 : 0xfc00)};
        std::memcpy(blocks.data() + nth * T::bytes + T::words[word].at, &broken, 2);
    }
}

TEST_CASE_TEMPLATE_DEFINE("blocks become the planes that their codes are packed to, byte for byte", T, blocks_to_planes)
{
    check_all_shapes<planes_for<T::bits>, T>();
}
TEST_CASE_TEMPLATE_APPLY(blocks_to_planes, linear_blocks);

TEST_CASE("of any layout")
{
    check_all_shapes<planes<1, 1, 1, 1>, gguf::q4_k>();
    check_all_shapes<planes<2, 4>, gguf::q6_k>();
    check_all_shapes<bit_planes, gguf::q8_0>();
}

TEST_CASE("a scale that is not finite: the row and group that codes name, for any team")
{
    using T = gguf::q4_k;
    std::size_t const rows = 40, cols = 512;
    auto blocks = random_blocks<T>(rows * cols / T::values);
    damage<T>(blocks, 2 * 7, 1); // the offsets of row 7: scales come first
    damage<T>(blocks, 2 * 39 + 1, 0);
    damage<T>(blocks, 2 * 21 + 1, 0);
    auto const expected = try_load([&] { return gguf::from_blocks<T>(blocks, rows, cols); }).error;
    CHECK(expected == "Q4_K: the scale of group 8 in row 21 is nan");
    CHECK(try_load([&] { return gguf::pack<planes<4>, T>(blocks, rows, cols); }).error == expected);
    CHECK(try_load([&] { return gguf::pack<planes<4>, T>(blocks, rows, cols, team(3)); }).error == expected);
    gguf::tensor const t{"up", *gguf::find_type(T::id), {rows, cols}, 0, blocks.size(), blocks};
    std::string const named = "tensor 'up': the scale of group 8 in row 21 is nan";
    CHECK(try_load([&] { return gguf::from_blocks<T>(t); }).error == named);
    CHECK(try_load([&] { return gguf::pack<planes<4>, T>(t, team(3)); }).error == named);
}

TEST_CASE("other sizes and types are refused, nothing is packed of nothing")
{
    auto const blocks = random_blocks<gguf::q4_0>(4);
    CHECK_THROWS_WITH_AS((gguf::pack<planes<4>, gguf::q4_0>(blocks, 2, 96)),
                         "2 x 96 from 72 bytes of Q4_0 blocks of 32 values in 18 bytes", shape_error);
    std::size_t const rows = (std::size_t{1} << 63) + 4; // of 18 bytes: 72 modulo 2^64
    CHECK_THROWS_AS((gguf::pack<planes<4>, gguf::q4_0>(blocks, rows, 32)), shape_error);
    gguf::tensor t{"up", *gguf::find_type(gguf::q4_0::id), {4, 32}, 0, blocks.size(), blocks};
    CHECK((gguf::pack<planes<4>, gguf::q4_0>(t).at(3, 31)) == gguf::from_blocks<gguf::q4_0>(t).at(3, 31));
    CHECK_THROWS_WITH_AS((gguf::pack<planes<4>, gguf::q4_1>(t)), "tensor 'up': Q4_0 read as Q4_1", format_error);
    CHECK(gguf::pack<planes<4>, gguf::q4_0>({}, 0, 32).rows() == 0);
    CHECK_THROWS_WITH_AS((gguf::pack<planes<4>, gguf::q4_0>({}, std::size_t{1} << 60, 0)), // not panel after panel
                         "1152921504606846976 x 0 from 0 bytes of Q4_0 blocks of 32 values in 18 bytes", shape_error);
}
