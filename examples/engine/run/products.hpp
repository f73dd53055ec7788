// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/multiply/jobs.hpp>
#include <jackplane/pack/any_packed.hpp>
#include "../pack/format/formats.hpp"
#include "activation.hpp"
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

namespace engine
{
    // One of several products that threads share: y = A x + bias.
    struct matrix_product
    {
        std::size_t matrix;              // of the model
        jackplane::matrix_view<float> y; // [vectors, rows]
        std::size_t x = 0;               // which of those that are prepared
        float const* bias = nullptr;     // [rows]; none: 0
    };

    namespace detail
    {
        template <class M, class X>
        using if_common = std::conditional_t<
            common_format<M>, std::tuple<jackplane::job<decltype(std::declval<M const&>().prefix(8)), X>>,
            std::tuple<>>;
        template <class X, class... M>
        auto jobs_of(std::variant<M...> const&) -> decltype(std::tuple_cat(std::declval<if_common<M, X>>()...));
        template <class... X>
        auto every_job(std::variant<X...> const&)
            -> decltype(std::tuple_cat(jobs_of<X>(std::declval<jackplane::any_packed>())...));
        template <class... J>
        std::variant<J...> variant_of_jobs(std::tuple<J...> const&);
    }

    // A product of any common format with an x of any activation.
    using any_job = decltype(detail::variant_of_jobs(detail::every_job(std::declval<prepared_x>())));
}
