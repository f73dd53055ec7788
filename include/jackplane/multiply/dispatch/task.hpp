// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <utility>
#include "../../pack/packed.hpp"
#include "../arch/arch.hpp"
#include "../kernel/limbs.hpp"

namespace jackplane::inline v0 // shared by all units: core/target.hpp
{
    namespace dispatch
    {
        // Batches of whatever the target's own flags allow: any_arch (batches.hpp), named here without xsimd.
        struct generic : common
        {
            [[gnu::always_inline]] static constexpr char const* name() noexcept { return "generic"; }
        };

        // What jackplane_add_kernels built, by the view of a format, of a prepared activation or of a sparse type; any,
        // where its list is unknown.
        template <class View>
        inline constexpr bool is_built =
#if __has_include(<jackplane_kernels.hpp>)
            false;
#else
            true;
#endif
        template <class Prepared>
        using view_of = decltype(std::declval<Prepared const&>().view());

        // A task is what one arch's unit does: a signature of pointers and aggregates, run<Arch>() that does it, and
        // whether jackplane_add_kernels was asked for it (built).

        // y[n, r] += (A x_n)[r], first <= r < last; y [vectors, stride]
        template <class View, class X>
        struct multiply_rows_by
        {
            using signature = void(View const&, X const&, float* y, std::size_t stride, std::size_t first,
                                   std::size_t last);
            template <class Arch>
            static void run(View const& a, X const& x, float* y, std::size_t stride, std::size_t first,
                            std::size_t last);
            static constexpr bool built = is_built<View> && is_built<X>;
        };
        // A prepared activation owns its memory and stays in its unit; what crosses is its view.
        template <class View, class Prepared>
        using multiply_rows = multiply_rows_by<View, view_of<Prepared>>;

        // y[r] += (A x)[r] of a sparse A, first <= r < last
        template <class View>
        struct add_sparse_rows
        {
            using signature = void(View const&, float const* x, float* y, std::size_t first, std::size_t last);
            template <class Arch>
            static void run(View const& a, float const* x, float* y, std::size_t first, std::size_t last);
            static constexpr bool built = is_built<View>;
        };

        // x -> its integers
        template <unsigned Limbs>
        struct prepare_limbs
        {
            using signature = void(exact_view const& x, std::size_t group, limbs_range range,
                                   limbs_memory to);
            template <class Arch>
            static void run(exact_view const& x, std::size_t group, limbs_range range, limbs_memory to);
            static constexpr bool built = is_built<limbs_view<Limbs>>;
        };

        // Arch::function<Task>() is the task as the machine can do it.
        template <class Arch, class Task>
        concept decides_at_run_time = requires { Arch::template function<Task>(); };

        // Task::run<Arch>, defined and instantiated in the units of Arch alone.
        template <class Arch, class Task, class Signature = typename Task::signature>
        struct compiled;
        template <class Arch, class Task, class... Args>
        struct compiled<Arch, Task, void(Args...)>
        {
            static void run(Args... args);
        };

        // The same for every arch of the target, best first; defined in the target's one baseline unit.
        template <class Task>
        typename Task::signature* const* table();
    }
}
