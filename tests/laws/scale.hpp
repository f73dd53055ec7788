// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>
#include <doctest/doctest.h>
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/quantize.hpp>
#include "weights.hpp"

namespace laws
{
    template <jackplane::codebook C, jackplane::scale<C> P>
    struct on // a policy and the codebook it works for
    {
        using book = C;
        using policy = P;
    };

    template <unsigned Left, unsigned... W> // planes<1, ..., 1>
    struct one_bit_planes : one_bit_planes<Left - 1, 1, W...>
    {
    };
    template <unsigned... W>
    struct one_bit_planes<0, W...>
    {
        using type = jackplane::planes<W...>;
    };

    // What came out of quantize, in floats.
    struct outcome
    {
        std::vector<float> scales, zeros;
        jackplane::aligned_vector<jackplane::code> codes;
        std::vector<sample> decoded; // as quantized; in half also packed and read at every readable width
    };
    template <class Q>
    outcome read(Q const& q)
    {
        using namespace jackplane;
        outcome all{{}, {}, q.codes, {}};
        for (auto const s : q.scales)
            all.scales.push_back(to_float(s));
        if constexpr (!std::is_same_v<typename decltype(q.zeros)::value_type, no_zero>)
            for (auto const z : q.zeros)
                all.zeros.push_back(to_float(z));
        auto decode = [&](auto const& from)
        {
            sample w{q.rows, q.cols, aligned_vector<float>(q.rows * q.cols)};
            dequantize(from, w.view());
            all.decoded.push_back(std::move(w));
        };
        decode(q);
        if constexpr (std::is_same_v<typename decltype(q.scales)::value_type, half>) // once is enough
        {
            auto const a = pack<typename one_bit_planes<Q::codebook_type::bits>::type>(q);
            for (unsigned bits = 1; bits <= a.bits(); ++bits)
                if (a.readable(bits))
                    decode(a.prefix(bits));
        }
        return all;
    }

    // A model with its types erased, so that the law is compiled once.
    struct any_scale
    {
        using floats = std::span<float const>;
        std::function<jackplane::scale_and_zero(floats group, floats importance)> choose;
        std::function<outcome(sample const&, jackplane::group, std::string_view name)> in_half, in_bfloat16;
        std::vector<float> values; // of the codebook
        float centre;
        bool symmetric;

        template <class T>
        static any_scale of()
        {
            using namespace jackplane;
            using C = typename T::book;
            auto quantized_in = []<class S>(S)
            {
                return [](sample const& w, group g, std::string_view name) {
                    return read(
                        quantize<S>(w.view(), C{}, typename T::policy{}, g, nearest{}, independent{}, {.name = name}));
                };
            };
            any_scale m{[](floats w, floats importance) { return typename T::policy{}(w, C{}, importance); },
                        quantized_in(half{}), quantized_in(bfloat16{}), {}, C::centre,
                        std::is_same_v<typename T::policy::zero_type, no_zero>};
            for (unsigned q = 0; q < C::size; ++q)
                m.values.push_back(C{}.decode(static_cast<code>(q)));
            return m;
        }
    };

    inline void zeros_stay_zero(any_scale const& m)
    {
        for (std::size_t const n : {1u, 2u, 31u, 64u})
        {
            std::vector<float> zeros(n, 0.0f);
            CHECK(m.choose(zeros, {}).scale == 0);
            zeros.back() = -0.0f;
            CHECK(m.choose(zeros, {}).scale == 0);
            CHECK(m.choose(zeros, std::vector<float>(n, 2.0f)).scale == 0);
        }
        sample w = weights(5, 70, 3);
        std::fill(w.data.begin() + 2 * 70, w.data.begin() + 3 * 70, 0.0f); // row 2, and columns 32 .. 63 of row 4
        std::fill(w.data.begin() + 4 * 70 + 32, w.data.begin() + 4 * 70 + 64, -0.0f);
        outcome const q = m.in_half(w, {32}, "w");
        for (std::size_t const at : {6u, 7u, 8u, 13u})
            CHECK(q.scales[at] == 0);
        CHECK(q.scales[0] != 0);
        CHECK(q.scales[5] != 0);
        CHECK(q.scales[12] != 0);
        CHECK(q.scales[14] != 0);
        for (sample const& decoded : q.decoded) // exact zeros at every width
        {
            unsigned wrong = 0;
            for (std::size_t i = 0; i < w.data.size(); ++i)
                if (i / 70 == 2 || (i / 70 == 4 && i % 70 / 32 == 1))
                    wrong += decoded.data[i] != 0;
            CHECK(wrong == 0);
        }
    }

    inline void held_or_an_error(any_scale const& m)
    {
        using namespace jackplane;
        for (float const gain : {1e-44f, 1e-38f, 1e-30f, 1e-8f, 1e-3f, 1.0f, 1e4f, 1e7f, 1e20f, 1e37f})
        {
            sample w = weights(3, 40, 5, 1);
            for (float& x : w.data)
                x *= gain;
            auto const fits = [&]<class S>(S)
            {
                bool all = true;
                for (std::size_t i = 0; i < 9; ++i)
                {
                    auto const group = w.view().row(i / 3).subspan(i % 3 * 16, i % 3 == 2 ? 8 : 16);
                    float const scale = m.choose(group, {}).scale;
                    all = all && scale != 0 && holds<S>(scale);
                }
                return all;
            };
            auto const check = [&]<class S>(S type, auto const& quantized)
            {
                if (fits(type))
                    for (float const s : quantized(w, {16}, "w").scales)
                        CHECK((s != 0 && is_normal(from_float<S>(s))));
                else
                    CHECK_THROWS_AS(quantized(w, {16}, "w"), value_error);
            };
            check(half{}, m.in_half);
            check(bfloat16{}, m.in_bfloat16);
            CHECK(fits(bfloat16{}) == (gain > 1e-37f)); // the exponents of float
            CHECK(fits(half{}) >= (gain == 1));
            CHECK(fits(half{}) <= (gain > 1e-8f && gain < 1e20f));
        }
        sample w = weights(3, 40, 5, 1);
        auto const with = [&](float x)
        {
            std::fill(w.data.begin() + 2 * 40 + 32, w.data.end(), x);
            return w;
        };
        for (float const x : {-1e30f, 1e-9f})
        {
            auto const expect = [&](char const* part)
            { CHECK_THROWS_WITH_AS(m.in_half(with(x), {16}, "layers.7.up"), doctest::Contains(part), value_error); };
            expect("layers.7.up: scale ");
            expect(" of group 2 in row 2 is ");
            expect(x < 0 ? " is above the largest half, 65504; bfloat16 or float holds it"
                         : " is below the smallest normal half, 6.10351562e-05; bfloat16 or float holds it");
            CHECK_NOTHROW(m.in_bfloat16(with(x), {16}, "w"));
        }
        CHECK_THROWS_WITH_AS(m.in_bfloat16(with(1e-44f), {16}, "w"), doctest::Contains("no type holds it"),
                             value_error);
    }

    inline void powers_of_two_commute(any_scale const& m)
    {
        for (int const power : {-90, -9, -1, 1, 6, 90}) // 1e-27 .. 1e27: bfloat16 holds all of them
        {
            auto const times = [power](float x) { return std::ldexp(x, power); };
            sample const w = weights(5, 33, 21);
            sample larger = w;
            std::transform(w.data.begin(), w.data.end(), larger.data.begin(), times);
            for (std::size_t row = 0; row < 5; ++row)
            {
                auto const s = m.choose(w.view().row(row), {}), t = m.choose(larger.view().row(row), {});
                CHECK(t.scale == times(s.scale));
                CHECK(t.zero == s.zero);
            }
            outcome q = m.in_bfloat16(w, {16}, "w"), p = m.in_bfloat16(larger, {16}, "w");
            std::transform(q.scales.begin(), q.scales.end(), q.scales.begin(), times);
            CHECK(p.scales == q.scales);
            CHECK(p.zeros == q.zeros);
            CHECK(p.codes == q.codes);
        }
    }

    inline void ones_are_no_importance(any_scale const& m)
    {
        sample const w = weights(5, 48, 8);
        for (std::size_t row = 0; row < 5; ++row)
        {
            auto const s = m.choose(w.view().row(row), {}),
                       t = m.choose(w.view().row(row), std::vector<float>(48, 1.0f));
            CHECK(t.scale == s.scale);
            CHECK(t.zero == s.zero);
            CHECK((!m.symmetric || s.zero == m.centre)); // which is the zero of symmetric schemes
        }
    }

    inline void half_a_cell(any_scale const& m)
    {
        sample const w = weights(7, 65, 4);
        outcome const q = m.in_half(w, {32}, "w");
        double cell = 0;
        for (std::size_t k = 1; k < m.values.size(); ++k)
            cell = std::max<double>(cell, m.values[k] - m.values[k - 1]);
        for (std::size_t i = 0; i < w.data.size(); ++i)
        {
            std::size_t const at = i / 65 * 3 + i % 65 / 32;
            double const x = w.data[i], s = q.scales[at], zero = q.zeros.empty() ? m.centre : q.zeros[at];
            double const one = s * (m.values.front() - zero), other = s * (m.values.back() - zero);
            double const outside = std::max({0.0, std::min(one, other) - x, x - std::max(one, other)});
            // Rounded on the way: w / scale, + zero, coordinate, decode - zero, times scale: each by at most u = 2^-24
            // of numbers up to size + |zero|, in cells.
            double const u = 0x1p-24, size = static_cast<double>(m.values.size());
            double const slack = 6 * u * std::abs(s) * (size + std::abs(zero)) * std::max(1.0, cell);
            CHECK(std::abs(x - q.decoded[0].data[i]) <= std::max(outside, std::abs(s) * cell / 2) + slack);
        }
    }
}

TEST_CASE_TEMPLATE_DEFINE("scale", T, scale_law)
{
    static_assert(jackplane::scale<typename T::policy, typename T::book>);
    laws::any_scale const m = laws::any_scale::of<T>();
    SUBCASE("0 for a group of zeros, which decodes to exact zeros at every width") { laws::zeros_stay_zero(m); }
    SUBCASE("its storage type holds it, or an error names tensor, row, group and what does")
    {
        laws::held_or_an_error(m);
    }
    SUBCASE("a power of two times the weights: that times the scale, the same codes")
    {
        laws::powers_of_two_commute(m);
    }
    SUBCASE("an importance of 1 everywhere is none") { laws::ones_are_no_importance(m); }
    SUBCASE("weights inside the range of the codes decode within half a cell") { laws::half_a_cell(m); }
}
