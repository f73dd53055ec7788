// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../../pack/any_packed.hpp"
#include "../activation/bf16.hpp"
#include "../activation/limbs.hpp"
#include "../kernel/kernel.hpp"
#include "../kernel/sparse.hpp"
#include "task.hpp"

// Included by the units of jackplane_add_kernels that are compiled with an arch's flags: no weak symbol of theirs may
// lack the tag, or the linker could choose it for everybody (tests/checks/symbols.cmake).
namespace jackplane::inline v0 // shared by all units: core/target.hpp
{
    namespace dispatch
    {
        template <class Arch>
        struct kernels_of
        {
            using arch = Arch;
        };

        template <class View, class X>
        template <class Arch>
        void multiply_rows_by<View, X>::run(View const& a, X const& x, float* y, std::size_t stride, std::size_t first,
                                            std::size_t last)
        {
            kernel::multiply_rows<typename kernels_of<Arch>::arch, suited>(a, x, y, stride, first, last);
        }

        template <class View>
        template <class Arch>
        void add_sparse_rows<View>::run(View const& a, float const* x, float* y, std::size_t first, std::size_t last)
        {
            using arch = typename kernels_of<Arch>::arch;
            kernel::add_rows<arch>(a, x, y, first, last, arch{});
        }

        template <unsigned Limbs>
        template <class Arch>
        void prepare_limbs<Limbs>::run(exact_view const& x, std::size_t group, limbs_range range,
                                       limbs_memory to)
        {
            using arch = typename kernels_of<Arch>::arch;
            kernel::prepare_limbs<arch, Limbs>(x, group, range, to, arch{});
        }

        template <class Arch, class Task, class... Args>
        void compiled<Arch, Task, void(Args...)>::run(Args... args)
        {
            Task::template run<Arch>(args...);
        }
    }
}
