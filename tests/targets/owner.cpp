// SPDX-License-Identifier: BSD-3-Clause
// Has a matrix, and lets the unit user.cpp multiply it, which is compiled with other flags: the view crosses, and so do
// errors. With OWNER the matrix itself is handed over, which must not link.
#include "passed.hpp"
#include <jackplane/quantize/quantize.hpp>
#include <cstdio>

int main()
{
    using namespace jackplane;
    float const weights[] = {1, -2, 7, -4, -7, 3}; // scale 1: all is exact
    auto const a = pack<planes<4>>(quantize<float>(matrix_view<float const>{weights, 2, 3}, uniform<4>{}, absmax{},
                                                   group{3}));
    float const x[] = {1, 1, 1};
    float y[] = {0, 0};
#if defined(OWNER)
    product_by_owner(a, {x, 1, 3}, {y, 1, 2});
#endif
    product(a.view(), {x, 1, 3}, {y, 1, 2});
    if (y[0] != 6 || y[1] != -8)
        return std::printf("%g %g instead of 6 -8\n", y[0], y[1]), 1;
    try
    {
        product(a.view(), {x, 1, 2}, {y, 1, 2});
    }
    catch (shape_error const& e)
    {
        std::puts(e.what());
        return 0;
    }
    std::puts("x of 2 is no error");
    return 1;
}
