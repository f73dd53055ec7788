// SPDX-License-Identifier: BSD-3-Clause
// One program for all machines: kernels of several archs are built in (examples/CMakeLists.txt), the best that this CPU
// runs is chosen at the first product. A CPU that has none of them runs the generic ones.
#include <jackplane/jackplane.hpp>
#include <jackplane/multiply/dispatch.hpp> // which jackplane.hpp does not include
#include <cmath>
#include <cstdio>
#include <vector>

namespace jp = jackplane;

int main()
{
    if (auto const arch = jp::try_chosen_arch(); !arch) // JACKPLANE_ARCH names one that is not available
        return std::fprintf(stderr, "%s\n", arch.error), 2;
    std::fprintf(stderr, "chosen: %s\n", jp::kernel_name<jp::dispatched>());

    std::size_t const rows = 96, cols = 320;
    std::vector<float> w(rows * cols), x(cols), y(rows), defined(rows);
    for (std::size_t i = 0; i < w.size(); ++i)
        w[i] = std::sin(static_cast<float>(i * i % 1009));
    for (std::size_t i = 0; i < cols; ++i)
        x[i] = std::cos(static_cast<float>(i));
    auto const a = jp::quantize<jp::recipes::nested8<>>(jp::matrix_view<float>{w.data(), rows, cols});

    jp::limbs<3>::prepared ready;
    jp::limbs<3>{64}.prepare<jp::dispatched>(x, ready);
    for (unsigned const bits : {8u, 4u, 2u})
    {
        jp::multiply<jp::dispatched>(a.prefix(bits), ready, y);
        jp::multiply<jp::scalar>(a.prefix(bits), ready, defined); // plain loops
        double most = 0;
        for (std::size_t row = 0; row < rows; ++row)
            most = std::fmax(most, std::fabs(double{y[row]} - double{defined[row]}));
        std::printf("%u bits: y[0] = %.3f, of plain loops %s\n", bits, y[0],
                    most < 1e-5 ? "the same" : "another number");
    }
}
