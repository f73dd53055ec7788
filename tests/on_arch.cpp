// SPDX-License-Identifier: BSD-3-Clause
// on_arch TAG PROGRAM ARGUMENTS...: runs the program where the CPU has the tag, else says so and returns 77. It is a
// program of its own because what is compiled for another machine may fail before its main.
#include <cstdio>
#include <string_view>
#include <unistd.h>
#include <jackplane/multiply/arch/cpu.hpp>

using namespace jackplane;

int main(int count, char** words)
{
    if (count < 3)
        return std::fputs("on_arch TAG PROGRAM ARGUMENTS...\n", stderr), 2;
    std::string_view const tag = words[1];
    bool known = tag == "baseline", runs = known;
    auto const is = [&](auto arch)
    {
        if (tag == arch.name())
        {
            known = true;
            runs = has(this_cpu(), arch);
        }
    };
#define IS(tag, ...) is(tag{});
    JACKPLANE_ARCHS(IS)
    if (!known)
        return std::fprintf(stderr, "on_arch: no tag %s\n", words[1]), 2;
    if (!runs)
        return std::printf("skipped: this CPU or its operating system does not have %s\n", words[1]), 77;
    execv(words[2], words + 2);
    return std::perror(words[2]), 2;
}
