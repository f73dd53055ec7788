// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/multiply/activation/bf16.hpp>
#include <jackplane/multiply/activation/limbs.hpp>
#include <jackplane/multiply/dispatch.hpp>
#include <concepts>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <variant>
#include <vector>

namespace engine
{
    namespace detail
    {
        template <class A>
        using if_built =
            std::conditional_t<jackplane::dispatch::is_built<jackplane::dispatch::view_of<typename A::prepared>>,
                               std::tuple<A>, std::tuple<>>;
        template <class... A>
        std::variant<A...> variant_of(std::tuple<A...> const&);
        template <class... A>
        using built_of = decltype(variant_of(std::tuple_cat(if_built<A>{}...)));
    }

    // How linear layers read x: as fp32, as one to three bytes and a scale, or rounded to bfloat16; those that this
    // build has kernels for (engine_kernels in CMakeLists.txt). The first is the default: three bytes round as fp32
    // does.
    using activation = detail::built_of<jackplane::limbs<3>, jackplane::limbs<2>, jackplane::limbs<1>, jackplane::exact,
                                        jackplane::bf16>;

    namespace detail
    {
        template <class... A>
        std::variant<typename A::prepared...> prepared_of(std::variant<A...> const&);
        template <class... A>
        std::vector<activation> every(std::variant<A...> const&)
        {
            return {activation{A{}}...};
        }
    }

    // x, prepared once for all matrices that read it.
    using prepared_x = decltype(detail::prepared_of(activation{}));

    inline char const* activation_name(activation const& how)
    {
        static constexpr char const* limbs[] = {"limbs1", "limbs2", "limbs3"};
        auto const name = []<class A>(A const&)
        {
            if constexpr (std::same_as<A, jackplane::exact>)
                return "exact";
            else if constexpr (std::same_as<A, jackplane::bf16>)
                return "bf16";
            else
                return limbs[A::count - 1];
        };
        return std::visit(name, how);
    }

    inline std::vector<std::string> activation_names()
    {
        std::vector<std::string> names;
        for (activation const& how : detail::every(activation{}))
            names.push_back(activation_name(how));
        return names;
    }

    // Throws value_error with the names there are.
    inline activation activation_of(std::string_view name)
    {
        std::string known;
        for (activation const& how : detail::every(activation{}))
        {
            if (name == activation_name(how))
                return how;
            known += std::string(known.empty() ? "" : ", ") + activation_name(how);
        }
        jackplane::fail<jackplane::value_error>(jackplane::text("no activation '", name, "'; there are ", known));
    }
}
