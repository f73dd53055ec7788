// SPDX-License-Identifier: BSD-3-Clause
// Scores of cached keys, sums of cached values: against plain loops in double.
#include <jackplane/multiply/columns.hpp>
#include <jackplane/multiply/activation/bf16.hpp>
#include <jackplane/pack/row_cache.hpp>
#include "subjects.hpp"
#include <cmath>
#include <limits>

using namespace jackplane;

namespace
{
    constexpr std::size_t room = 101;
    constexpr double eps = 0x1p-24;

    template <class A>
    constexpr unsigned limbs_count = 0;
    template <unsigned N>
    constexpr unsigned limbs_count<limbs<N>> = N;

    // What an x may be off by where `largest` is the greatest of its group.
    template <class A>
    double off(double x, double largest)
    {
        if constexpr (std::same_as<A, bf16>)
            return std::abs(x) * 0x1p-8; // where it is not read as fp32
        else if constexpr (limbs_count<A> != 0)
            return std::max(largest / (limbs<limbs_count<A>>::largest), 0x1p-120) / 2 + std::abs(x) * 0x1p-23;
        else
            return 0;
    }

    template <class A, class P, class S>
    void check_sums(A const& how, std::size_t length)
    {
        constexpr float centre = uniform<8>::centre;
        laws::sample const w = laws::weights(room, length, length);
        column_cache<bit_planes, P, S> cache(room, length);
        auto const q = quantize<S>(w.view(), uniform<8>{}, P{}, group{32});
        scaled_weights<A> with;
        for (std::size_t n = 1; n < room; ++n)
        {
            cache.append(w.view().row(n - 1));
            if (n % 16 > 1 && n > 3)
                continue;
            for (std::size_t const first : {std::size_t{0}, n / 32 * 32})
                for (std::size_t const vectors : {1u, 3u, 9u})
                {
                    std::size_t const count = n - first;
                    auto const x = laws::vector(vectors * count, laws::input::outlier, n);
                    std::vector<float> y(vectors * length, -1.0f);
                    for (unsigned const bits : {8u, 6u, 5u, 4u, 3u, 2u, 1u})
                    {
                        sum_columns(cache, bits, matrix_view<float const>{x.data(), vectors, count}, first,
                                    matrix_view<float>{y.data(), vectors, length}, how, with);
                        std::size_t wrong = 0;
                        for (std::size_t v = 0; v < vectors; ++v)
                            for (std::size_t i = 0; i < length; ++i)
                            {
                                double sum = 0, magnitude = 0, inexact = 0, scaled[room], largest[room] = {};
                                auto const scale = [&](std::size_t p) { return double{q.scale_at(first + p, i)}; };
                                for (std::size_t p = 0; p < count; ++p)
                                {
                                    scaled[p] = x[v * count + p] * scale(p);
                                    double& most = largest[p / 64];
                                    most = std::max(most, std::abs(scaled[p]));
                                }
                                for (std::size_t p = 0; p < count; ++p)
                                {
                                    code const c = q.codes[(first + p) * length + i];
                                    double const value = truncate_centred{}.value(c >> (8 - bits), 8, bits);
                                    double const zero = q.zero_at(first + p, i);
                                    sum += scaled[p] * (value - zero);
                                    magnitude += std::abs(scaled[p]) *
                                                 (value + centre + std::abs(centre - zero) + std::abs(value - centre));
                                    inexact += off<A>(scaled[p], largest[p / 64]) * std::abs(value - centre);
                                }
                                // chains of the product (multiply's own bound), and eight sums of the offsets
                                double const rounded =
                                    (static_cast<double>(ceil_div(count, 8)) + 16) * 2 * eps * magnitude;
                                wrong += !(std::abs(y[v * length + i] - sum) <= rounded + inexact);
                            }
                        CAPTURE(n);
                        CAPTURE(first);
                        CAPTURE(vectors);
                        CAPTURE(bits);
                        CHECK(wrong == 0);
                    }
                }
        }
    }
}

TEST_CASE_TEMPLATE("sums of cached vectors: ragged lengths, every position, every prefix, several together", A, exact,
                   limbs<1>, limbs<2>, limbs<3>, bf16)
{
    for (std::size_t const length : {64u, 80u, 96u, 128u})
        check_sums<A, minmax<>, bfloat16>(A{}, length);
}

TEST_CASE("sums of cached vectors: other scales and zeros, vectors shorter than their panels")
{
    check_sums<limbs<3>, absmax, half>({}, 40);
    check_sums<limbs<3>, minmax<real_zero>, float>({}, 33);
}

TEST_CASE("scores: a product of the cache is that of its packed twin")
{
    laws::sample const w = laws::weights(room, 80, 5);
    row_cache<> cache(room, 80);
    limbs<2>::prepared ready;
    limbs<2>{32}.prepare(matrix_view<float const>{laws::weights(3, 80, 6, 1).data.data(), 3, 80}, ready);
    for (std::size_t n = 1; n <= room; ++n)
    {
        cache.append(w.view().row(n - 1));
        if (n % 16 > 1)
            continue;
        auto const whole = pack<bit_planes>(
            quantize(matrix_view<float const>{w.data.data(), n, 80}, uniform<8>{}, minmax<>{}, group{32}));
        for (unsigned bits = 1; bits <= 8; ++bits)
        {
            std::vector<float> y(3 * n), expected(3 * n);
            multiply(cache.prefix(bits), ready, matrix_view<float>{y.data(), 3, n});
            multiply(whole.prefix(bits), ready, matrix_view<float>{expected.data(), 3, n});
            CHECK(laws::same_bits(y, expected));
        }
    }
}

TEST_CASE("a sum does not depend on the others, nor on vectors whose weights are 0")
{
    laws::sample const w = laws::weights(room, 64, 7);
    column_cache<> cache(room, 64);
    cache.append(w.view());
    limbs<1> const how;
    scaled_weights<limbs<1>> with;
    std::size_t const seen = 70;
    auto const x = laws::vector(9 * room, laws::input::bell, 3);
    std::vector<float> masked(x), together(9 * 64), alone(64);
    for (std::size_t n = 0; n < 9; ++n)
        std::fill(masked.begin() + static_cast<std::ptrdiff_t>(n * room + seen),
                  masked.begin() + static_cast<std::ptrdiff_t>((n + 1) * room), 0.0f);
    sum_columns(cache, 4, matrix_view<float const>{masked.data(), 9, room}, 0,
                matrix_view<float>{together.data(), 9, 64}, how, with);
    for (std::size_t n = 0; n < 9; ++n)
    {
        sum_columns(cache, 4, matrix_view<float const>{x.data() + n * room, 1, seen}, 0,
                    matrix_view<float>{alone.data(), 1, 64}, how, with);
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < 64; ++i)
            wrong += alone[i] != together[n * 64 + i];
        CHECK(wrong == 0);
    }
}

TEST_CASE("a cache without zeros reads none that another left behind")
{
    laws::sample const w = laws::weights(40, 64, 9);
    column_cache<> before(40, 64);
    column_cache<bit_planes, absmax> cache(40, 64);
    before.append(w.view());
    cache.append(w.view());
    std::vector<float> const x(40, 1.0f);
    std::vector<float> y(64), expected(64);
    matrix_view<float const> const weights{x.data(), 1, 40};
    scaled_weights<exact> with, fresh;
    sum_columns(before, 8, weights, 0, matrix_view<float>{y.data(), 1, 64}, exact{}, with);
    sum_columns(cache, 8, weights, 0, matrix_view<float>{y.data(), 1, 64}, exact{}, with);
    sum_columns(cache, 8, weights, 0, matrix_view<float>{expected.data(), 1, 64}, exact{}, fresh);
    CHECK(laws::same_bits(y, expected));
}

TEST_CASE("sums of nothing, of what is not finite, and what does not fit")
{
    laws::sample const w = laws::weights(40, 64, 8);
    column_cache<> cache(40, 64);
    scaled_weights<exact> with;
    std::vector<float> x(40, 1.0f), y(2 * 64, 7.0f);
    auto const sum = [&](std::size_t vectors, std::size_t count, std::size_t first, std::size_t length)
    {
        sum_columns(cache, 8, matrix_view<float const>{x.data(), vectors, count}, first,
                    matrix_view<float>{y.data(), vectors, length}, exact{}, with);
    };
    sum(1, 0, 0, 64);
    CHECK(y[0] == 0);
    CHECK(y[63] == 0);
    CHECK(y[64] == 7);
    CHECK_THROWS_WITH_AS(sum(1, 1, 0, 64), "1 weights from vector 0 on, of 0", shape_error);
    cache.append(w.view());
    CHECK_THROWS_WITH_AS(sum(1, 9, 32, 64), "9 weights from vector 32 on, of 40", shape_error);
    CHECK_THROWS_WITH_AS(sum(1, 8, 32, 65), "1 sums of vectors of 64 numbers into y of 1 x 65", shape_error);
    CHECK_THROWS_AS(sum(1, 8, 16, 64), shape_error);
    CHECK_THROWS_AS(sum_columns(cache, 9, matrix_view<float const>{x.data(), 1, 8}, 0,
                                matrix_view<float>{y.data(), 1, 64}, exact{}, with),
                    width_error);
    for (float const bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
    {
        x[5] = bad;
        sum(1, 40, 0, 64);
        for (std::size_t i = 0; i < 64; ++i)
            CHECK(std::isnan(y[i]));
    }
}
