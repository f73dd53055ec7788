// SPDX-License-Identifier: BSD-3-Clause
// Caches that grow: the planes of all their vectors quantized and packed at once.
#include <doctest/doctest.h>
#include <jackplane/pack/column_cache.hpp>
#include <jackplane/pack/pack.hpp>
#include <jackplane/pack/row_cache.hpp>
#include <cmath>
#include <limits>
#include <string>
#include <vector>
#include "../laws/weights.hpp"
using namespace jackplane;

namespace
{
    constexpr std::size_t room = 101;

    // Everything that a view of packed rows says and points at.
    template <class View>
    std::string bytes_of(View const& v)
    {
        std::string all = text(v.rows, " ", v.cols, " ", v.panels, " ", v.blocks, " ", v.group, " ", v.groups, " ",
                               v.planes, " ", v.bits, " ", v.step, " ", v.base, "\n");
        auto const add = [&](auto const* from, std::size_t n)
        { all.append(reinterpret_cast<char const*>(from), n * sizeof *from); };
        for (std::size_t p = 0; p < v.planes; ++p)
            add(v.plane[p], v.panels * v.blocks * View::layout::bytes(p));
        add(v.scales, v.panels * v.groups * block::rows);
        if (v.zeros != nullptr)
            add(v.zeros, v.panels * v.groups * block::rows);
        return all;
    }

    // Of a cache of columns: its panels, and what scales the vectors.
    template <class Cache>
    std::string bytes_of_columns(Cache const& cache, unsigned bits)
    {
        std::string all;
        for (std::size_t nth = 0; nth < cache.panels(); ++nth)
            all += bytes_of(cache.panel(nth, bits, 0, cache.size()).view());
        for (std::size_t g = 0; g < cache.groups(); ++g)
        {
            all.append(reinterpret_cast<char const*>(cache.scales(g)), cache.size() * sizeof *cache.scales(g));
            if (cache.has_zeros)
                all.append(reinterpret_cast<char const*>(cache.zeros(g)), cache.size() * sizeof *cache.zeros(g));
        }
        return all;
    }

    matrix_view<float const> some(laws::sample const& w, std::size_t first, std::size_t last)
    {
        return {w.data.data() + first * w.cols, last - first, w.cols};
    }

    template <code_layout L, class P, class S>
    void check_rows(std::size_t length, std::size_t columns)
    {
        laws::sample const w = laws::weights(room, length, length);
        row_cache<L, P, S> one(room, length, columns), many(room, length, columns);
        for (std::size_t n = 1; n < room; ++n)
        {
            one.append(some(w, n - 1, n).row(0));
            CHECK(one.size() == n);
            if (n % 16 > 1 && n > 33)
                continue;
            CAPTURE(n);
            auto const whole = pack<L>(quantize<S>(some(w, 0, n), uniform<L::bits>{}, P{}, group{columns}));
            many.restart();
            many.append(some(w, 0, n));
            for (unsigned bits = 1; bits <= L::bits; ++bits)
                if (whole.readable(bits))
                {
                    std::string const expected = bytes_of(whole.prefix(bits).view());
                    CHECK(bytes_of(one.prefix(bits).view()) == expected);
                    CHECK(bytes_of(many.prefix(bits).view()) == expected);
                }
        }
    }

    template <code_layout L, class P, class S>
    void check_columns(std::size_t length, std::size_t columns)
    {
        constexpr float centre = uniform<L::bits>::centre;
        laws::sample const w = laws::weights(room, length, length);
        column_cache<L, P, S> cache(room, length, columns), many(room, length, columns);
        auto const q = quantize<S>(w.view(), uniform<L::bits>{}, P{}, group{columns});
        for (std::size_t n = 1; n < room; ++n)
        {
            cache.append(some(w, n - 1, n).row(0));
            if (n % 32 > 1 && n > 33)
                continue;
            CAPTURE(n);
            many.restart();
            many.append(some(w, 0, n));
            std::size_t wrong = 0;
            for (unsigned bits = 1; bits <= L::bits; ++bits)
                if (L::planes_of(bits) != 0)
                {
                    CHECK(bytes_of_columns(cache, bits) == bytes_of_columns(many, bits));
                    for (std::size_t first = 0; first <= n; first += 32)
                        for (std::size_t nth = 0; nth < cache.panels(); ++nth)
                        {
                            auto const a = cache.panel(nth, bits, first, n);
                            CHECK(a.rows() == std::min<std::size_t>(16, length - 16 * nth));
                            CHECK(a.cols() == n - first);
                            for (std::size_t row = 0; row < a.rows(); ++row)
                                for (std::size_t p = first; p < n; ++p)
                                {
                                    code const c = q.codes[p * length + 16 * nth + row];
                                    float const value = truncate_centred{}.value(c >> (L::bits - bits), L::bits, bits);
                                    wrong += a.at(row, p - first) != value - centre;
                                }
                        }
                }
            for (std::size_t p = 0; p < n; ++p)
                for (std::size_t i = 0; i < length; ++i)
                {
                    std::size_t const g = cache.group_of(i / 16);
                    wrong += to_float(cache.scales(g)[p]) != q.scale_at(p, i);
                    if constexpr (column_cache<L, P, S>::has_zeros)
                        wrong += to_float(cache.zeros(g)[p]) != q.zero_at(p, i);
                }
            CHECK(wrong == 0);
        }
    }
}

TEST_CASE("a cache of rows holds what pack makes of all its vectors, however many came together")
{
    for (std::size_t const length : {64u, 80u, 96u, 128u, 1u, 33u})
    {
        CAPTURE(length);
        check_rows<bit_planes, minmax<>, half>(length, 32);
    }
    check_rows<planes<2, 1, 1, 2, 2>, absmax, bfloat16>(80, 32);
    check_rows<planes<4>, minmax<real_zero>, float>(80, 24);
}

TEST_CASE("a cache of columns holds the codes of its vectors, and their scales")
{
    for (std::size_t const length : {64u, 80u, 96u, 128u, 1u, 33u})
    {
        CAPTURE(length);
        check_columns<bit_planes, minmax<>, bfloat16>(length, 32);
    }
    check_columns<planes<4, 2, 2>, absmax, half>(80, 16);
    check_columns<planes<4>, minmax<real_zero>, float>(80, 96);
}

TEST_CASE("what is truncated leaves nothing behind")
{
    laws::sample const w = laws::weights(room, 80, 1), other = laws::weights(room, 80, 2);
    for (std::size_t const kept : {0u, 1u, 15u, 16u, 17u, 32u, 50u, 64u, 100u})
        for (std::size_t const more : {0u, 1u, 20u})
        {
            CAPTURE(kept);
            CAPTURE(more);
            std::size_t const n = std::min(kept + more, room);
            row_cache<> rows(room, 80), fresh_rows(room, 80);
            column_cache<> columns(room, 80), fresh_columns(room, 80);
            auto const read = [&](auto& cache, auto& fresh)
            {
                cache.append(some(w, 0, kept));
                cache.append(some(other, kept, room));
                cache.truncate(kept);
                CHECK(cache.size() == kept);
                cache.append(some(w, kept, n));
                fresh.append(some(w, 0, n));
            };
            read(rows, fresh_rows);
            read(columns, fresh_columns);
            CHECK(bytes_of(rows.prefix(8).view()) == bytes_of(fresh_rows.prefix(8).view()));
            CHECK(bytes_of_columns(columns, 8) == bytes_of_columns(fresh_columns, 8));
        }
}

TEST_CASE("what a cache refuses")
{
    row_cache<> rows(20, 64);
    column_cache<planes<4, 2, 2>> columns(20, 64);
    std::vector<float> v(21 * 64, 1.0f);
    auto const vectors = [&](std::size_t n, std::size_t length) {
        return matrix_view<float const>{v.data(), n, length};
    };
    auto const check = [&](auto& cache)
    {
        CHECK_THROWS_WITH_AS(cache.append(vectors(1, 63)), "vectors of 63 numbers for a cache of 64", shape_error);
        cache.append(vectors(18, 64));
        CHECK_THROWS_WITH_AS(cache.append(vectors(3, 64)),
                             "the cache holds 18 vectors and has room for 20: 3 more do not fit", shape_error);
        CHECK_THROWS_WITH_AS(cache.append(matrix_view<float const>{nullptr, 1, 64}),
                             "cache: vectors: 1 x 64 without data", shape_error);
        CHECK_THROWS_WITH_AS(cache.truncate(19), "a cache of 18 vectors has no first 19", shape_error);
        for (float const bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
        {
            v[64 + 40] = bad;
            CHECK_THROWS_WITH_AS(cache.append(vectors(2, 64)), doctest::Contains("cache: number 40 of vector 19 is "),
                                 value_error);
            CHECK(cache.size() == 18);
        }
        v[64 + 40] = 1;
    };
    check(rows);
    check(columns);
    CHECK_THROWS_WITH_AS(rows.prefix(9), "no 9 bits of this cache; readable widths: 1, 2, 3, 4, 5, 6, 7, 8",
                         width_error);
    CHECK_THROWS_WITH_AS(columns.panel(0, 3, 0, 18), "no 3 bits of this cache; readable widths: 4, 6, 8", width_error);
    CHECK_THROWS_WITH_AS(columns.panel(0, 4, 16, 18),
                         "panel 0 of 4 of the vectors 16 to 18 of 18: the first is a multiple of 32", shape_error);
    CHECK_THROWS_AS(columns.panel(4, 4, 0, 18), shape_error);
    CHECK_THROWS_AS(columns.panel(0, 4, 0, 19), shape_error);
    CHECK_THROWS_WITH_AS(column_cache<>(20, 64, 24),
                         "groups of 24 of vectors that are columns; a multiple of 16 wanted", shape_error);
    constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
    CHECK_THROWS_WITH_AS(row_cache<>(most, 64),
                         text("a cache of ", most, " vectors of 64 numbers does not fit in memory").c_str(),
                         shape_error);
    CHECK_THROWS_AS(column_cache<>(most, 64), shape_error);
    CHECK_THROWS_AS(row_cache<>(most / 1024, 1024), shape_error);
    CHECK_THROWS_AS(column_cache<>(most / 1024, 1024), shape_error);
    CHECK_THROWS_AS(row_cache<>(0, most), shape_error);
    v[7] = 3e38f;
    CHECK_THROWS_WITH_AS(rows.append(vectors(1, 64)), doctest::Contains("is above the largest half"), value_error);
    CHECK_NOTHROW(columns.append(vectors(1, 64)));
    CHECK(rows.size() == 18);
}

TEST_CASE("a zero that a cache does not hold is an error that names group and vector")
{
    struct far_zero
    {
        using zero_type = integer_zero;
        scale_and_zero operator()(std::span<float const> of, uniform<8> const&, std::span<float const> = {}) const
        {
            return {1, of[0]};
        }
    };
    std::vector<float> v(64, 255.0f);
    row_cache<bit_planes, far_zero> rows(4, 64);
    column_cache<bit_planes, far_zero> columns(4, 64);
    auto const check = [&](auto& cache)
    {
        v[32] = 255;
        CHECK_NOTHROW(cache.append(v));
        for (float const zero : {256.0f, -1.0f})
        {
            v[32] = zero;
            CHECK_THROWS_WITH_AS(
                cache.append(v),
                text("cache: zero ", zero, " of group 1 of vector 1 does not fit in 8 bits").c_str(), value_error);
        }
        CHECK(cache.size() == 1);
    };
    check(rows);
    check(columns);
}

TEST_CASE("numbers too small for the scales of a cache are 0")
{
    std::vector<float> const tiny(64, 1e-9f), zero(64);
    row_cache<> rows(4, 64);
    rows.append(tiny);
    rows.append(zero);
    for (std::size_t i = 0; i < 64; ++i)
        for (unsigned const bits : {8u, 2u})
            for (std::size_t const row : {0u, 1u})
                CHECK(rows.prefix(bits).at(row, i) == 0);
    row_cache<> const none(0, 64);
    CHECK(none.prefix(8).rows() == 0);
}
