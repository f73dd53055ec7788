// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/quantize/scale.hpp>
#include <jackplane/tune/objective.hpp>
#include "quantize_model.hpp"
#include <algorithm>
#include <functional>
#include <type_traits>
#include <utility>

// From settings that are known at run time to the types they name.
namespace engine
{
    inline void expect_widths(quantize_settings const& s)
    {
        auto const& t = s.tuning;
        bool const ascending =
            std::adjacent_find(t.widths.begin(), t.widths.end(), std::greater_equal<unsigned>{}) == t.widths.end();
        JACKPLANE_EXPECTS(!t.widths.empty() && ascending && t.widths.front() >= 1 && t.widths.back() <= 8,
                          jackplane::width_error, "widths to tune: from 1 to 8, each once");
        JACKPLANE_EXPECTS(t.lambdas.empty() || t.lambdas.size() == t.widths.size(), jackplane::shape_error,
                          t.lambdas.size(), " lambdas for ", t.widths.size(), " widths");
        JACKPLANE_EXPECTS(std::holds_alternative<jackplane::truncate_centred>(s.slice) || !t.lambdas.empty() ||
                              t.widths == std::vector<unsigned>{8},
                          jackplane::value_error, "bits inside the cells of coarser codes need truncate_centred; ",
                          slice_name(s.slice), " needs lambdas: all widths at once");
        JACKPLANE_EXPECTS(
            std::holds_alternative<jackplane::truncate_centred>(s.slice) || t.scale_steps == 0 || t.widths.size() == 1,
            jackplane::value_error, "a width with scales of its own is a prefix: ", slice_name(s.slice), " has none");
        bool const blocks = (s.how == method::signround && !t.layer_wise) || s.how == method::omniquant;
        JACKPLANE_EXPECTS(t.lambdas.empty() || blocks || s.how == method::qat, jackplane::value_error,
                          "signround, omniquant and qat learn widths all at once, from whole layers or models");
        JACKPLANE_EXPECTS((t.reach == 0 && t.joint_steps == 0) || (blocks && !t.lambdas.empty()),
                          jackplane::value_error, "reach and joint steps go with lambdas, of signround or omniquant");
        JACKPLANE_EXPECTS(t.inside.empty() || (s.how == method::signround && !t.layer_wise && t.lambdas.empty() &&
                                               !s.balance && s.beside.empty()),
                          jackplane::value_error,
                          "codes that stay go with signround of whole layers, without lambdas, balancing and weights "
                          "beside the planes");
        JACKPLANE_EXPECTS(t.teacher == 0 || !t.lambdas.empty(), jackplane::value_error, "a teacher goes with lambdas");
        JACKPLANE_EXPECTS(blocks || s.how == method::efficientqat ||
                              (!t.suppress_outliers && !t.keep_best && !t.dense_inputs && t.learn_clipping),
                          jackplane::value_error,
                          "suppressed outliers, the best step, dense inputs and ranges that stay go with methods that "
                          "learn from whole layers: signround, omniquant, efficientqat");
        JACKPLANE_EXPECTS(t.joint_steps == 0 || std::holds_alternative<jackplane::truncate_centred>(s.slice),
                          jackplane::value_error, "stages before joint steps need truncate_centred, not ",
                          slice_name(s.slice));
        JACKPLANE_EXPECTS(s.how != method::efficientqat || t.widths.size() == 1, jackplane::width_error,
                          "EfficientQAT learns one width, not ", t.widths.size());
    }

    // The joint objective by the slice of the file.
    using any_objective =
        std::variant<jackplane::objective<jackplane::truncate_centred>, jackplane::objective<jackplane::round_clamp>,
                     jackplane::objective<jackplane::extra_precision>>;
    inline any_objective objective_of(tuning_settings const& t, slice_rule const& slice)
    {
        std::vector<jackplane::objective_term> terms;
        for (std::size_t n = 0; n < t.widths.size(); ++n)
            terms.push_back({t.widths[n], t.lambdas.empty() ? 1.0f : t.lambdas[n]});
        if (t.teacher > 0)
            terms.push_back({t.widths.front(), terms.front().weight, t.teacher});
        return std::visit([&](auto rule) -> any_objective { return jackplane::objective{terms, rule}; }, slice);
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

    // body(scale policy)
    template <class Body>
    auto with_scheme(scheme range, Body&& body)
    {
        switch (range)
        {
        case scheme::symmetric:
            return body(jackplane::absmax{});
        case scheme::gptq_symmetric:
            return body(jackplane::gptq_symmetric{});
        case scheme::asymmetric:
            return body(jackplane::minmax<>{});
        default:
            return body(jackplane::full_range{});
        }
    }
}
