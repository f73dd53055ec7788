// SPDX-License-Identifier: BSD-3-Clause
#include <jackplane/multiply/multiply.hpp>
#include <jackplane/pack/pack.hpp>
#include <jackplane/store/gguf/from_blocks.hpp>
#include <doctest/doctest.h>
#include <cmath>
#include <cstring>
#include <vector>
#include "blocks.hpp"

using namespace jackplane;

namespace
{
    template <class T>
    std::size_t differing(std::size_t rows, std::size_t cols)
    {
        auto const blocks = random_blocks<T>(rows * cols / T::values);
        std::vector<float> decoded(rows * cols), here(rows * cols);
        gguf::decode<T>(blocks, decoded);
        auto const q = gguf::from_blocks<T>(blocks, rows, cols);
        dequantize(q, {here.data(), rows, cols});
        auto const a = pack<planes_for<T::bits>>(q);
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < decoded.size(); ++i)
            wrong += decoded[i] != here[i] || a.at(i / cols, i % cols) != decoded[i];
        return wrong;
    }
}

TEST_CASE_TEMPLATE_DEFINE("blocks become codes, bit for bit the values that they decode to", T, blocks_become_codes)
{
    CHECK(differing<T>(64, 16384) == 0); // 2^20 weights
}
TEST_CASE_TEMPLATE_APPLY(blocks_become_codes, linear_blocks);

TEST_CASE("a matrix in GGUF's blocks is multiplied as it is")
{
    std::size_t const rows = 37, cols = 512;
    auto const blocks = random_blocks<gguf::q4_k>(rows * cols / 256);
    std::vector<float> w(rows * cols), x(cols), y(rows);
    gguf::decode<gguf::q4_k>(blocks, w);
    for (std::size_t k = 0; k < cols; ++k)
        x[k] = std::sin(static_cast<float>(k));
    multiply(pack<planes<4>>(gguf::from_blocks<gguf::q4_k>(blocks, rows, cols)), x, y);
    for (std::size_t n = 0; n < rows; ++n)
    {
        double sum = 0, bound = 0;
        for (std::size_t k = 0; k < cols; ++k)
        {
            sum += double{w[n * cols + k]} * x[k];
            bound += std::abs(double{w[n * cols + k]} * x[k]);
        }
        CHECK(std::abs(y[n] - sum) <= 1e-4 * bound);
    }
}

TEST_CASE("blocks of other sizes or types are refused")
{
    auto const blocks = random_blocks<gguf::q4_0>(4);
    CHECK_THROWS_WITH_AS(gguf::from_blocks<gguf::q4_0>(blocks, 2, 96),
                         "2 x 96 from 72 bytes of Q4_0 blocks of 32 values in 18 bytes", shape_error);
    CHECK_THROWS_AS(gguf::from_blocks<gguf::q4_0>(blocks, 4, 33), shape_error);
    CHECK_THROWS_AS(gguf::from_blocks<gguf::q4_0>({}, std::size_t{1} << 60, 0), shape_error);
    auto damaged = blocks;
    std::memset(damaged.data(), 0x7c, 2); // a NaN
    CHECK_THROWS_AS(gguf::from_blocks<gguf::q4_0>(damaged, 4, 32), value_error);
}
