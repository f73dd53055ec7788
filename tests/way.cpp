// SPDX-License-Identifier: BSD-3-Clause
// The whole way, weights -> quantize -> pack -> prefix -> multiply, against plain loops that know of the library's
// storage types alone: w^ = scale (decode(code) - zero), written out once more in double.
#include <jackplane/multiply/multiply.hpp>
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/quantize.hpp>
#include "laws/weights.hpp"
#include <doctest/doctest.h>
#include <cmath>
#include <vector>

using namespace jackplane;

namespace
{
    struct stored // of one weight
    {
        double scale, zero;
        unsigned code;
    };
    float as_half(float x) { return to_float(from_float<half>(x)); }

    // Weight i of a group of n: 8 bits, asymmetric, integer zero.
    stored asymmetric(float const* w, std::size_t n, std::size_t i)
    {
        float low = 0, high = 0;
        for (std::size_t k = 0; k < n; ++k)
            low = std::fmin(low, w[k]), high = std::fmax(high, w[k]);
        float const ideal = high / 255 - low / 255;
        if (ideal == 0)
            return {0, 128, 128};
        float const zero = std::fmin(std::fmax(std::nearbyint(-low / ideal), 0.0f), 255.0f), scale = as_half(ideal);
        float const code = std::fmin(std::fmax(std::nearbyint(w[i] / scale + zero), 0.0f), 255.0f);
        return {scale, zero, static_cast<unsigned>(code)};
    }
    // 8 bits, the largest magnitude at 127 steps from 128
    stored symmetric(float const* w, std::size_t n, std::size_t i)
    {
        float largest = 0;
        for (std::size_t k = 0; k < n; ++k)
            largest = std::fmax(largest, std::fabs(w[k]));
        float const scale = as_half(largest / 127);
        if (scale == 0)
            return {0, 128, 128};
        float const code = std::fmin(std::fmax(std::nearbyint(w[i] / scale + 128), 0.0f), 255.0f);
        return {scale, 128, static_cast<unsigned>(code)};
    }

    // Root mean square of y(bits) - W x over that of W x, for each width; checks y(bits) against the loops on the way.
    template <class P, class Plain>
    std::vector<double> way(std::size_t rows, std::size_t cols, std::size_t columns, P policy, Plain&& plain)
    {
        laws::sample const w = laws::weights(rows, cols, rows + cols);
        laws::sequence next{7};
        std::vector<float> x(cols), y(rows);
        for (float& v : x)
            v = next.bell();

        auto const q =
            quantize(w.view(), uniform<8>{}, policy, group{columns}, nearest{}, independent{}, {}, threads{2});
        auto const a = pack<bit_planes>(q);
        std::vector<stored> by_loops; // of every weight, for all widths
        for (std::size_t row = 0; row < rows; ++row)
            for (std::size_t col = 0; col < cols; ++col)
            {
                std::size_t const first = col / columns * columns, n = std::min(columns, cols - first);
                by_loops.push_back(plain(w.data.data() + row * cols + first, n, col - first));
            }
        std::vector<double> errors(9);
        double signal = 0;
        for (unsigned bits = 1; bits <= 8; ++bits)
        {
            multiply(a.prefix(bits), x, y, threads{3});
            std::size_t wrong = 0;
            for (std::size_t row = 0; row < rows; ++row)
            {
                double exact = 0, magnitudes = 0, unquantized = 0;
                for (std::size_t col = 0; col < cols; ++col)
                {
                    stored const& s = by_loops[row * cols + col];
                    unsigned const cell = 1u << (8 - bits);
                    double const decoded = s.code / cell * cell + (cell - 1) / 2.0; // middle of the codes it stands for
                    exact += s.scale * (decoded - s.zero) * x[col];
                    magnitudes += std::fabs(s.scale) * (decoded + s.zero) * std::fabs(x[col]);
                    unquantized += static_cast<double>(w.data[row * cols + col]) * x[col];
                }
                double const groups = static_cast<double>((cols + columns - 1) / columns);
                wrong += !(std::fabs(y[row] - exact) <= (groups + 8) * 0x1p-23 * magnitudes);
                errors[bits] += (y[row] - unquantized) * (y[row] - unquantized);
                if (bits == 8)
                    signal += unquantized * unquantized;
            }
            CHECK(wrong == 0);
        }
        for (double& e : errors)
            e = std::sqrt(e / signal);
        return errors;
    }
}

TEST_CASE("the whole way, asymmetric")
{
    way(33, 127, 32, minmax{}, asymmetric);
    way(17, 31, 5, minmax{}, asymmetric);
    way(1, 1, 64, minmax{}, asymmetric);
    auto const error = way(255, 1023, 64, minmax{}, asymmetric);
    CHECK(error[8] < 0.01);
    for (unsigned bits = 1; bits < 8; ++bits)
        CHECK(error[bits] > error[bits + 1]); // every bit counts
}
TEST_CASE("the whole way, symmetric")
{
    way(65, 129, 48, absmax{}, symmetric);
    way(3, 7, 2, absmax{}, symmetric);
    auto const error = way(255, 1023, 64, absmax{}, symmetric);
    CHECK(error[8] < 0.01);
    for (unsigned bits = 1; bits < 8; ++bits)
        CHECK(error[bits] > error[bits + 1]);
}
TEST_CASE("the whole way, 16-bit weights and a matrix inside another")
{
    laws::sample const w = laws::weights(40, 100, 3);
    std::vector<bfloat16> narrow;
    std::vector<float> same;
    for (float const v : w.data)
    {
        narrow.push_back(from_float<bfloat16>(v));
        same.push_back(to_float(narrow.back()));
    }
    // rows 3..36, columns 10..74
    matrix_view<bfloat16 const> const inner{narrow.data() + 310, 34, 65, 100};
    matrix_view<float const> const same_inner{same.data() + 310, 34, 65, 100};
    auto const a = pack<bit_planes>(quantize(inner, uniform<8>{}, minmax<real_zero>{}, group{32}));
    auto const b = pack<bit_planes>(quantize(same_inner, uniform<8>{}, minmax<real_zero>{}, group{32}));
    std::vector<float> const x(65, 0.5f);
    std::vector<float> ya(34), yb(34);
    for (unsigned bits = 1; bits <= 8; ++bits)
    {
        multiply(a.prefix(bits), x, ya);
        multiply(b.prefix(bits), x, yb);
        CHECK(ya == yb);
    }
}
