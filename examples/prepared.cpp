// SPDX-License-Identifier: BSD-3-Clause
// One x for several matrices: prepared once, as integers that are as good as floats, and multiplied by a team.
#include <jackplane/jackplane.hpp>
#include <cmath>
#include <cstdio>
#include <vector>

namespace jp = jackplane;

namespace
{
    constexpr std::size_t rows = 96, cols = 320;

    auto matrix(float seed)
    {
        std::vector<float> w(rows * cols);
        for (std::size_t i = 0; i < w.size(); ++i)
            w[i] = std::sin(seed * static_cast<float>(i));
        return jp::pack<jp::bit_planes>(
            jp::quantize(jp::matrix_view<float>{w.data(), rows, cols}, jp::uniform<8>{}, jp::minmax{}, jp::group{64}));
    }

    // |a - b| / |b|
    double distance(std::vector<float> const& a, std::vector<float> const& b)
    {
        double difference = 0, size = 0;
        for (std::size_t i = 0; i < a.size(); ++i)
        {
            difference += std::pow(double{a[i]} - double{b[i]}, 2);
            size += std::pow(double{b[i]}, 2);
        }
        return std::sqrt(difference / size);
    }
}

int main()
{
    auto const query = matrix(0.7f), key = matrix(1.3f);
    std::vector<float> x(cols), q(rows), k(rows), exact(rows);
    for (std::size_t i = 0; i < cols; ++i)
        x[i] = std::cos(static_cast<float>(i * i));

//! [readme]
    jp::team const workers;             // threads that stay from one product to the next; or a pool of yours
    jp::limbs<3>::prepared ready;       // x as three int8 limbs: as good as fp32, mostly faster
    jp::limbs<3>{64}.prepare(x, ready); // 64 columns share a scale
    jp::multiply(query.prefix(4), ready, q, workers);
    jp::multiply_rows(key.prefix(4), ready, k, 0, 40);    // or schedule rows yourself (y += here): any split,
    jp::multiply_rows(key.prefix(4), ready, k, 40, rows); // the same bits
//! [readme]

    jp::multiply<jp::scalar>(query.prefix(4), x, exact);
    std::printf("query: %s\n", distance(q, exact) < 5e-7 ? "fp32-class" : "worse than fp32");
    jp::multiply<jp::scalar>(key.prefix(4), x, exact);
    std::printf("key:   %s\n", distance(k, exact) < 5e-7 ? "fp32-class" : "worse than fp32");
}
