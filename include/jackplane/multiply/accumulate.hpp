// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <concepts>
#include <cstddef>
#include <type_traits>
#include "../core/target.hpp"

// of<V> is the running sum; V = float or a batch of floats: one text for scalar and SIMD. n = terms added, u = 2^-24.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    struct fp32 // error <= (n + 1) u sum |x y|
    {
        template <class V>
        class of // the running sum
        {
        public:
            void add(V x, V y) noexcept { m_sum = m_sum + x * y; }
            V total() const noexcept { return m_sum; }

        private:
            V m_sum = V(0.0f);
        };
    };

    struct fp64 // error <= u |sum| + n 2^-53 sum |x y|
    {
        template <class V>
        class of // the running sum
        {
        public:
            void add(V x, V y) noexcept
            {
                alignas(64) std::array<float, V::size> a, b;
                x.store(a.data());
                y.store(b.data());
                for (std::size_t i = 0; i < V::size; ++i)
                    m_sum[i] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
            }
            V total() const noexcept
            {
                alignas(64) std::array<float, V::size> a;
                for (std::size_t i = 0; i < V::size; ++i)
                    a[i] = static_cast<float>(m_sum[i]);
                return V::load(a.data());
            }

        private:
            std::array<double, V::size> m_sum{};
        };
        template <std::same_as<float> V>
        class of<V> // the running sum
        {
        public:
            void add(float x, float y) noexcept { m_sum += static_cast<double>(x) * static_cast<double>(y); }
            float total() const noexcept { return static_cast<float>(m_sum); }

        private:
            double m_sum = 0;
        };
    };

    // The rounding error of each addition is kept (Knuth's two-sum) and added at the end; products are rounded.
    // Error <= 2 u |sum| + (u + 2 n^2 u^2) sum |x y|: Ogita, Rump, Oishi, "Accurate sum and dot product" (2005), 4.
    struct compensated
    {
        template <class V>
        class of // the running sum
        {
        public:
            void add(V x, V y) noexcept
            {
                V const product = x * y, sum = m_sum + product, added = sum - m_sum;
                m_lost = m_lost + ((m_sum - (sum - added)) + (product - added));
                m_sum = sum;
            }
            V total() const noexcept { return m_sum + m_lost; }

        private:
            V m_sum = V(0.0f), m_lost = V(0.0f);
        };
    };

    // The one that suits x, and the default: `compensated` where x is as good as fp32 (exact, limbs<3>); `fp32`, a
    // sixth faster, where x was rounded more coarsely than any sum (limbs<1>, limbs<2>, bf16).
    struct suited : compensated
    {
    };

    // What stands for Acc where x is coarse.
    template <class Acc>
    using for_coarse_x = std::conditional_t<std::same_as<Acc, suited>, fp32, Acc>;
}
