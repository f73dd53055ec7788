// SPDX-License-Identifier: BSD-3-Clause
// What each weight costs a loss when it is quantized: the Post-quantization Integral of a small function, beside what
// the slope at the beginning says (Taylor's first term).
#include <jackplane/jackplane.hpp>
#include <cmath>
#include <cstdio>
#include <span>
#include <vector>

namespace jp = jackplane;

int main()
{
    // F(w) = sum of k w^4 / 4 + w, slope k w^3 + 1; yours runs a model forward and backward.
    auto const loss = [](std::span<float const> w, std::span<float> slope)
    {
        double sum = 0;
        for (std::size_t i = 0; i < w.size(); ++i)
        {
            double const x = w[i], k = static_cast<double>(i + 1);
            sum += k * x * x * x * x / 4 + x;
            if (!slope.empty())
                slope[i] = static_cast<float>(k * x * x * x + 1);
        }
        return sum;
    };
    std::vector<float> const w{0.9f, -0.7f, 0.1f, 0.45f, -0.3f, 0.62f};
    std::vector<float> after(w.size());
    auto const codes = jp::quantize(jp::matrix_view<float const>{w.data(), 1, w.size()}, jp::uniform<2>{}, jp::minmax{},
                                    jp::group::per_row());
    jp::dequantize(codes, jp::matrix_view<float>{after.data(), 1, w.size()});

    jp::sensitivity const exact = jp::integrate(loss, w, after, jp::gauss{2}); // two gradients: exact up to degree 3
    jp::sensitivity const first = jp::integrate(loss, w, after, jp::first_order{});
    std::printf("weight  becomes  costs   first order says\n");
    for (std::size_t i = 0; i < w.size(); ++i)
        std::printf("%6.2f  %7.3f  %6.3f  %6.3f\n", w[i], after[i], exact.change[i], first.change[i]);
    std::printf("the loss changes by %.4f; the parts sum to %.4f, first order's to %.4f\n",
                loss(after, {}) - loss(w, {}), exact.predicted, first.predicted);

    auto const most = jp::largest(jp::by_rise{}(w, exact.change), 1);
    std::printf("keep weight %zu\n", most[0]);
    auto const sure = jp::integrate(loss, w, after, jp::adaptive{1e-4});
    std::printf("%.4f with %zu intervals, estimated error below 1e-4: %s\n", sure.predicted, sure.intervals,
                sure.error < 1e-4 * std::fabs(sure.predicted) ? "yes" : "no");
}
