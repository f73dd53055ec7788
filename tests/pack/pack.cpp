// SPDX-License-Identifier: BSD-3-Clause
#include <span>
#include <doctest/doctest.h>
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/quantize.hpp>
#include "../laws/broken_codes.hpp"
#include "../laws/weights.hpp"
using namespace jackplane;

namespace
{
    template <class L, class P = minmax<integer_zero>>
    auto quantized_for(laws::shape s, group g)
    {
        laws::sample const w = laws::weights(s.rows, s.cols, s.rows * 1024 + s.cols);
        return quantize(w.view(), uniform<L::bits>{}, P{}, g);
    }
    group const groups[] = {group{16}, group{33}, group{64}, group::per_row(), group::per_tensor()};
}

TEST_CASE_TEMPLATE("unpack(pack(q)) is q, for ragged shapes and groups", L, bit_planes, planes<8>, planes<4, 4>,
                   planes<2, 2, 2, 2>, planes<4, 2, 1>, planes<1, 2>, planes<4>, planes<1>)
{
    for (laws::shape const s : laws::ragged_shapes)
        for (group const g : groups)
        {
            if (s.rows * s.cols > 70000 && g.columns != 64)
                continue;
            auto const q = quantized_for<L>(s, g);
            auto const back = unpack(pack<L>(q));
            CHECK(back.rows == q.rows);
            CHECK(back.cols == q.cols);
            CHECK(back.codes == q.codes);
            REQUIRE(back.scales.size() == q.rows * q.grid.per_row); // a scale of the whole tensor stands in every row
            std::size_t wrong = 0;
            for (std::size_t row = 0; row < s.rows; ++row)
                for (std::size_t col = 0; col < s.cols; ++col)
                    wrong += back.scale_at(row, col) != q.scale_at(row, col) ||
                             back.zero_at(row, col) != q.zero_at(row, col);
            CHECK(wrong == 0);
            if (!g.whole_tensor)
            {
                CHECK(back.scales == q.scales);
                CHECK(back.zeros == q.zeros);
            }
        }
}

TEST_CASE_TEMPLATE("at() and dequantize() of what is packed are those of what was quantized", P, absmax, minmax<>,
                   minmax<real_zero>)
{
    for (laws::shape const s : laws::ragged_shapes)
    {
        auto const q = quantized_for<planes<4, 2, 2>, P>(s, group{32});
        auto const a = pack<planes<4, 2, 2>>(q);
        laws::sample once = laws::weights(s.rows, s.cols, 1), threaded = once;
        dequantize(a, once.view());
        dequantize(a, threaded.view(), threads{3});
        CHECK(once.data == threaded.data);
        std::size_t wrong = 0;
        for (std::size_t row = 0; row < s.rows; ++row)
            for (std::size_t col = 0; col < s.cols; ++col)
                wrong += a.at(row, col) != q.at(row, col) || once.view()(row, col) != q.at(row, col);
        CHECK(wrong == 0);
    }
}

TEST_CASE("dequantize of a prefix is its at(); a strided target keeps what lies between its rows")
{
    auto const a = pack<bit_planes>(quantized_for<bit_planes>({19, 70}, group{32}));
    for (unsigned bits = 1; bits <= 8; ++bits)
    {
        std::vector<float> out(19 * 80, -7.0f);
        dequantize(a.prefix(bits), {out.data(), 19, 70, 80});
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < out.size(); ++i)
            wrong += out[i] != (i % 80 < 70 ? a.prefix(bits).at(i / 80, i % 80) : -7.0f);
        CHECK(wrong == 0);
    }
    std::vector<float> out(19 * 70);
    CHECK_THROWS_WITH_AS(dequantize(a, {out.data(), 70, 19}), "dequantize 19 x 70 into 70 x 19", shape_error);
}

TEST_CASE("padding: codes are 0, rows have scale 0, arrays begin on a cache line")
{
    using L = planes<4, 1>;
    laws::sample const w = laws::weights(21, 45, 6);
    auto const a = pack<L>(quantize(w.view(), uniform<5>{}, full_range{}, group{32}));
    auto const& v = a.view();
    CHECK(v.panels == 2);
    CHECK(v.blocks == 2);
    CHECK(v.groups == 2);
    std::size_t real = 0, padding = 0;
    for (std::size_t panel = 0; panel < v.panels; ++panel)
    {
        for (std::size_t nth = 0; nth < v.blocks; ++nth)
        {
            code codes[block::codes];
            std::byte const* const from[] = {v.plane[0] + (panel * 2 + nth) * L::bytes(0),
                                             v.plane[1] + (panel * 2 + nth) * L::bytes(1)};
            L::unpack(2, from, codes);
            for (std::size_t i = 0; i < block::codes; ++i)
            {
                bool const inside = panel * 16 + i / 32 < 21 && nth * 32 + i % 32 < 45;
                (inside ? real : padding) += codes[i] != 0;
            }
        }
        for (std::size_t i = 0; i < v.groups * 16; ++i)
            CHECK((to_float(v.scales[panel * v.groups * 16 + i]) != 0) == (panel * 16 + i % 16 < 21));
    }
    CHECK(padding == 0);
    CHECK(real > 0);
    for (void const* p : {static_cast<void const*>(v.plane[0]), static_cast<void const*>(v.plane[1]),
                          static_cast<void const*>(v.scales)})
        CHECK(reinterpret_cast<std::uintptr_t>(p) % 64 == 0);
    CHECK(v.zeros == nullptr);
}

TEST_CASE("where the bytes lie: block after block along a panel, panel after panel; scales as [panel][group][16]")
{
    quantized<uniform<8>, float, integer_zero> q{{}, 33, 70, group_grid::of({32}, 70), aligned_vector<code>(33 * 70),
                                                 aligned_vector<float>(33 * 3), aligned_vector<integer_zero>(33 * 3)};
    for (std::size_t i = 0; i < q.codes.size(); ++i)
        q.codes[i] = static_cast<code>(i * 7 % 251);
    for (std::size_t i = 0; i < q.scales.size(); ++i)
        q.scales[i] = static_cast<float>(i + 1), q.zeros[i] = static_cast<integer_zero>(i);
    auto const a = pack<planes<8>>(q);
    auto const& v = a.view();
    std::size_t wrong = 0;
    for (std::size_t row = 0; row < 33; ++row)
        for (std::size_t col = 0; col < 70; ++col)
        {
            std::size_t const byte = (row / 16 * 3 + col / 32) * 512 + col % 32 / 4 * 64 + row % 16 * 4 + col % 4;
            wrong += std::to_integer<unsigned>(v.plane[0][byte]) != q.codes[row * 70 + col];
            std::size_t const at = (row / 16 * 3 + col / 32) * 16 + row % 16;
            wrong += v.scales[at] != static_cast<float>(row * 3 + col / 32 + 1);
            wrong += v.zeros[at] != row * 3 + col / 32;
        }
    CHECK(wrong == 0);
}

TEST_CASE("bytes read and effective bits count padding, scales and zeros, at the width that is read")
{
    auto const a = pack<bit_planes>(quantized_for<bit_planes, absmax>({64, 256}, group{64}));
    for (unsigned bits = 1; bits <= 8; ++bits)
    {
        CHECK(effective_bits(a.prefix(bits)) == bits + 16 / 64.0);
        CHECK(bytes_read(a.prefix(bits)) == 64 * 256 * bits / 8 + 64 * 4 * 2);
    }
    CHECK(effective_bits(a) == 8.25);
    CHECK(effective_bits(pack<planes<4>>(quantized_for<planes<4>>({64, 256}, group{64}))) == 4 + 24 / 64.0);
    CHECK(effective_bits(pack<planes<4>>(quantized_for<planes<4>, minmax<real_zero>>({64, 256}, group{128}))) ==
          4 + 32 / 128.0);

    // 17 rows are two panels of 16, 33 columns two blocks of 32, three groups
    auto const ragged = pack<planes<2, 1>>(quantized_for<planes<2, 1>>({17, 33}, group{16}));
    CHECK(bytes_read(ragged) == 32 * 64 * 3 / 8 + 32 * 3 * 3);
    CHECK(bytes_read(ragged.prefix(2)) == 32 * 64 * 2 / 8 + 32 * 3 * 3);
    CHECK(effective_bits(ragged) == 8.0 * (32 * 64 * 3 / 8 + 32 * 3 * 3) / (17 * 33));
}

TEST_CASE("codes of fewer bits are no codes of the codebook: unpack refuses them, codes_of gives the leading bits")
{
    auto const q = quantized_for<bit_planes>({21, 75}, group{32});
    auto const a = pack<bit_planes>(q);
    CHECK_THROWS_WITH_AS(unpack(a.prefix(4)),
                         "unpack: 4-bit codes mean other values to the codebook of 8 bits; codes_of(a) gives the "
                         "codes, dequantize the values",
                         width_error);
    CHECK_THROWS_AS(unpack(repack<planes<4, 4>>(a, 4, round_clamp{})), width_error);
    CHECK(unpack(a.prefix(8)).codes == q.codes);
    auto const leading_bits = codes_of(a.prefix(4));
    REQUIRE(leading_bits.size() == q.codes.size());
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < q.codes.size(); ++i)
        wrong += leading_bits[i] != q.codes[i] >> 4;
    CHECK(wrong == 0);
}

TEST_CASE("matrices of no rows or no columns")
{
    for (laws::shape const s : {laws::shape{0, 5}, laws::shape{5, 0}, laws::shape{0, 0}})
        for (group const g : {group{4}, group::per_row(), group::per_tensor()})
        {
            auto const a = pack<bit_planes>(quantized_for<bit_planes>(s, g));
            CHECK(a.rows() == s.rows);
            CHECK(a.cols() == s.cols);
            CHECK(effective_bits(a) == 0);
            CHECK(a.prefix(2).rows() == s.rows);
            CHECK_NOTHROW(dequantize(a.prefix(3), {nullptr, s.rows, s.cols}));
            auto const back = unpack(a);
            CHECK(back.codes.empty());
            CHECK(back.rows == s.rows);
            CHECK(repack<bit_planes>(a, 2, round_clamp{}).cols() == s.cols);
        }
}

namespace
{
    template <class T>
    void append(std::vector<std::byte>& to, T const* from, std::size_t n)
    {
        auto const bytes = std::as_bytes(std::span(from, n));
        to.insert(to.end(), bytes.begin(), bytes.end());
    }
    // planes, scales and zeros
    template <class L, class C, class S, class Z>
    std::vector<std::byte> bytes_of(packed<L, C, S, Z> const& a)
    {
        auto const& v = a.view();
        std::vector<std::byte> bytes;
        for (std::size_t p = 0; p < v.planes; ++p)
            append(bytes, v.plane[p], v.panels * v.blocks * L::bytes(p));
        append(bytes, v.scales, v.panels * v.groups * block::rows);
        append(bytes, v.zeros, v.panels * v.groups * block::rows);
        return bytes;
    }
}

TEST_CASE("the same bytes, however many threads quantize, pack and repack")
{
    laws::sample const w = laws::weights(165, 100, 5); // 11 panels, the last one of 5 rows
    auto const packed_by = [&](auto policy)
    {
        auto const q = quantize(w.view(), uniform<8>{}, minmax<>{}, group{32}, nearest{}, independent{}, {}, policy);
        return pack<planes<4, 4>>(q, policy);
    };
    auto const alone = packed_by(serial{});
    for (unsigned const n : {1u, 2u, 3u, 5u, 64u})
    {
        auto const a = packed_by(threads{n});
        CHECK(bytes_of(a) == bytes_of(alone));
        CHECK(bytes_of(repack<bit_planes>(a, 3, round_clamp{}, threads{n})) ==
              bytes_of(repack<bit_planes>(alone, 3, round_clamp{})));
    }
}

TEST_CASE_TEMPLATE("codes that cannot be are not packed", Z, no_zero, integer_zero, real_zero, offset_zero<half>)
{
    laws::refuses_broken_codes<uniform<4>, half, Z>("pack", [](auto const& q) { pack<planes<4>>(q); });
    laws::refuses_broken_codes<uniform<3>, float, Z>("pack", [](auto const& q) { pack<planes<1, 2>>(q, threads{2}); });
    laws::refuses_broken_codes<nf4, bfloat16, Z>("pack", [](auto const& q) { pack<planes<4>>(q); });
    auto const parent = pack<bit_planes>(laws::whole_codes<uniform<8>, half, Z>());
    for (auto const& b : laws::broken_codes<uniform<8>, half, Z>())
    {
        auto q = laws::whole_codes<uniform<8>, half, Z>();
        b.brk(q);
        CAPTURE(b.what);
        CHECK_THROWS_AS(with_scales(parent, 4, q), error);
    }
}

TEST_CASE("a target without room for every element is an error")
{
    auto const a = pack<planes<4>>(laws::whole_codes<uniform<4>, half, no_zero>());
    std::vector<float> out(30);
    CHECK_THROWS_AS(dequantize(a, {out.data(), 3, 10, 9}), shape_error);
    CHECK_THROWS_AS(dequantize(a, {nullptr, 3, 10}), shape_error);
}
