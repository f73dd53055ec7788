// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../../detach/csr.hpp"
#include "../../pack/any_packed.hpp"
#include "../cpu.hpp"
#include "../dispatch.hpp"

// Included by the one unit of jackplane_add_kernels that knows all archs of its target.
namespace jackplane::inline v0 // shared by all units: core/target.hpp
{
    namespace dispatch
    {
        template <class Task, class... Archs> // best first
        inline constexpr typename Task::signature* compiled_for[] = {&compiled<Archs, Task>::run...};

        template <class... Archs>
        arch_choice choose()
        {
            arch_candidate const candidates[] = {{Archs::name(), has(this_cpu(), Archs{})}...};
            std::size_t const place = choose_arch(candidates, wished_arch());
            return {place, candidates[place].name};
        }
    }
}
