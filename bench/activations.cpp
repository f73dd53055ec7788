// SPDX-License-Identifier: BSD-3-Clause
// What each activation costs in accuracy: the relative error of y = A x against the exact product of the same quantized
// matrix, for normal x and for x of which 1 % are 100 times as large. One row per activation, width and x:
//   error   |y - exact| / |exact|, Euclidean
//   stated  the same of the bound that the headers state for every row
//   worst   the largest |y - exact| / bound of a row: never above 1
#include "multiply/activation.hpp"
#include <jackplane/multiply/multiply.hpp>
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/quantize.hpp>
#include <cstdio>
#include <cstdlib>
#include <random>

using namespace jackplane;

namespace
{
    constexpr std::size_t rows = 512, cols = 4096, group_size = 64;
    using matrix = packed<bit_planes, uniform<8>, half, std::uint8_t>;

    std::vector<float> normal(std::size_t n, unsigned seed)
    {
        std::mt19937 random(seed);
        std::normal_distribution<float> bell;
        std::vector<float> all(n);
        for (float& x : all)
            x = bell(random);
        return all;
    }
    std::vector<float> with_outliers(std::vector<float> x, float factor)
    {
        std::mt19937 random(7);
        for (float& v : x)
            v *= random() % 100 == 0 ? factor : 1;
        return x;
    }

    struct total
    {
        double error = 0, bound = 0, exact = 0, worst = 0;
    };
    // (groups + 8) eps sum |scale| (|decode| + |zero|) |x^|, and sum |w| |x - x^|
    template <class How>
    total measure(matrix const& a, unsigned bits, std::span<float const> x)
    {
        auto const m = a.prefix(bits);
        auto const& v = m.view();
        How const how = bench::with_group<How>(group_size);
        auto const off = bench::error_of(how, x);
        typename How::prepared ready;
        how.prepare(x, ready);
        std::vector<float> y(rows);
        multiply(m, ready, y);
        double const roundings = std::numeric_limits<float>::epsilon() * static_cast<double>(v.groups + 8);
        total all;
        for (std::size_t row = 0; row < rows; ++row)
        {
            double exact = 0, bound = 0;
            for (std::size_t col = 0; col < cols; ++col)
            {
                std::size_t const at = detail::scale_index(v, row, col);
                double const scale = to_float(v.scales[at]), zero = detail::zero(v, at);
                double const value = detail::decode(v, detail::code_at(v, row, col));
                exact += scale * (value - zero) * double{x[col]};
                bound += std::abs(scale * (value - zero)) * off[col];
                bound += roundings * std::abs(scale) * (value + std::abs(zero)) * (std::abs(double{x[col]}) + off[col]);
            }
            double const error = std::abs(double{y[row]} - exact);
            all.error += error * error;
            all.bound += bound * bound;
            all.exact += exact * exact;
            all.worst = std::max(all.worst, error / bound);
        }
        return all;
    }
    template <class How>
    bool print(char const* name, matrix const& a, char const* kind, std::span<float const> x)
    {
        bool good = true;
        for (unsigned const bits : {2u, 4u, 8u})
        {
            total const t = measure<How>(a, bits, x);
            std::printf("%-9s %-9s %4u   %8.1e   %8.1e   %7.1e\n", kind, name, bits, std::sqrt(t.error / t.exact),
                        std::sqrt(t.bound / t.exact), t.worst);
            good &= t.worst <= 1;
        }
        return good;
    }
}

int main()
{
    auto const w = normal(rows * cols, 1);
    auto const q = quantize(matrix_view<float const>{w.data(), rows, cols}, uniform<8>{}, minmax<integer_zero>{},
                            group{group_size});
    auto const a = pack<bit_planes>(q);
    auto const bell = normal(cols, 2), heavy = with_outliers(bell, 100);
    std::printf("%zu x %zu, group %zu, %s\nx         activation bits   error      stated    worst\n", rows, cols,
                group_size, best_arch::name());
    bool good = true;
    for (auto const& [kind, x] : {std::pair{"normal", &bell}, std::pair{"outliers", &heavy}})
    {
        good &= print<exact>("exact", a, kind, *x);
        good &= print<limbs<3>>("limbs<3>", a, kind, *x);
        good &= print<limbs<2>>("limbs<2>", a, kind, *x);
        good &= print<limbs<1>>("limbs<1>", a, kind, *x);
        good &= print<bf16>("bf16", a, kind, *x);
    }
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
