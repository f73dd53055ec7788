// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "quantize.hpp"

// Calls that quantize does not take, because of a policy that somebody wrote: a sentence that names what it lacks, from
// every compiler. tests/checks/misuse.cmake has some.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace detail
    {
        // clang-format off
        template <class C>
        constexpr void explain_codebook() noexcept
        {
            static_assert(requires { { C::bits } -> std::convertible_to<unsigned>; },
                          "a codebook has bits: static constexpr unsigned, the bits of a code");
            static_assert(requires { { C::size } -> std::convertible_to<unsigned>; },
                          "a codebook has size: static constexpr unsigned, how many codes there are");
            static_assert(requires { { C::centre } -> std::convertible_to<float>; },
                          "a codebook has centre: static constexpr float, the zero of symmetric schemes");
            static_assert(requires { { C::name() } -> std::convertible_to<char const*>; },
                          "a codebook has name(): a static function that returns char const*");
            static_assert(requires(C const& c, code q) { { c.decode(q) } -> std::same_as<float>; },
                          "a codebook has decode(code) const: the float of a code");
            static_assert(requires(C const& c, float x) { { c.encode(x) } -> std::same_as<code>; },
                          "a codebook has encode(float) const: the nearest code");
            static_assert(requires(C const& c, float x) { { c.coordinate(x) } -> std::same_as<float>; },
                          "a codebook has coordinate(float) const: the fractional code of a value, a float");
            static_assert(std::copyable<C>, "a codebook is passed by value: it can be copied and assigned");
        }
        template <class P, class C>
        constexpr void explain_scale() noexcept
        {
            static_assert(requires { requires zero_in_steps<typename P::zero_type>; },
                          "a scale policy has zero_type: no_zero, integer_zero or real_zero");
            static_assert(requires(P const& p, std::span<float const> group, C const& c) {
                              { p(group, c, group) } -> std::same_as<scale_and_zero>; },
                          "a scale policy is called with a group of weights, a codebook it is made for, and the "
                          "weights of errors: p(group, book, importance) returns scale_and_zero");
        }
        // clang-format on

        // What somebody meant as one. Anything else is no policy, which a concept may ask.
        template <class C>
        concept nearly_codebook = !codebook<C> && requires { C::bits; };
        template <class P, class C>
        concept nearly_scale = !scale<P, C> && requires { typename P::zero_type; };
    }

    template <scale_number S = half, matrix_like M, class C, class P, class... Others>
        requires(detail::nearly_codebook<C> || (codebook<C> && !row_codebook<C> && detail::nearly_scale<P, C>))
    void quantize(M const&, C const&, P const&, group, Others const&...)
    {
        if constexpr (!codebook<C>)
            detail::explain_codebook<C>();
        else
            detail::explain_scale<P, C>();
    }
}
