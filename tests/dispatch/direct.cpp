// SPDX-License-Identifier: BSD-3-Clause
// The same products in the way (a): one program, compiled for one arch.
#include "products.hpp"

int main()
{
    products::print_all<jackplane::best_arch>();
    std::printf("arch %s\n", jackplane::best_arch::name());
    return 0;
}
