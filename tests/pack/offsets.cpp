// SPDX-License-Identifier: BSD-3-Clause
// Zeros that are stored as offsets: what is decoded is scale * decode(code), rounded to float, plus the offset, rounded
// again, whatever the flags of this unit. The expected value rounds by integers.
#include <doctest/doctest.h>
#include <cmath>
#include <jackplane/pack/pack.hpp>
#include <jackplane/pack/row.hpp>
#include <jackplane/quantize/quantize.hpp>
#include "../laws/offsets.hpp"
#include "../laws/weights.hpp"
using namespace jackplane;

namespace
{
    float rounded(double x) // to 24 bits, ties to even; x is no subnormal float
    {
        int exponent = 0;
        double const fraction = std::frexp(x, &exponent);
        return static_cast<float>(std::ldexp(std::nearbyint(std::ldexp(fraction, 24)), exponent - 24));
    }
    // A sum of two floats that is rounded to double first rounds to the same float.
    float formula(float scale, double value, float offset)
    {
        return static_cast<float>(double{rounded(scale * value)} + double{offset});
    }

    // Random codes, scales and offsets of both signs; [rows, 64], groups of 32.
    template <unsigned Bits, scale_number S, scale_number T>
    quantized<uniform<Bits>, S, offset_zero<T>> random_blocks(std::size_t rows, std::uint64_t seed)
    {
        quantized<uniform<Bits>, S, offset_zero<T>> q{{}, rows, 64, group_grid::of({32}, 64), {}, {}, {}};
        laws::sequence next{seed};
        for (std::size_t i = 0; i < rows * 64; ++i)
            q.codes.push_back(static_cast<code>(next() >> (32 - Bits)));
        for (std::size_t i = 0; i < rows * 2; ++i)
        {
            q.scales.push_back(from_float<S>(next.bell() * 0.01f));
            q.zeros.push_back({from_float<T>(next.bell() * 0.1f)});
        }
        return q;
    }
    template <class Q, class At>
    std::size_t off_formula(Q const& q, unsigned bits, At&& at)
    {
        unsigned const cell = 1u << (Q::codebook_type::bits - bits);
        std::size_t wrong = 0;
        for (std::size_t row = 0; row < q.rows; ++row)
            for (std::size_t col = 0; col < q.cols; ++col)
            {
                double const value = q.codes[row * q.cols + col] / cell * cell + (cell - 1) / 2.0;
                wrong += at(row, col) != formula(q.scale_at(row, col), value, q.zero_at(row, col));
            }
        return wrong;
    }
    template <class L, class Q>
    void check(Q const& q)
    {
        constexpr unsigned whole = Q::codebook_type::bits;
        laws::sample out{q.rows, q.cols, aligned_vector<float>(q.codes.size())};
        auto const from_out = [&](std::size_t row, std::size_t col) { return out.data[row * q.cols + col]; };
        CHECK(off_formula(q, whole, [&](std::size_t row, std::size_t col) { return q.at(row, col); }) == 0);
        dequantize(q, out.view());
        CHECK(off_formula(q, whole, from_out) == 0);
        auto const a = pack<L>(q);
        CHECK(unpack(a).zeros == q.zeros);
        for (unsigned bits = 1; bits <= whole; ++bits)
        {
            if (!a.readable(bits))
                continue;
            auto const b = a.prefix(bits);
            dequantize(b, out.view());
            CHECK(off_formula(q, bits, from_out) == 0);
            CHECK(off_formula(q, bits, [&](std::size_t row, std::size_t col) { return b.at(row, col); }) == 0);
        }
        dequantize_row(repack<L>(a, whole, truncate_centred{}), q.rows - 1, std::span(out.data).last(q.cols));
        for (std::size_t col = 0; col < q.cols; ++col)
            CHECK(from_out(q.rows - 1, col) == q.at(q.rows - 1, col));
    }
}

TEST_CASE("10^6 random weights decode to the formula, at every width, wherever they are decoded")
{
    check<planes<4>>(random_blocks<4, half, half>(16384, 1)); // 2^20 weights: GGUF's Q4_1
    check<planes<1, 4>>(random_blocks<5, half, half>(4001, 2));
    check<planes<4, 2, 2>>(random_blocks<8, float, float>(4001, 3));
    check<bit_planes>(random_blocks<8, bfloat16, float>(801, 4));
    check<planes<2>>(random_blocks<2, float, bfloat16>(801, 5));
}
