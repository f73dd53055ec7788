// SPDX-License-Identifier: BSD-3-Clause
#include "../laws/weights.hpp"
#include <doctest/doctest.h>
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/overlapping.hpp>
#include <jackplane/quantize/quantize.hpp>
#include <vector>
using namespace jackplane;

namespace
{
    using overlapping_parent = packed<bit_planes, overlapping<8>, half, integer_zero>;

    struct packed_codes // every code of 8 bits, with scales and zeros of their own in each group
    {
        quantized<overlapping<8>, half, integer_zero> q{{}, 19, 70, group_grid::of({32}, 70), {}, {}, {}};
        packed_codes()
        {
            for (std::size_t i = 0; i < q.rows * q.cols; ++i)
                q.codes.push_back(static_cast<code>(i * 7));
            for (std::size_t i = 0; i < q.rows * q.grid.per_row; ++i)
            {
                q.scales.push_back(from_float<half>(0.25f * static_cast<float>(i % 5)));
                q.zeros.push_back(static_cast<integer_zero>(100 + i));
            }
        }
    };
}

TEST_CASE("overlapping parents: each prefix has the values of its width, at once and decoded as a whole")
{
    packed_codes const of;
    auto const a = pack<bit_planes>(of.q);
    for (unsigned bits = 1; bits <= 8; ++bits)
    {
        auto const p = a.prefix(bits);
        std::vector<float> all(of.q.rows * of.q.cols);
        dequantize(p, matrix_view<float>{all.data(), of.q.rows, of.q.cols});
        for (std::size_t row = 0; row < of.q.rows; ++row)
            for (std::size_t col = 0; col < of.q.cols; ++col)
            {
                unsigned const q = unsigned{of.q.codes[row * of.q.cols + col]} >> (8 - bits);
                float const value = overlapping<8>::step_at(bits) *
                                        static_cast<float>(overlapping<8>::level_at(q, bits)) +
                                    overlapping<8>::base_at(bits);
                float const w = of.q.scale_at(row, col) * (value - of.q.zero_at(row, col));
                CHECK(p.at(row, col) == w);
                CHECK(all[row * of.q.cols + col] == w);
            }
    }
}

TEST_CASE("overlapping parents: the first two bits are those of uniform<8>, a prefix of a prefix is the prefix")
{
    packed_codes const of;
    auto const a = pack<bit_planes>(of.q);
    auto const even = pack<bit_planes>(quantized<uniform<8>, half, integer_zero>{
        {}, of.q.rows, of.q.cols, of.q.grid, of.q.codes, of.q.scales, of.q.zeros});
    for (std::size_t row = 0; row < of.q.rows; ++row)
        for (std::size_t col = 0; col < of.q.cols; ++col)
        {
            CHECK(a.prefix(2).at(row, col) == even.prefix(2).at(row, col));
            CHECK(a.prefix(1).at(row, col) == even.prefix(1).at(row, col));
            CHECK(pack<bit_planes>(of.q).prefix(5).prefix(3).at(row, col) == a.prefix(3).at(row, col));
        }
}

TEST_CASE("overlapping parents: unpack gives back what was packed, and takes no prefix for the parent")
{
    packed_codes const of;
    auto const a = pack<bit_planes>(of.q);
    auto const back = unpack(a);
    CHECK(back.codes == of.q.codes);
    CHECK(back.scales == of.q.scales);
    CHECK(back.zeros == of.q.zeros);
    CHECK_THROWS_AS(unpack(a.prefix(4)), width_error);
}

TEST_CASE("leading: the first bits of a packed parent, with the scales that they are read with")
{
    packed_codes const of;
    auto own = of.q;
    for (half& scale : own.scales)
        scale = from_float<half>(3 * to_float(scale));
    overlapping_parent const a = with_scales(pack<bit_planes>(of.q), 2, own);
    auto const two = leading(a, 2), four = leading(a, 4);
    CHECK(two.scales == own.scales);
    CHECK(four.scales == of.q.scales);
    CHECK(four.zeros == of.q.zeros);
    CHECK(two.grid.columns == 32);
    for (std::size_t i = 0; i < of.q.codes.size(); ++i)
    {
        CHECK(two.codes[i] == of.q.codes[i] >> 6);
        CHECK(four.codes[i] == of.q.codes[i] >> 4);
    }
    CHECK_THROWS_AS(leading(a, 9), width_error);
}
