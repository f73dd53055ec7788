// SPDX-License-Identifier: BSD-3-Clause
// A product as integers and as fp32, a sparse one: near the definition, whatever the flags. Prints what ran.
#include <jackplane/multiply/multiply.hpp>
#include <jackplane/multiply/sparse.hpp>
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/quantize.hpp>
#include <cmath>
#include <cstdio>

int main()
{
    using namespace jackplane;
    constexpr std::size_t rows = 17, cols = 200;
    std::vector<float> w(rows * cols), x(cols), y(rows), z(rows), defined(rows), defined_z(rows);
    for (std::size_t i = 0; i < w.size(); ++i)
        w[i] = static_cast<float>(i * 7 % 31) / 31 - 0.5f;
    for (std::size_t i = 0; i < x.size(); ++i)
        x[i] = static_cast<float>(i * 5 % 13) / 13 - 0.5f;
    auto const a = pack<planes<2, 2>>(quantize(matrix_view<float const>{w.data(), rows, cols}, uniform<4>{}, minmax{},
                                               group{32}));
    limbs<3>::prepared ready;
    limbs<3>{}.prepare(x, ready);
    multiply(a, x, y);
    multiply(a, ready, z);
    multiply<scalar>(a, x, defined);
    multiply<scalar>(a, ready, defined_z);
    // (groups + 8) eps sum |scale| (|code| + |zero|) |x| <= 15 eps 200 * 2 * 0.5; limbs: x is off by 2^-23 of it more
    float const bound = 17 * 0x1p-23f * cols;
    for (std::size_t i = 0; i < rows; ++i)
        if (!(std::abs(y[i] - defined[i]) <= bound && std::abs(z[i] - defined_z[i]) <= bound))
            return std::printf("%s: row %zu\n", kernel_name(), i), 1;

    csr<> const s(2, cols, std::vector<triplet>{{0, 3, 2.0f}, {1, 5, 1.0f}, {1, 199, 1.0f}});
    std::vector<float> sums(2);
    multiply(s, x, sums);
    if (sums[0] != 2 * x[3] || std::abs(sums[1] - (x[5] + x[199])) > 0x1p-20f)
        return std::printf("%s: a sparse row\n", kernel_name()), 1;
    std::printf("%s\n", kernel_name());
    return 0;
}
