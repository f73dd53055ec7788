// SPDX-License-Identifier: BSD-3-Clause
// The product of element types: weights x scales x zeros, each from quantize to the prefixes.
#include <algorithm>
#include <array>
#include <cmath>
#include <tuple>
#include <vector>
#include <doctest/doctest.h>
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/quantize.hpp>
#include "../laws/weights.hpp"
using namespace jackplane;

namespace
{
    template <class W, class S, class P>
    struct types
    {
        using weight = W;
        using scale = S;
        using policy = P;
    };
    template <class W, class S>
    using with_zeros =
        std::tuple<types<W, S, absmax>, types<W, S, minmax<integer_zero>>, types<W, S, minmax<real_zero>>>;
    template <class W>
    using every_with =
        decltype(std::tuple_cat(with_zeros<W, half>{}, with_zeros<W, bfloat16>{}, with_zeros<W, float>{}));
    using all_types = decltype(std::tuple_cat(every_with<float>{}, every_with<double>{}, every_with<half>{},
                                              every_with<bfloat16>{}));
    static_assert(std::tuple_size_v<all_types> == 36);

    struct outcome // in floats, so that the checks are compiled once
    {
        aligned_vector<code> codes;
        std::vector<float> scale, zero;       // of each weight
        std::array<std::vector<float>, 9> at; // [bits]: each weight, from the prefix
        std::array<std::size_t, 9> bytes;     // read
        friend bool operator==(outcome const&, outcome const&) = default;
    };
    template <class S, class P, class W>
    outcome through_pack(std::vector<W> const& weights)
    {
        auto const q = quantize<S>(matrix_view<W const>{weights.data(), 19, 45}, uniform<8>{}, P{}, group{16});
        static_assert(std::is_same_v<typename decltype(q.scales)::value_type, S>);
        auto const a = pack<bit_planes>(q);
        outcome all{q.codes, {}, {}, {}, {}};
        for (std::size_t i = 0; i < weights.size(); ++i)
        {
            all.scale.push_back(q.scale_at(i / 45, i % 45));
            all.zero.push_back(q.zero_at(i / 45, i % 45));
            for (unsigned bits = 1; bits <= 8; ++bits)
                all.at[bits].push_back(a.prefix(bits).at(i / 45, i % 45));
        }
        for (unsigned bits = 1; bits <= 8; ++bits)
            all.bytes[bits] = bytes_read(a.prefix(bits));
        return all;
    }
    void check(outcome const& q, std::vector<float> const& weights, std::size_t scale_bytes)
    {
        for (unsigned bits = 1; bits <= 8; ++bits)
        {
            CHECK(q.bytes[bits] == 32 * 64 * bits / 8 + 32 * 3 * scale_bytes);
            double const cell = static_cast<double>(1u << (8 - bits));
            std::size_t wrong = 0, far = 0;
            for (std::size_t i = 0; i < weights.size(); ++i)
            {
                double const s = q.scale[i], zero = q.zero[i], x = weights[i];
                float const middle = static_cast<float>((q.codes[i] >> (8 - bits)) * cell + (cell - 1) / 2 - zero);
                wrong += q.at[bits][i] != static_cast<float>(s * middle);
                // Half a step of 8 bits, (cell - 1) / 2 for the slice, what rounding the scale cut off (how far w lies
                // beyond the last value), 2^-14 steps for floats near 512.
                double const beyond = std::max({0.0, s * (0 - zero) - x, x - s * (255 - zero)});
                far += !(std::abs(x - q.at[bits][i]) <= s * (cell / 2 + 0x1p-14) + beyond);
            }
            CHECK(wrong == 0);
            CHECK(far == 0);
        }
    }
}

TEST_CASE_TEMPLATE_DEFINE("weights x scales x zeros", T, element_types)
{
    using W = typename T::weight;
    using Z = typename T::policy::zero_type;
    std::vector<W> weights;
    std::vector<float> rounded; // the same numbers as floats
    for (float const x : laws::weights(19, 45, 77).data)
    {
        if constexpr (std::is_same_v<W, double>)
            weights.push_back(x * (1 + 0x1p-30)); // no float: the nearest one is taken
        else
            weights.push_back(from_float<W>(x));
        rounded.push_back(to_float(weights.back()));
    }
    outcome const q = through_pack<typename T::scale, typename T::policy>(weights);
    CHECK(q == through_pack<typename T::scale, typename T::policy>(rounded));
    check(q, rounded, sizeof(typename T::scale) + (std::is_same_v<Z, no_zero> ? 0 : sizeof(Z)));
}
TEST_CASE_TEMPLATE_APPLY(element_types, all_types);
