// SPDX-License-Identifier: BSD-3-Clause
#include <jackplane/loss/layer.hpp>
#include <jackplane/loss/pinned.hpp>
#include <doctest/doctest.h>
#include <random>
#include <vector>

using namespace jackplane;

TEST_CASE("pinned weights stay what they are: the loss does not see what is said of them, and has no slope there")
{
    std::mt19937 random(5);
    std::normal_distribution<float> normal;
    std::vector<float> w(3 * 4), gram(4 * 4), other(12);
    for (auto* all : {&w, &other})
        for (float& x : *all)
            x = normal(random);
    for (std::size_t i = 0; i < 4; ++i)
        for (std::size_t j = 0; j <= i; ++j)
            gram[i * 4 + j] = gram[j * 4 + i] = i == j ? 5.0f : normal(random);
    layer const plain({w.data(), 3, 4}, {gram.data(), 4, 4});
    pinned some(plain, {1, 7}, {w[1], 0.25f});
    pinned none(plain);
    CHECK(some.size() == 12);

    std::vector<float> g(12), expected(12), whole = other;
    whole[1] = w[1];
    whole[7] = 0.25f;
    layer of = plain;
    double const loss = of(whole, expected);
    CHECK(some(other, g) == loss);
    expected[1] = expected[7] = 0;
    CHECK(g == expected);
    other[7] = 100;
    CHECK(some(other, {}) == loss);
    other[0] += 1;
    CHECK(some(other, {}) != loss);
    CHECK(none(other, {}) == of(other, {}));

    CHECK_THROWS_AS(pinned(plain, {12}, {0}), shape_error);
    CHECK_THROWS_AS(pinned(plain, {1}, {}), shape_error);
    CHECK_THROWS_AS(some(std::span<float const>(other).first(11), {}), shape_error);
}
