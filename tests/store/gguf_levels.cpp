// SPDX-License-Identifier: BSD-3-Clause
#include "../laws/weights.hpp"
#include <doctest/doctest.h>
#include <jackplane/store/gguf/levels.hpp>
#include <span>
#include <vector>
using namespace jackplane;

TEST_CASE_TEMPLATE_DEFINE("codes out of blocks stand for what the blocks decode to, and go back in", T, gguf_levels)
{
    constexpr std::size_t rows = 3, cols = 2 * 256;
    laws::sample const w = laws::weights(rows, cols, 1);
    std::vector<std::byte> blocks(rows * cols / T::values * T::bytes);
    auto const row = [&](auto& all, std::size_t i)
    { return std::span(all).subspan(i * all.size() / rows, all.size() / rows); };
    for (std::size_t i = 0; i < rows; ++i)
        gguf::encode<T>({w.data.data() + i * cols, cols}, {}, row(blocks, i));
    auto const by = gguf::levels<T>(blocks, cols);
    auto codes = gguf::codes<T>(blocks, cols);
    REQUIRE(codes.size() == rows * cols);
    auto const check_values = [&]
    {
        std::vector<float> x(cols);
        for (std::size_t i = 0; i < rows; ++i)
        {
            gguf::decode<T>(row(blocks, i), x);
            for (std::size_t col = 0; col < cols; ++col)
                CHECK(by.decode(by.group_of(i, col, cols), codes[i * cols + col]) == x[col]);
        }
    };
    check_values();
    for (std::size_t i = 0; i < codes.size(); ++i)
        codes[i] = static_cast<code>((codes[i] + i) % by.size());
    auto const before = blocks;
    gguf::put_codes<T>(codes, blocks);
    CHECK(blocks != before);
    CHECK(gguf::codes<T>(blocks, cols) == codes);
    check_values(); // the scales are what they were
    gguf::put_codes<T>(gguf::codes<T>(before, cols), blocks);
    CHECK(blocks == before);

    blocks.pop_back();
    CHECK_THROWS_AS(gguf::levels<T>(blocks, cols), shape_error);
    CHECK_THROWS_AS(gguf::codes<T>(blocks, cols), shape_error);
    CHECK_THROWS_AS(gguf::put_codes<T>(codes, blocks), shape_error);
    CHECK_THROWS_AS(gguf::codes<T>(before, cols + 1), shape_error);
}
TEST_CASE_TEMPLATE_INVOKE(gguf_levels, gguf::q4_0, gguf::q4_1, gguf::q5_0, gguf::q5_1, gguf::q8_0, gguf::q2_k,
                          gguf::q3_k, gguf::q4_k, gguf::q5_k, gguf::q6_k, gguf::iq4_nl, gguf::iq4_xs, gguf::tq1_0,
                          gguf::tq2_0, gguf::q1_0, gguf::q2_0);
