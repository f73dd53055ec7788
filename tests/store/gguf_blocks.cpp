// SPDX-License-Identifier: BSD-3-Clause
#include <jackplane/store/gguf/blocks.hpp>
#include <doctest/doctest.h>
#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>
#include "files.hpp"

using namespace jackplane;

namespace
{
    std::uint64_t fnv1a(std::span<std::byte const> bytes)
    {
        std::uint64_t hash = 1469598103934665603u;
        for (std::byte const b : bytes)
            hash = (hash ^ std::to_integer<std::uint64_t>(b)) * 1099511628211u;
        return hash;
    }

    std::vector<float> importance()
    {
        std::vector<float> of(4096);
        for (std::uint32_t i = 0; i < of.size(); ++i)
            of[i] = static_cast<float>(1 + i * 7919 % 97) / 16;
        return of;
    }

    template <class T>
    std::vector<std::byte> encoded(std::span<float const> x, std::span<float const> importance = {})
    {
        std::vector<std::byte> row(x.size() / T::values * T::bytes);
        gguf::encode<T>(x, importance, row);
        return row;
    }
    template <class T>
    std::vector<float> decoded(std::span<std::byte const> row)
    {
        std::vector<float> x(row.size() / T::bytes * T::values);
        gguf::decode<T>(row, x);
        for (float& v : x)
            v += 0.0f; // zeros have one sign
        return x;
    }

    // Of 4096 numbers: the blocks of ggml's quantizer, those with importance, and their numbers by ggml's decoder.
    struct golden
    {
        std::string_view name, first; // first: of the first block's bytes
        std::uint64_t plain, weighted, values;
    };
    constexpr golden vectors[] = {
        {"F32", "007069be", 0x219df7b88e41e00b, 0x219df7b88e41e00b, 0x219df7b88e41e00b},
        {"F16", "4cb3", 0xc8e5e569aa426dc8, 0xc8e5e569aa426dc8, 0x4c7d78be44241a7d},
        {"BF16", "69be", 0xa02598f9456ce0fa, 0xa02598f9456ce0fa, 0x82b869bae8fe5512},
        {"Q4_0", "c1331797bd7de3f7", 0x6a42104c9c69fabe, 0x175d9806d4ab2d54, 0x621320d4219e2339},
        {"Q4_1", "0d34c1bf1797ac7c", 0x4313145160e6f307, 0x842e8b060a800938, 0x6e6528e4611699d7},
        {"Q5_0", "c12fcc2b36822e2f", 0x8d47426ba31596c5, 0xdc70deb5c025bb18, 0xaeaac84692bc0db8},
        {"Q5_1", "d82fc1bfcc2b3682", 0x4125001ff2bd036e, 0xac5aa3556d8b103a, 0x8bbe96688f6bc7c9},
        {"Q8_0", "d023f1f54d4cabf7", 0x2e1655ca79782b89, 0x2e1655ca79782b89, 0xf4f1e3f3b6272e0f},
        {"Q2_K", "ceddbdededbcbcb9", 0xfe97b784a0384f9d, 0x80e4d84f395e831f, 0xfaaea03c3fa2cbd7},
        {"Q3_K", "c38d6f15342d8d07", 0x67f1efce4310aad0, 0x1b2670f170d764df, 0x63761e1d330be3d5},
        {"Q4_K", "371cec27fefefdfa", 0x5d7aa810cd14edf3, 0xd93553b1cc1b16a9, 0xb0c550b64411917b},
        {"Q5_K", "14181a28fefdfdfd", 0xe1cfa4fd97830ea7, 0x7f30ace2a09d9517, 0x7318dc83179411e6},
        {"Q6_K", "0ced8333cb9efe5c", 0xa72a58668de82ea1, 0x8c3e21b722b1dc58, 0x097b557df1525d2e},
        {"IQ4_NL", "08241797cd6de2f7", 0xf16850d02b666a3c, 0x86f506380b101382, 0x98e944dfbcc4f222},
        {"IQ4_XS", "2c100f33ff310f0f", 0x07e9d1c132ba756e, 0x7c4e5bf98a8b3cf4, 0x28528e68e821e4d0},
        {"TQ1_0", "7685d2f62f86d582", 0xfc9ce43af4fe5304, 0xfc9ce43af4fe5304, 0x621b122a8912538a},
        {"TQ2_0", "4525169a94255695", 0x0ff9d8b0b7729004, 0x0ff9d8b0b7729004, 0x621b122a8912538a},
        {"MXFP4", "7dfa2956a67f7997", 0xb705c239cca0be73, 0xb705c239cca0be73, 0x0e4a0daa02715b9d},
        {"Q1_0", "b53bcc2b3682fa95", 0xbe7415c453503b60, 0xbe7415c453503b60, 0xe7119d92c00e6a83},
        {"Q2_0", "e63fa5644619545a", 0x65f3069b513b3fe9, 0x65f3069b513b3fe9, 0x5900b50016212107},
    };
    static_assert(std::size(vectors) == gguf::block_types::size);

    std::string hex(std::span<std::byte const> bytes)
    {
        std::string s;
        for (std::byte const b : bytes)
            for (unsigned const digit : {std::to_integer<unsigned>(b) >> 4, std::to_integer<unsigned>(b) & 15u})
                s += "0123456789abcdef"[digit];
        return s;
    }

    template <class F>
    void each_type(F&& f)
    {
        [&]<class... T>(gguf::type_list<T...>) { (f(T{}), ...); }(gguf::block_types{});
    }
    template <class F>
    void each_coded_type(F&& f)
    {
        each_type(
            [&]<class T>(T type)
            {
                if constexpr (gguf::coded_block<T>)
                    f(type);
            });
    }
}

TEST_CASE("blocks are those of ggml's quantizer, byte for byte, and so are their numbers")
{
    auto const x = files::sample(), weights = importance();
    CHECK(x[0] == -0.227966309f);
    CHECK(x[6] == 1.86047363f);
    std::size_t i = 0;
    each_type(
        [&]<class T>(T)
        {
            golden const& v = vectors[i++];
            CAPTURE(v.name);
            CHECK(T::name == v.name);
            auto const row = encoded<T>(x);
            CHECK(hex(std::span(row).first(v.first.size() / 2)) == v.first);
            CHECK(fnv1a(row) == v.plain);
            CHECK(fnv1a(encoded<T>(x, weights)) == v.weighted);
            CHECK(fnv1a(std::as_bytes(std::span<float const>(decoded<T>(row)))) == v.values);
            bool is_found = false;
            CHECK(gguf::visit_type(T::id, [&]<class Found>(Found) { is_found = std::is_same_v<Found, T>; }));
            CHECK(is_found);
        });
    CHECK_FALSE(gguf::visit_type(4, [](auto) {}));
}

TEST_CASE("IQ4_NL in one shot, the reference of ggml's tests")
{
    auto const x = files::sample();
    std::vector<std::byte> row(x.size() / 32 * 18);
    for (std::size_t i = 0; i < x.size() / 32; ++i)
    {
        code q[32];
        auto const c = gguf::detail::choose_iq4({std::span(x).subspan(i * 32, 32), {}, 0}, -1, q);
        gguf::put<gguf::iq4_nl>(q, c, row.data() + i * 18);
    }
    CHECK(fnv1a(row) == 0x7534203d12ec440d);
}

TEST_CASE("a block is its codes and constants; of linear types it decodes to scale * code + offset")
{
    files::numbers random{3};
    each_coded_type(
        [&]<class T>(T)
        {
            CAPTURE(T::name);
            static_assert(T::values % T::sub_block == 0 && T::bits <= 8);
            for (int n = 0; n < 200; ++n)
            {
                std::byte block[T::bytes], again[T::bytes];
                for (std::byte& b : block)
                    b = static_cast<std::byte>(random());
                code q[T::values];
                T::codes(block, q);
                CHECK(std::all_of(q, q + T::values, [](code c) { return c < 1u << T::bits; }));
                auto const c = T::read(block);
                std::fill_n(again, T::bytes, static_cast<std::byte>(random())); // put leaves nothing of what was there
                gguf::put<T>(q, c, again);
                if (T::id != gguf::tq1_0::id) // bytes above 243 - 1 fractions are not its encoder's
                    CHECK(std::equal(block, block + T::bytes, again));
                code same[T::values];
                T::codes(again, same);
                CHECK(std::equal(q, q + T::values, same));
                if constexpr (requires { c.d; })
                    if (!is_finite(c.d))
                        continue;
                if constexpr (requires { c.m; })
                    if (!is_finite(c.m))
                        continue;
                auto const x = decoded<T>(block);
                for (std::size_t i = 0; i < T::values; ++i)
                    if constexpr (gguf::linear_block<T>)
                        REQUIRE(x[i] == T::scale(c, i / T::sub_block) * static_cast<float>(q[i]) +
                                            T::offset(c, i / T::sub_block));
            }
        });
}

TEST_CASE("zeros, and numbers too small for any scale, become exact zeros")
{
    each_coded_type(
        [&]<class T>(T)
        {
            CAPTURE(T::name);
            for (float const x : {0.0f, -0.0f, 0x1p-149f, -0x1p-140f, 0x1p-128f})
            {
                std::vector<float> const row(512, x);
                auto const ones = std::vector<float>(512, 1.0f);
                if (T::id != gguf::mxfp4::id || x == 0) // whose scales go down to 2^-127
                {
                    CHECK(decoded<T>(encoded<T>(row)) == std::vector<float>(512));
                    CHECK(decoded<T>(encoded<T>(row, ones)) == std::vector<float>(512));
                }
            }
        });
}

TEST_CASE("groups without importance count as those of importance 1")
{
    auto const x = files::sample();
    std::vector<float> none(x.size()), one(x.size(), 1.0f), some(x.size(), 1.0f);
    std::fill_n(some.begin(), 256, 0.0f);
    each_coded_type(
        [&]<class T>(T)
        {
            CAPTURE(T::name);
            CHECK(encoded<T>(x, none) == encoded<T>(x, one));
            CHECK(encoded<T>(x, some) == encoded<T>(x, one));
        });
}

TEST_CASE("what no block holds is an error that says where")
{
    std::vector<float> x(256, 1.0f), importance(256, 1.0f);
    std::vector<std::byte> row(144);
    using gguf::q4_k, gguf::q4_0, gguf::f16;
    auto const encode = [&] { gguf::encode<q4_k>(x, importance, row); };
    x[200] = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_WITH_AS(encode(), "column 200 is nan; blocks hold numbers below 2^30", value_error);
    x[200] = -std::numeric_limits<float>::infinity();
    CHECK_THROWS_WITH_AS(encode(), "column 200 is -inf; blocks hold numbers below 2^30", value_error);
    x[200] = 0x1p29f;
    CHECK_THROWS_WITH_AS(encode(), "column 0: no half holds the scale of its Q4_K block", value_error);
    x[200] = 1;
    importance[7] = -1;
    CHECK_THROWS_WITH_AS(encode(), "importance of column 7 is -1", value_error);
    importance.resize(100, 1.0f);
    CHECK_THROWS_WITH_AS(encode(), "importance of 100 columns for 256", shape_error);
    CHECK_THROWS_WITH_AS(gguf::encode<q4_k>(std::span(x).first(100), {}, row),
                         "a row of 100 values in Q4_K blocks of 256", shape_error);
    CHECK_THROWS_WITH_AS(gguf::encode<q4_0>(x, {}, std::span(row).first(143)),
                         "a row of 256 values takes 144 bytes as Q4_0, not 143", shape_error);
    x[3] = 1e6f;
    CHECK_THROWS_WITH_AS(gguf::encode<f16>(std::span(x).first(72), {}, row), "column 3 is 1000000: not in F16",
                         value_error);
}
