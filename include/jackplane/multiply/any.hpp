// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../pack/any_packed.hpp"
#include "jobs.hpp"

// Products of a matrix whose format a file decided: any_packed, or a variant of your own, read at `bits`. A unit that
// multiplies it compiles the kernels of every format of the variant, half a minute for those of any_packed; unless Arch
// is `dispatched`: then kernels are compiled once, elsewhere. Each throws width_error, and what products throw.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace detail
    {
        template <packed_matrix... M>
        inline constexpr bool is_visited<any_prefixed<std::variant<M...>>> = true;
    }

    // y = A x; with an activation, and who shares the rows, as for every map:
    //     multiply(m, 4, x, y);  multiply(m, 4, x, y, limbs<1>{}, workers);  multiply<dispatched>(m, 4, ready, y);
    template <arch Arch = best_arch, accumulator Acc = suited, packed_matrix... M, class X = matrix_view<float const>,
              class Y = matrix_view<float>, class... Policies>
    void multiply(std::variant<M...> const& m, unsigned bits, X const& x, Y&& y, Policies const&... policies)
    {
        multiply<Arch, Acc>(any_prefixed(m, bits), x, y, policies...);
    }

    // y += A x
    template <arch Arch = best_arch, accumulator Acc = suited, packed_matrix... M, class X = matrix_view<float const>,
              class Y = matrix_view<float>, parallel_policy Parallel = serial>
    void multiply_add(std::variant<M...> const& m, unsigned bits, X const& x, Y&& y, Parallel const& parallel = {})
    {
        multiply_add<Arch, Acc>(any_prefixed(m, bits), x, y, parallel);
    }

    // The rows [first, last), y += A x.
    template <arch Arch = best_arch, accumulator Acc = suited, packed_matrix... M, class X = matrix_view<float const>,
              class Y = matrix_view<float>>
    void multiply_rows(std::variant<M...> const& m, unsigned bits, X const& x, Y&& y, std::size_t first,
                       std::size_t last)
    {
        multiply_rows<Arch, Acc>(any_prefixed(m, bits), x, y, first, last);
    }

    // As of a packed matrix.
    template <arch Arch = best_arch, packed_matrix... M, prepared X>
    bool takes_integers(std::variant<M...> const& m, X const& ready)
    {
        return std::visit([&](auto const& a) { return takes_integers<Arch>(a, ready); }, m);
    }

    namespace detail
    {
        template <class Any, class X>
        struct jobs_of_any;
        template <packed_matrix... M, class X>
        struct jobs_of_any<std::variant<M...>, X>
        {
            using type = std::variant<job<decltype(std::declval<M const&>().prefix(1)), X>...>;
        };
    }

    // Its job for multiply_each, of one type for an Any and an X, so that lists take it:
    //     std::vector<any_job<any_packed, limbs<3>::prepared>> jobs;
    //     jobs.push_back(job_of(m, 4, ready, y, {.alpha = 2}));
    template <class Any, prepared X>
    using any_job = typename detail::jobs_of_any<Any, X>::type;
    template <packed_matrix... M, prepared X, float_operand_y Y = matrix_view<float>>
    auto job_of(std::variant<M...> const& m, unsigned bits, X const& x, Y&& y, job_options options = {})
    {
        matrix_view<float> const to = detail::outputs_of(y);
        auto const by = [&](auto const& a) -> any_job<std::variant<M...>, X>
        { return job(a.prefix(bits), x, to, options); };
        return std::visit(by, m);
    }
    template <packed_matrix... M, prepared X, class Y = matrix_view<float>>
    void job_of(std::variant<M...> const&, unsigned, X const&&, Y&&, job_options = {}) = delete; // x: a temporary
}
