// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/multiply/accumulate.hpp>
#include <jackplane/multiply/arch/best.hpp>
#include "weights.hpp"
#include <doctest/doctest.h>
#include <cmath>
#include <cstdint>
#include <vector>

namespace laws
{
    struct pairs // of whole numbers below 2^24, so that floats hold them and 64-bit integers their sum of products
    {
        std::vector<std::int64_t> x, y;
    };
    // n products of both signs; with `cancelling` they come in pairs that differ in the last bits, in a shuffled order:
    // the sum is some 10^-7 of the sum of magnitudes or less.
    inline pairs products(std::size_t n, bool cancelling, std::uint64_t seed)
    {
        sequence next{seed};
        auto number = [&] { return static_cast<std::int64_t>(next() >> 9) - (1 << 22); };
        pairs p;
        for (std::size_t i = 0; i < n; ++i)
        {
            bool const second = cancelling && i % 2 == 1;
            p.x.push_back(second ? -p.x.back() : number());
            p.y.push_back(second ? p.y.back() + static_cast<std::int64_t>(next() % 3) - 1 : number());
        }
        for (std::size_t i = n; i > 1; --i)
        {
            std::size_t const j = next() % i;
            std::swap(p.x[i - 1], p.x[j]);
            std::swap(p.y[i - 1], p.y[j]);
        }
        return p;
    }

    // What the comments of accumulate.hpp promise for n products; u = 2^-24.
    struct sizes
    {
        double n, sum, magnitudes; // sum |x y|
    };
    constexpr double u = 0x1p-24;
    constexpr double promised(jackplane::fp32, sizes s) { return (s.n + 1) * u * s.magnitudes; } // n^2 u < 1
    constexpr double promised(jackplane::fp64, sizes s) { return u * std::abs(s.sum) + s.n * 0x1p-53 * s.magnitudes; }
    constexpr double promised(jackplane::compensated, sizes s)
    {
        return 2 * u * std::abs(s.sum) + (u + 2 * s.n * s.n * u * u) * s.magnitudes;
    }

    // Sum of p as V = float or in every lane of a batch, lane k starting k products later (and wrapping around).
    template <class Sum, class V>
    std::vector<float> totals(pairs const& p)
    {
        std::size_t const n = p.x.size();
        auto x = [&](std::size_t i) { return static_cast<float>(p.x[i % n]); };
        auto y = [&](std::size_t i) { return static_cast<float>(p.y[i % n]); };
        Sum sum;
        if constexpr (std::same_as<V, float>)
        {
            for (std::size_t i = 0; i < n; ++i)
                sum.add(x(i), y(i));
            return {sum.total()};
        }
        else
        {
            std::vector<float> a(V::size), b(V::size);
            for (std::size_t i = 0; i < n; ++i)
            {
                for (std::size_t k = 0; k < V::size; ++k)
                    a[k] = x(i + k), b[k] = y(i + k);
                sum.add(V::load(a.data()), V::load(b.data()));
            }
            sum.total().store(a.data());
            return a;
        }
    }
    template <class A, class V>
    void check_sums()
    {
        using sum_type = typename A::template of<V>;
        for (std::size_t const n : {1u, 2u, 3u, 17u, 64u, 255u, 1023u, 4000u})
            for (bool const cancelling : {false, true})
                for (std::uint64_t seed = 1; seed <= 10; ++seed)
                {
                    pairs const p = products(n, cancelling, seed);
                    std::int64_t sum = 0, magnitudes = 0;
                    for (std::size_t i = 0; i < n; ++i)
                        sum += p.x[i] * p.y[i], magnitudes += std::abs(p.x[i] * p.y[i]);
                    double const bound = promised(A{}, {static_cast<double>(n), static_cast<double>(sum),
                                                        static_cast<double>(magnitudes)});
                    for (float const total : totals<sum_type, V>(p))
                        CHECK(std::abs(static_cast<double>(sum) - static_cast<double>(total)) <= bound);
                }
        // Whole numbers that a float holds at every step are exact.
        pairs small;
        std::int64_t sum = 0;
        sequence next{11};
        for (int i = 0; i < 300; ++i)
        {
            small.x.push_back(static_cast<std::int64_t>(next() % 201) - 100);
            small.y.push_back(static_cast<std::int64_t>(next() % 201) - 100);
            sum += small.x.back() * small.y.back();
        }
        for (float const total : totals<sum_type, V>(small))
            CHECK(total == static_cast<float>(sum));
        CHECK(totals<sum_type, V>({{0}, {0}})[0] == 0.0f);
    }
}

TEST_CASE_TEMPLATE_DEFINE("accumulator", A, accumulator_law)
{
    static_assert(jackplane::accumulator<A>);
    SUBCASE("floats") { laws::check_sums<A, float>(); }
    SUBCASE("batches")
    {
        using batch = jackplane::kernel::vectors<jackplane::best_arch>::floats;
        laws::check_sums<A, batch>();
    }
}
