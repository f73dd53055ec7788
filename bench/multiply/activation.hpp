// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// What the bench knows of an activation: its group, and how far x may be from what a kernel reads.
#include <jackplane/multiply/activation/bf16.hpp>
#include <algorithm>
#include <cmath>
#include <concepts>
#include <span>
#include <vector>

namespace bench
{
    // The default of the product: the weight group, at most 128.
    template <class A>
    A with_group(std::size_t weight_group)
    {
        A how;
        if constexpr (requires { how.group; })
            how.group = std::min<std::size_t>(weight_group, 128);
        return how;
    }

    // For each column. bf16: a bfloat16 has 8 bits (bf16.hpp). limbs: half a step of the group (limbs.hpp), and the
    // roundings of its scale and x.
    template <class A>
    std::vector<double> error_of([[maybe_unused]] A const& how, std::span<float const> x)
    {
        std::vector<double> off(x.size(), 0.0);
        if constexpr (std::same_as<A, jackplane::bf16>)
            std::ranges::transform(x, off.begin(), [](double v) { return 0x1p-8 * std::abs(v) + 0x1p-126; });
        if constexpr (requires { how.group; })
            for (std::size_t col = 0; col < x.size(); ++col)
            {
                std::size_t const begin = col / how.group * how.group, end = std::min(begin + how.group, x.size());
                double largest = 0;
                for (std::size_t i = begin; i < end; ++i)
                    largest = std::max(largest, std::abs(double{x[i]}));
                off[col] = largest / double{A::largest} / 2 + 0x1p-22 * std::abs(double{x[col]});
            }
        return off;
    }
}
