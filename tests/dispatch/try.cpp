// SPDX-License-Identifier: BSD-3-Clause
// Without exceptions: asked before any product, a JACKPLANE_ARCH that cannot be had is a sentence, not an abort.
#include <jackplane/multiply/dispatch.hpp>
#include <cstdio>

int main()
{
    jackplane::arch_attempt const arch = jackplane::try_chosen_arch();
    if (!arch)
        return std::fprintf(stderr, "%s\n", arch.error), 1;
    std::printf("arch %s\n", jackplane::kernel_name<jackplane::dispatched>());
    return 0;
}
