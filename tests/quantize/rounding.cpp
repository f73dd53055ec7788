// SPDX-License-Identifier: BSD-3-Clause
#include "../laws/rounding.hpp"
#include <vector>
using namespace jackplane;

TYPE_TO_STRING_AS("nearest", nearest);
TYPE_TO_STRING_AS("stochastic", stochastic);

TEST_CASE_TEMPLATE_INVOKE(rounding_law, nearest);
TEST_CASE_TEMPLATE_INVOKE(rounding_law, stochastic);

TEST_CASE("nearest is at most half away, ties go to even")
{
    laws::sequence random{2};
    for (int k = 0; k < 20000; ++k)
    {
        float const p = random.bell() * static_cast<float>(1u << random() % 12);
        CHECK(std::abs(nearest{}(p, {}) - p) <= 0.5f);
    }
    for (int k = -200; k < 200; ++k)
    {
        float const even = static_cast<float>(k % 2 == 0 ? k : k + 1);
        CHECK(nearest{}(static_cast<float>(k) + 0.5f, {}) == even);
    }
    CHECK(nearest{}(0x1p22f + 0.5f, {}) == 0x1p22f);
    CHECK(nearest{}(0x1p22f + 1.5f, {}) == 0x1p22f + 2);
}

TEST_CASE("an offset goes where it points: none is nearest, half a step chooses either neighbour, units stretch it")
{
    constexpr std::size_t rows = 3, cols = 400;
    laws::sequence random{5};
    std::vector<float> v(rows * cols), none(rows * cols);
    for (float& x : v)
        x = random.unit() - 0.5f;
    matrix_view<float const> const learned{v.data(), rows, cols}, nothing{none.data(), rows, cols};
    for (std::size_t i = 0; i < v.size(); ++i)
    {
        position const at{i / cols, i % cols};
        float const p = 100 * random.bell();
        CHECK(offset{nothing}(p, at) == nearest{}(p, at));
        float const r = offset{learned}(p, at), far = offset{learned, 64}(p, at);
        CHECK(r == std::nearbyint(r));
        CHECK(std::abs(r - p) <= 0.5f + std::abs(v[i]) + 0x1p-16f); // p + v is rounded once
        CHECK(std::abs(far - p - 64 * v[i]) <= 0.5f + 0x1p-16f);
    }
    std::vector<float> const half{0.5f, -0.5f};
    matrix_view<float const> const both{half.data(), 1, 2};
    CHECK(offset{both}(2.25f, {0, 0}) == 3);
    CHECK(offset{both}(2.25f, {0, 1}) == 2);
    CHECK(offset{both}(2.75f, {0, 1}) == 2);
}

TEST_CASE("the mean of stochastic rounding is the coordinate")
{
    // n independent draws, up with probability f: the mean lies within 5 standard errors, and 2^-24 for the grid of the
    // draws, of f; a good seed fails once in two million times, and the seed is fixed.
    constexpr std::size_t rows = 200, cols = 500;
    constexpr double n = rows * cols;
    for (std::uint64_t const seed : {0u, 1u, 42u})
        for (float const p : {0.5f, 0.1f, 0.9f, 3.25f, 100.75f, -0.3f, -7.5f, 0.001f, 4000.37f})
        {
            stochastic const rounded{seed};
            double sum = 0;
            for (std::size_t row = 0; row < rows; ++row)
                for (std::size_t col = 0; col < cols; ++col)
                    sum += rounded(p, {row, col});
            double const f = p - std::floor(p);
            CHECK(std::abs(sum / n - p) <= 5 * std::sqrt(f * (1 - f) / n) + 0x1p-24);
        }
}

TEST_CASE("draws depend on seed and place, and neighbours do not know each other")
{
    constexpr std::size_t side = 256;
    constexpr double n = side * (side - 1);
    stochastic const rounded{5}, other{6};
    auto up = [](stochastic const& r, std::size_t row, std::size_t col) { return r(0.5f, {row, col}) == 1; };
    double same_seed = 0, same_right = 0, same_below = 0, same_mirrored = 0;
    for (std::size_t row = 0; row < side; ++row)
        for (std::size_t col = 0; col + 1 < side; ++col)
        {
            same_seed += up(rounded, row, col) == up(other, row, col);
            same_right += up(rounded, row, col) == up(rounded, row, col + 1);
            same_below += up(rounded, row, col) == up(rounded, row + 1, col);
            same_mirrored += up(rounded, row, col + side) == up(rounded, col + side, row);
        }
    for (double const same : {same_seed, same_right, same_below, same_mirrored}) // fair coins agree half the time
        CHECK(std::abs(same / n - 0.5) <= 5 * std::sqrt(0.25 / n));
}

namespace
{
    // splitmix64 as published: the state steps by the golden ratio, the output mixes it.
    constexpr std::uint64_t splitmix64(std::uint64_t state)
    {
        std::uint64_t z = state + 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    static_assert(splitmix64(0) == 0xe220a8397b1dcdafu && splitmix64(1234567) == 6457827717110365317u); // known answers

    // The numbers are part of the promise "same bytes": seed and row and column, one after the other.
    constexpr float expected_draw(std::uint64_t seed, std::uint64_t row, std::uint64_t col)
    {
        std::uint64_t const bits = splitmix64(splitmix64(seed ^ splitmix64(row)) ^ col);
        return static_cast<float>(bits >> 40) / 16777216.0f;
    }
    static_assert(stochastic{0}.draw({0, 0}) == expected_draw(0, 0, 0));
    static_assert(stochastic{77}.draw({3, 4}) == expected_draw(77, 3, 4));
    static_assert(stochastic{77}.draw({4, 3}) != expected_draw(77, 3, 4));
}

TEST_CASE("integers stay even where the draw is exactly 0")
{
    stochastic const rounded{0};
    position const lowest{35, 3938}; // found by search: one draw in 2^24 is 0
    REQUIRE(rounded.draw(lowest) == 0);
    CHECK(rounded(3.0f, lowest) == 3);
    CHECK(rounded(-3.0f, lowest) == -3);
    CHECK(rounded(3.0f + 0x1p-20f, lowest) == 4);
}

TEST_CASE("draws fill [0, 1) evenly")
{
    std::vector<int> hits(16);
    for (std::size_t row = 0; row < 100; ++row)
        for (std::size_t col = 0; col < 1000; ++col)
        {
            float const x = stochastic{9}.draw({row, col});
            REQUIRE(x >= 0);
            REQUIRE(x < 1);
            ++hits[static_cast<std::size_t>(x * 16)];
        }
    double const n = 100000, expected = n / 16;
    for (int const h : hits)
        CHECK(std::abs(h - expected) <= 5 * std::sqrt(expected * 15 / 16));
}
