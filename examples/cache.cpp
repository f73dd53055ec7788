// SPDX-License-Identifier: BSD-3-Clause
// Attention over keys and values in bit planes: quantized as they come, read at any width.
#include <jackplane/jackplane.hpp>
#include <cmath>
#include <cstdio>
#include <vector>

namespace jp = jackplane;

int main()
{
    constexpr std::size_t room = 1000, length = 64;
    std::vector<float> k(room * length), v(room * length), q(length), scores(room), y(length), exact(length);
    for (std::size_t i = 0; i < k.size(); ++i)
    {
        k[i] = std::sin(0.7f * static_cast<float>(i % 9973));
        v[i] = 1 + std::cos(1.3f * static_cast<float>(i % 9967));
    }
    for (std::size_t i = 0; i < length; ++i)
        q[i] = k[700 * length + i] / 4;
    auto const softmax = [&]
    {
        float sum = 0;
        for (float& s : scores)
            sum += s = std::exp(s);
        for (float& s : scores)
            s /= sum;
    };
    for (std::size_t p = 0; p < room; ++p)
    {
        scores[p] = 0;
        for (std::size_t i = 0; i < length; ++i)
            scores[p] += q[i] * k[p * length + i];
    }
    softmax();
    for (std::size_t p = 0; p < room; ++p)
        for (std::size_t i = 0; i < length; ++i)
            exact[i] += scores[p] * v[p * length + i];

    auto const report = [&](unsigned bits)
    {
        double difference = 0, size = 0;
        for (std::size_t i = 0; i < length; ++i)
        {
            difference += std::pow(double{y[i]} - double{exact[i]}, 2);
            size += std::pow(double{exact[i]}, 2);
        }
        std::printf("%u bits: off by %.0e\n", bits, std::sqrt(difference / size));
    };

//! [readme]
    jp::row_cache<> keys(room, length);      // memory for so many vectors, taken once; 32 numbers share a scale
    jp::column_cache<> values(room, length); // of their sums by weights
    for (std::size_t p = 0; p < room; ++p)
    {
        keys.append(std::span(k).subspan(p * length, length));
        values.append(std::span(v).subspan(p * length, length));
    }
    jp::limbs<2> const how;
    jp::limbs<2>::prepared query;
    jp::scaled_weights<jp::limbs<2>> with; // keeps its memory
    how.prepare(q, query);
    for (unsigned const bits : {8u, 6u, 4u, 2u})
    {
        jp::multiply(keys.prefix(bits), query, scores); // q K^T
        softmax();
        jp::sum_columns(values, bits, jp::matrix_view<float const>{scores.data(), 1, room}, 0,
                        jp::matrix_view<float>{y.data(), 1, length}, how, with);
        report(bits);
    }
//! [readme]
}
