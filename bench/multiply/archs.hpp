// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// The archs of this build by name: the house's tags that its flags allow, and "generic", what any machine has. All are
// compiled with the same flags, those of the best: of another one's own flags is a build with JACKPLANE_BENCH_ARCH.
#include <jackplane/multiply/arch/batches.hpp>
#include <jackplane/multiply/multiply.hpp>
#include <concepts>
#include <string>
#include <vector>

namespace bench
{
    // body(name, Arch{}) for each, the best last but for "generic".
    template <class Body>
    void for_each_arch(Body body)
    {
#define BENCH_ARCH(tag, ...)                   \
    if constexpr (jackplane::tag::supported()) \
        body(#tag, jackplane::tag{});
        JACKPLANE_ARCHS(BENCH_ARCH)
#undef BENCH_ARCH
        body("generic", jackplane::any_arch{});
    }

    template <class Arch>
    inline constexpr bool is_best = std::same_as<Arch, jackplane::best_arch>;

    inline std::vector<std::string> arch_names()
    {
        std::vector<std::string> names;
        for_each_arch([&](char const* name, auto) { names.emplace_back(name); });
        return names;
    }
    inline std::string best_arch_name()
    {
        std::string best;
        for_each_arch(
            [&]<class Arch>(char const* name, Arch)
            {
                if (is_best<Arch>)
                    best = name;
            });
        return best;
    }
}
