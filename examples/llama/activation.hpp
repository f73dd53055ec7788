// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/multiply/limbs.hpp>
#include <concepts>
#include <string_view>
#include <variant>

namespace llama
{
    // How linear layers read x: as fp32, or as one to three bytes and a scale. The first is the default: three bytes
    // round as fp32 does.
    using activation = std::variant<jackplane::limbs<3>, jackplane::limbs<2>, jackplane::limbs<1>, jackplane::exact>;

    // x, prepared once for all matrices that read it.
    using prepared_x = std::variant<jackplane::limbs<3>::prepared, jackplane::limbs<2>::prepared,
                                    jackplane::limbs<1>::prepared, jackplane::exact::prepared>;

    inline char const* activation_name(activation const& how)
    {
        static constexpr char const* limbs[] = {"limbs1", "limbs2", "limbs3"};
        auto const name = []<class A>(A const&)
        {
            if constexpr (std::same_as<A, jackplane::exact>)
                return "exact";
            else
                return limbs[A::count - 1];
        };
        return std::visit(name, how);
    }

    // Throws value_error with the names there are.
    inline activation activation_of(std::string_view name)
    {
        for (activation const& how : {activation{jackplane::exact{}}, activation{jackplane::limbs<1>{}},
                                      activation{jackplane::limbs<2>{}}, activation{jackplane::limbs<3>{}}})
            if (name == activation_name(how))
                return how;
        jackplane::fail<jackplane::value_error>(
            jackplane::text("no activation '", name, "'; there are exact, limbs1, limbs2 and limbs3"));
    }
}
