// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../../detach/csr.hpp"
#include "../../pack/any_packed.hpp"
#include "../arch/cpu.hpp"
#include "../dispatch.hpp"

// Included by the one unit of jackplane_add_kernels that knows all archs of its target.
namespace jackplane::inline v0 // shared by all units: core/target.hpp
{
    namespace dispatch
    {
        template <class Task, class... Archs> // best first
        inline constexpr typename Task::signature* compiled_for[] = {&compiled<Archs, Task>::run...};
    }
    namespace dispatch::inline JACKPLANE_TARGET
    {
        template <class... Archs>
        arch_attempt try_choose()
        {
            arch_candidate const candidates[] = {{Archs::name(), has(this_cpu(), Archs{})}...};
            arch_choice const choices[] = {{0, Archs::name(), Archs::multiplies_bytes, Archs::looks_up_bytes}...};
            arch_place const found = try_choose_arch(candidates, wished_arch());
            static thread_local std::string sentence;
            sentence = found.error;
            arch_attempt result{choices[found.place], sentence.empty() ? nullptr : sentence.c_str()};
            result.choice.place = found.place;
            return result;
        }
        template <class... Archs>
        arch_choice choose()
        {
            arch_attempt const result = try_choose<Archs...>();
            if (!result)
                fail<arch_error>(result.error);
            return result.choice;
        }
    }
}
