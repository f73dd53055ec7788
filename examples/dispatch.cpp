// SPDX-License-Identifier: BSD-3-Clause
// One program for all machines: kernels of several archs are built in (examples/CMakeLists.txt), the best that this CPU
// runs is chosen at the first product. A CPU that has none of them runs the generic ones.
#include <jackplane/jackplane.hpp>
#include <jackplane/multiply/dispatch.hpp> // which jackplane.hpp does not include
#include <cmath>
#include <cstdio>
#include <variant>
#include <vector>

namespace jp = jackplane;

//! [readme]
// What files of this program hold. Kernels of these formats are compiled once, by jackplane_add_kernels; this unit, and
// any other that multiplies them, compiles none.
using formats = std::variant<jp::packed<jp::bit_planes, jp::uniform<8>, jp::half, jp::integer_zero>,
                             jp::packed<jp::planes<4>, jp::nf4>>;
static_assert(jp::kernels_are_built<std::variant_alternative_t<1, formats>, jp::limbs<3>::prepared>);

void product(formats const& a, unsigned bits, std::vector<float> const& x, std::vector<float>& y)
{
    jp::multiply<jp::dispatched>(a, bits, x, y, jp::limbs<3>{}); // x is prepared for this product alone
}
//! [readme]

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

    formats const either[] = {a, jp::quantize<jp::recipes::nf4<>>(jp::matrix_view<float>{w.data(), rows, cols})};
    for (formats const& m : either)
    {
        product(m, 4, x, y);
        std::printf("format %zu at 4 bits: y[0] = %.3f\n", m.index(), y[0]);
    }
}
