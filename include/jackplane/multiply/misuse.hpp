// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <variant>
#include "multiply.hpp"

// Calls that no product takes: found only where the policies or y are wrong, so that a compiler's first error is a
// sentence. tests/checks/misuse.cmake has one of each.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace detail
    {
        template <class Arch, class Acc, class Parallel = serial>
        concept are_policies = accumulator<Acc> && arch<Arch> && parallel_policy<Parallel>;

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
        template <class X, class Y, bool Adds = true>
        constexpr void explain_operands() noexcept
        {
            static_assert(operand_x<X>, "x is one vector of float, double, half or bfloat16 (a contiguous range), "
                                        "several as a matrix_view, or what an activation prepared: "
                                        "exact::prepare(x, ready), limbs<3>{}.prepare(x, ready)");
            if constexpr (operand_x<X> && Adds)
                static_assert(float_operand_y<Y>, "y is written as float where a product is added to it: a vector, a "
                                                  "std::span<float>, for several x a matrix_view<float>");
            else if constexpr (operand_x<X>)
                static_assert(operand_y<Y>,
                              "y is written as float, half or bfloat16: a vector, a std::span, for several "
                              "x a matrix_view");
        }

        // Of a map the first member that is missing.
        template <class M>
        constexpr void explain_map() noexcept
        {
            // clang-format off
            constexpr bool has_rows = requires(M const& m) { { m.rows() } -> std::convertible_to<std::size_t>; };
            constexpr bool has_cols = requires(M const& m) { { m.cols() } -> std::convertible_to<std::size_t>; };
            // clang-format on
            static_assert(has_rows, "what multiplies x is a linear map, and has rows(): a number (core/concepts.hpp)");
            static_assert(!has_rows || has_cols, "what multiplies x is a linear map, and has cols(): a number "
                                                 "(core/concepts.hpp)");
            static_assert(!has_rows || !has_cols || linear_map<M>,
                          "what multiplies x is a linear map: multiply_add(m, x, y) takes it with a std::span<float "
                          "const> and a std::span<float> (core/concepts.hpp; of csr: multiply/sparse.hpp)");
        }
        template <class M>
        inline constexpr bool is_variant = false;
        template <class... M>
        inline constexpr bool is_variant<std::variant<M...>> = true; // any.hpp

        // What multiply takes beside the activation and the parallel policy.
        template <class Arch, class Acc, class M, class X, class Y>
        concept multiplies = arch<Arch> && accumulator<Acc> && linear_map<M> && operand_x<X> && operand_y<Y>;
        template <class How, class X>
        concept prepares = activation<How> && vector_values<X>;

        template <class Arch, class Acc, class M, class X, class Y, class Parallel = serial>
        constexpr void explain_product() noexcept
        {
            explain_map<M>();
            if constexpr (linear_map<M>)
            {
                explain_policies<Arch, Acc, Parallel>();
                explain_operands<X, Y, false>();
            }
        }
        template <class How, class X>
        constexpr void explain_activation() noexcept
        {
            constexpr bool is_activation = activation<How>;
            static_assert(is_activation, "between y and the parallel policy stands an activation: limbs<1>{}, bf16{}");
            static_assert(!is_activation || !prepared<X>, "an activation prepares values: this x is what one prepared");
        }
    }

    template <class Arch = best_arch, class Acc = suited, class M, class X, class Y, class Last = serial>
        requires(!detail::is_variant<M> &&
                 !(detail::multiplies<Arch, Acc, M, X, Y> && (parallel_policy<Last> || detail::prepares<Last, X>)))
    void multiply(M const&, X const&, Y&&, Last const& = {})
    {
        if constexpr (activation<Last>)
        {
            detail::explain_product<Arch, Acc, M, X, Y>();
            detail::explain_activation<Last, X>();
        }
        else
            detail::explain_product<Arch, Acc, M, X, Y, Last>();
    }

    template <class Arch = best_arch, class Acc = suited, class M, class X, class Y, class How, class Parallel>
        requires(!detail::is_variant<M> &&
                 !(detail::multiplies<Arch, Acc, M, X, Y> && detail::prepares<How, X> && parallel_policy<Parallel>))
    void multiply(M const&, X const&, Y&&, How const&, Parallel const&)
    {
        detail::explain_product<Arch, Acc, M, X, Y, Parallel>();
        detail::explain_activation<How, X>();
    }

    template <class Arch = best_arch, class Acc = suited, detail::map_or_sum M, class X, class Y,
              class Parallel = serial>
        requires(!detail::are_policies<Arch, Acc, Parallel> || !operand_x<X> || !float_operand_y<Y>)
    void multiply_add(M const&, X const&, Y&&, Parallel const& = {})
    {
        detail::explain_policies<Arch, Acc, Parallel>();
        detail::explain_operands<X, Y>();
    }

    template <class Arch = best_arch, class Acc = suited, map_of_rows M, class X, class Y>
        requires(!detail::are_policies<Arch, Acc> || !operand_x<X> || !float_operand_y<Y>)
    void multiply_rows(M const&, X const&, Y&&, std::size_t, std::size_t)
    {
        detail::explain_policies<Arch, Acc>();
        detail::explain_operands<X, Y>();
    }
}
