// SPDX-License-Identifier: BSD-3-Clause
// Compiled for the baseline, linked with test_kernels: runs the best kernels of the machine, or what JACKPLANE_ARCH
// says.
#include "products.hpp"
#include <jackplane/multiply/dispatch.hpp>
#include <exception>

int main()
{
    try
    {
        products::print_all<jackplane::dispatched>(); // the first product has two threads: none may throw
    }
    catch (std::exception const& e)
    {
        return std::fprintf(stderr, "%s\n", e.what()), 1;
    }
    std::printf("arch %s\n", jackplane::dispatched::name());
    return 0;
}
