// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "multiply.hpp"

// Calls that no product takes: found only where the policies or y are wrong, so that a compiler's first error is a
// sentence. tests/checks/misuse.cmake has one of each.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace detail
    {
        template <class Arch, class Acc, class Parallel = serial>
        inline constexpr bool are_policies = accumulator<Acc> && arch<Arch> && parallel_policy<Parallel>;

        template <class M, class X>
        inline constexpr bool takes_x =
            prepared<X> || std::convertible_to<X const&, std::span<float const>> ||
            requires(X const& x) { requires element<typename decltype(std::span(x))::value_type>; } ||
            requires(M const& a, X const& x, std::span<float> y) { multiply_add(a, x, y); };
        template <class X, class Y>
        inline constexpr bool takes_y =
            std::convertible_to<Y, std::span<float>> || std::same_as<std::remove_cvref_t<Y>, std::span<half>> ||
            std::same_as<std::remove_cvref_t<Y>, std::span<bfloat16>> ||
            (prepared<X> && std::convertible_to<Y, matrix_view<float>>);

        template <class Arch, class Acc, class Parallel = serial>
        constexpr void explain_policies() noexcept
        {
            // by name: of a concept g++ would list what is missing, as errors of its own
            constexpr bool adds = accumulator<Acc>, is_arch = arch<Arch>, shares = parallel_policy<Parallel>;
            static_assert(is_arch, "the first template argument of a product is its arch: avx2, avx512_vnni, neon, "
                                   "scalar ..., or dispatched: multiply<avx2>(a, x, y)");
            static_assert(adds, "the second template argument of a product is its accumulator: fp32, compensated, "
                                "fp64");
            static_assert(shares, "the last argument of a product says who shares its rows: serial{}, threads{4}, a "
                                  "team or a pool; not a number");
        }
    }

    template <class Arch = best_arch, class Acc = suited, linear_map M, class X, class Y, class Parallel = serial>
        requires(!detail::are_policies<Arch, Acc, Parallel> || !detail::takes_x<M, X> || !detail::takes_y<X, Y>)
    void multiply(M const&, X const&, Y&&, Parallel const& = {})
    {
        detail::explain_policies<Arch, Acc, Parallel>();
        static_assert(detail::takes_x<M, X>, "x is one vector of float, half or bfloat16, or what an activation "
                                             "prepared: exact::prepare(x, ready), limbs<3>{}.prepare(x, ready)");
        static_assert(!detail::takes_x<M, X> || detail::takes_y<X, Y>,
                      "y is written as float (a vector, a std::span<float>) or as a std::span of half or bfloat16; for "
                      "several x, which are prepared, as a matrix_view<float>");
    }

    template <class Arch = best_arch, class Acc = suited, class M, class X, class Y, class Parallel = serial>
        requires(!detail::are_policies<Arch, Acc, Parallel> && linear_map<M>)
    void multiply_add(M const&, X const&, Y&&, Parallel const& = {})
    {
        detail::explain_policies<Arch, Acc, Parallel>();
    }

    template <class Arch = best_arch, class Acc = suited, linear_map M, class X, class Y>
        requires(!detail::are_policies<Arch, Acc>)
    void multiply_rows(M const&, X const&, Y&&, std::size_t, std::size_t)
    {
        detail::explain_policies<Arch, Acc>();
    }
}
