// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// A model of linear_map is tested through a subject: the widths() it can be read at, and
// make(shape, group, seed, bits), the map and its exact twin.
#include <jackplane/multiply/multiply.hpp>
#include <jackplane/quantize/quantize.hpp>
#include "weights.hpp"
#include <doctest/doctest.h>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace laws
{
    using exact_number = long double;
    inline constexpr exact_number half_eps = 0x1p-24L; // u: one rounding of a float

    // The same matrix without packing: from the quantized codes and the meaning of a code alone.
    struct twin
    {
        std::size_t rows, cols;
        std::vector<exact_number> weight; // [rows, cols]  scale (decode - zero), or scale decode + an offset
        std::vector<exact_number> bound;  // [rows, cols]  (groups + 8) eps (|scale decode| + |scale zero| or |offset|)
        std::vector<exact_number> first = {}; // [rows, cols]  scale decode before an offset; else empty
    };
    struct answer
    {
        exact_number y, bound;
    };

    // What the leading `bits` of code q stand for, in steps of the parent's codes.
    template <jackplane::codebook C>
    exact_number decoded(C const& book, unsigned q, unsigned bits)
    {
        if constexpr (jackplane::linear_codebook<C>)
        {
            unsigned const cell = 1u << (C::bits - bits);
            return static_cast<exact_number>(q / cell * cell) + static_cast<exact_number>(cell - 1) / 2;
        }
        else if constexpr (jackplane::leveled_codebook<C>)
            return static_cast<exact_number>(C::step_at(bits)) * C::level_at(q >> (C::bits - bits), bits) +
                   C::base_at(bits);
        else
            return book.decode(static_cast<jackplane::code>(q));
    }
    template <class C, class S, class Z>
    twin twin_of(jackplane::quantized<C, S, Z> const& q, unsigned bits = C::bits)
    {
        twin t{q.rows, q.cols, {}, {}};
        exact_number const allowed = 2 * half_eps * static_cast<exact_number>(q.grid.per_row + 8);
        for (std::size_t row = 0; row < q.rows; ++row)
            for (std::size_t col = 0; col < q.cols; ++col)
            {
                exact_number const scale = q.scale_at(row, col), zero = q.zero_at(row, col);
                exact_number const value =
                    jackplane::row_codebook<C> ? 1 : decoded(q.book, q.codes[row * q.cols + col], bits);
                exact_number const shift = jackplane::zero_as_offset<Z> ? zero : -scale * zero;
                t.weight.push_back(scale * value + shift);
                t.bound.push_back(allowed * (std::abs(scale * value) + std::abs(shift)));
                if (jackplane::zero_as_offset<Z>)
                    t.first.push_back(scale * value);
            }
        return t;
    }
    inline twin operator+(twin a, twin const& b)
    {
        for (std::size_t i = 0; i < a.weight.size(); ++i)
            a.weight[i] += b.weight[i], a.bound[i] += b.bound[i];
        return a;
    }
    inline std::vector<answer> product(twin const& a, std::span<float const> x)
    {
        std::vector<answer> all(a.rows, answer{0, 0});
        for (std::size_t row = 0; row < a.rows; ++row)
            for (std::size_t col = 0; col < a.cols; ++col)
            {
                all[row].y += a.weight[row * a.cols + col] * x[col];
                all[row].bound += a.bound[row * a.cols + col] * std::abs(x[col]);
            }
        return all;
    }
    // The first row that is off by more than its bound; rows() when there is none.
    inline std::size_t first_wrong(std::vector<answer> const& expected, std::span<float const> y)
    {
        std::size_t row = 0;
        while (row < y.size() && std::abs(expected[row].y - y[row]) <= expected[row].bound)
            ++row;
        return row;
    }

    enum class input
    {
        bell,       // both signs, all of one size
        positive,   // sums grow, and with them the part that the zero takes away
        outlier,    // a few numbers 10^4 times the rest
        cancelling, // large neighbours that cancel but for their last bits
        coarse      // multiples of 1/64 below 16: sums of two are exact
    };
    inline constexpr std::array all_inputs{input::bell, input::positive, input::outlier, input::cancelling,
                                           input::coarse};
    inline std::vector<float> vector(std::size_t n, input kind, std::uint64_t seed)
    {
        sequence next{seed};
        std::vector<float> x(n);
        for (std::size_t i = 0; i < n; ++i)
        {
            x[i] = next.bell();
            if (kind == input::positive)
                x[i] = 1 + next.unit();
            if (kind == input::outlier && next() % 32 == 0)
                x[i] *= 1e4f;
            if (kind == input::cancelling)
                x[i] = i % 2 == 0 ? 1e6f * x[i] : -x[i - 1] * (1 + 0x1p-20f * next.bell());
            if (kind == input::coarse)
                x[i] = std::nearbyint(512 * x[i]) / 64;
        }
        return x;
    }

    inline bool same_bits(std::span<float const> a, std::span<float const> b) // also of NaN and -0
    {
        return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0);
    }
    template <class M>
    std::vector<float> times(M const& map, std::vector<float> const& x)
    {
        std::vector<float> y(map.rows(), 7.0f);
        jackplane::multiply(map, x, y);
        return y;
    }
    template <class Arch, class Acc = jackplane::suited, class M>
    std::vector<float> times(M const& a, std::vector<float> const& x)
    {
        std::vector<float> y(a.rows(), 7.0f);
        jackplane::multiply<Arch, Acc>(a, x, std::span<float>(y));
        return y;
    }

    // Groups that divide nothing, blocks of 32 in one and several pieces, one scale per row and per tensor.
    inline constexpr std::array<jackplane::group, 6> all_groups{
        {{5}, {32}, {48}, {64}, jackplane::group::per_row(), jackplane::group::per_tensor()}};
    // A third of the ragged shapes, each with another group; multiply/bound.cpp has all of them.
    template <class Subject, class Body>
    void for_some_shapes(Body&& body)
    {
        for (std::size_t i = 0; i < ragged_shapes.size(); i += 3)
        {
            shape const s = ragged_shapes[i];
            CAPTURE(s.rows);
            CAPTURE(s.cols);
            for (unsigned const bits : Subject::widths())
            {
                CAPTURE(bits);
                body(Subject::make(s, all_groups[i / 3], i + 1, bits));
            }
        }
    }
}

TEST_CASE_TEMPLATE_DEFINE("linear_map", Subject, linear_map_law)
{
    using namespace laws;
    using map_type = decltype(Subject::make(shape{1, 1}, jackplane::group{}, 0, 0).map);
    static_assert(jackplane::linear_map<map_type>);

    SUBCASE("multiply overwrites y with the product of its dense twin, within the bound")
    {
        for_some_shapes<Subject>([](auto const& subject)
        {
            for (input const kind : all_inputs)
            {
                auto const x = vector(subject.exact.cols, kind, 3);
                CHECK(first_wrong(product(subject.exact, x), times(subject.map, x)) == subject.exact.rows);
            }
        });
    }
    SUBCASE("multiply_add adds to y")
    {
        for_some_shapes<Subject>([](auto const& subject)
        {
            auto const x = vector(subject.exact.cols, input::bell, 5);
            auto const before = vector(subject.exact.rows, input::bell, 6);
            auto y = before;
            multiply_add(subject.map, std::span<float const>(x), std::span<float>(y));
            auto expected = product(subject.exact, x);
            for (std::size_t row = 0; row < y.size(); ++row) // each of at most three parts is added with one rounding
            {
                expected[row].y += before[row];
                expected[row].bound += 4 * half_eps * (std::abs(expected[row].y) + std::abs(before[row]));
            }
            CHECK(first_wrong(expected, y) == y.size());
        });
    }
    SUBCASE("homogeneous: powers of two go through exactly")
    {
        for_some_shapes<Subject>([](auto const& subject)
        {
            auto const x = vector(subject.exact.cols, input::bell, 7);
            auto const y = times(subject.map, x);
            for (float const factor : {-1.0f, 2.0f, -0.125f, 0x1p40f, 0x1p-40f})
            {
                auto scaled_x = x, scaled_y = y;
                for (float& value : scaled_x)
                    value *= factor;
                for (float& value : scaled_y)
                    value *= factor;
                CHECK(times(subject.map, scaled_x) == scaled_y);
            }
        });
    }
    SUBCASE("additive: m (a + b) == m a + m b within the three bounds")
    {
        for_some_shapes<Subject>([](auto const& subject)
        {
            auto const a = vector(subject.exact.cols, input::coarse, 8);
            auto const b = vector(subject.exact.cols, input::coarse, 9);
            auto both = a;
            for (std::size_t i = 0; i < both.size(); ++i)
                both[i] += b[i];
            auto const ya = times(subject.map, a), yb = times(subject.map, b), y = times(subject.map, both);
            auto const ea = product(subject.exact, a), eb = product(subject.exact, b), e = product(subject.exact, both);
            std::size_t wrong = 0;
            for (std::size_t row = 0; row < y.size(); ++row)
                wrong += !(std::abs(exact_number{y[row]} - ya[row] - yb[row]) <=
                           ea[row].bound + eb[row].bound + e[row].bound);
            CHECK(wrong == 0);
        });
    }
    SUBCASE("a prepared x, and x and y off every boundary, give the same bits")
    {
        for_some_shapes<Subject>([](auto const& subject)
        {
            auto const x = vector(subject.exact.cols, input::bell, 10);
            auto const expected = times(subject.map, x);
            jackplane::exact::prepared ready;
            jackplane::exact::prepare(x, ready);
            std::vector<float> y(expected.size());
            jackplane::multiply(subject.map, ready, y);
            CHECK(same_bits(y, expected));

            std::vector<float> x_off(x.size() + 1), y_off(y.size() + 1, 3.0f);
            std::copy(x.begin(), x.end(), x_off.begin() + 1);
            auto const off = std::span(y_off).subspan(1);
            jackplane::multiply(subject.map, std::span<float const>(x_off).subspan(1), off);
            CHECK(same_bits(off, expected));
            CHECK(y_off[0] == 3.0f);
        });
    }
    SUBCASE("x or y of another length is an error with the numbers")
    {
        auto const subject = Subject::make({17, 33}, jackplane::group{32}, 1, Subject::widths().front());
        constexpr std::array<shape, 6> others{{{16, 33}, {18, 33}, {17, 32}, {17, 34}, {0, 33}, {17, 0}}};
        for (shape const wrong : others)
        {
            std::vector<float> x(wrong.cols), y(wrong.rows);
            CHECK_THROWS_AS(jackplane::multiply(subject.map, x, y), jackplane::shape_error);
        }
        std::vector<float> x(32), y(17);
        CHECK_THROWS_WITH_AS(jackplane::multiply(subject.map, x, y),
                             "a matrix of 17 x 33 times x of 32 into y of 17", jackplane::shape_error);
    }
    SUBCASE("no rows, no columns, neither")
    {
        for (shape const s : {shape{0, 5}, shape{5, 0}, shape{0, 0}})
        {
            auto const subject = Subject::make(s, jackplane::group{4}, 1, Subject::widths().front());
            CHECK(subject.map.rows() == s.rows);
            CHECK(subject.map.cols() == s.cols);
            CHECK(times(subject.map, std::vector<float>(s.cols, 1.0f)) == std::vector<float>(s.rows, 0.0f));
        }
    }
}
