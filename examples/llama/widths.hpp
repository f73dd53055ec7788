// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/quantize/scale.hpp>
#include "quantize_model.hpp"
#include <algorithm>
#include <functional>
#include <type_traits>
#include <utility>

// From settings that are known at run time to the types they name.
namespace llama
{
    inline void expect_widths(tuning_settings const& t)
    {
        bool const ascending =
            std::adjacent_find(t.widths.begin(), t.widths.end(), std::greater_equal<unsigned>{}) == t.widths.end();
        JACKPLANE_EXPECTS(!t.widths.empty() && ascending && t.widths.front() >= 1 && t.widths.back() <= 8,
                          jackplane::width_error, "widths to tune: from 1 to 8, each once");
        JACKPLANE_EXPECTS(t.lambdas.empty() || t.lambdas.size() == t.widths.size(), jackplane::shape_error,
                          t.lambdas.size(), " lambdas for ", t.widths.size(), " widths");
    }

    // body(width as a constant)
    template <class Body>
    void with_width(unsigned bits, Body&& body)
    {
        [&]<unsigned... B>(std::integer_sequence<unsigned, B...>)
        {
            ((bits == B + 1 ? body(std::integral_constant<unsigned, B + 1>{}) : void()), ...);
        }
        (std::make_integer_sequence<unsigned, 8>{});
    }

    // body(scale policy); Symmetric: what symmetric means
    template <class Symmetric = jackplane::gptq_symmetric, class Body>
    auto with_scheme(scheme range, Body&& body)
    {
        switch (range)
        {
        case scheme::symmetric:
            return body(Symmetric{});
        case scheme::asymmetric:
            return body(jackplane::minmax<>{});
        default:
            return body(jackplane::full_range{});
        }
    }
}
