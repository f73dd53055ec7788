// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/tune/tune.hpp>
#include "../pack/format/scheme.hpp"
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

namespace engine
{
    // Of what learns. Who reads what of it, its method says.
    struct tuning_settings
    {
        // Narrowest first. Tuned one after the other, each behind the codes of the one before; bits below the last lie
        // as near to the weight as they can. With lambdas: all at once, so weighted (the joint Matryoshka objective).
        std::vector<unsigned> widths{2, 3, 4, 5, 6, 8};
        std::vector<float> lambdas{};
        // Codes of 3 bits and more reach beyond cells of 2 bits (jackplane::overlapping); else they divide them.
        bool overlap = false;
        std::size_t steps = 200, finer_steps = 80; // of the first width, or of all at once; of each further one
        std::size_t batch = 8;                     // windows a step
        float rate = 0;                            // at first; 0: that of the method
        // There are such codes: all behind 2 bits, which are tuned for themselves.
        bool overlaps() const noexcept
        {
            return overlap && lambdas.empty() && widths.front() == 2 && widths.back() > 2;
        }
        float rate_or(float usual) const noexcept { return rate > 0 ? rate : usual; }
        std::uint64_t seed = 0;         // of the batches
        bool suppress_outliers = false; // see layer_loss
        bool learn_clipping = true;
        bool keep_best = false;    // by all windows, every 20 steps; else what the last step left
        bool search_scale = false; // those of the least squared error, from which scales then learn
        // The first width starts from a range of its own, its outermost values at the ends; not from that of 8 bits,
        // whose cells cover the range at every width (parent_scale).
        bool own_range = false;
        bool dense_inputs = false; // layers learn from what the dense layers before them give
        // With lambdas: how far an offset may go, in steps of the parent (0: half a step of the narrowest width); so
        // many steps of all widths at once after the stages, instead of all steps (0: no stages); and the width whose
        // output the narrowest one learns as much as the dense layer's (0: none; co-distillation).
        float reach = 0;
        std::size_t joint_steps = 0;
        unsigned teacher = 0;

        bool operator==(tuning_settings const&) const = default;
    };

    // Of one decoder layer; name: which outlives them.
    inline jackplane::tune_options options_of(tuning_settings const& t, std::size_t layer, std::string const& name)
    {
        return {.batch = t.batch,
                .seed = t.seed + 1000003 * layer,
                .kept = t.keep_best ? jackplane::keep::best : jackplane::keep::last,
                .check_every = 20,
                .name = name};
    }

    // Of scales that learn end to end, after everything else.
    struct scale_settings
    {
        std::size_t steps = 0; // none
        float rate = 1e-3f;    // at first, in parts of what the scales are
        std::vector<unsigned> widths{2, 3, 4, 5, 6, 8};
        std::size_t batch = 8;
        std::uint64_t seed = 0;
    };

    inline void expect_widths(std::vector<unsigned> const& widths)
    {
        bool const ascending =
            std::adjacent_find(widths.begin(), widths.end(), std::greater_equal<unsigned>{}) == widths.end();
        JACKPLANE_EXPECTS(!widths.empty() && ascending && widths.front() >= 1 && widths.back() <= 8,
                          jackplane::width_error, "widths to tune: from 1 to 8, each once");
    }
    inline void expect_lambdas(std::vector<unsigned> const& widths, std::vector<float> const& lambdas)
    {
        expect_widths(widths);
        JACKPLANE_EXPECTS(lambdas.empty() || lambdas.size() == widths.size(), jackplane::shape_error, lambdas.size(),
                          " lambdas for ", widths.size(), " widths");
    }

    // Throws where these settings, whoever reads them, do not go together.
    inline void expect_possible(tuning_settings const& t, slice_rule const& slice)
    {
        bool const prefixes = std::holds_alternative<jackplane::truncate_centred>(slice);
        expect_lambdas(t.widths, t.lambdas);
        JACKPLANE_EXPECTS(prefixes || !t.lambdas.empty() || t.widths == std::vector<unsigned>{8},
                          jackplane::value_error, "bits inside the cells of coarser codes need truncate_centred; ",
                          slice_name(slice), " needs lambdas: all widths at once");
        JACKPLANE_EXPECTS((t.reach == 0 && t.joint_steps == 0) || !t.lambdas.empty(), jackplane::value_error,
                          "reach and joint steps go with lambdas");
        JACKPLANE_EXPECTS(t.teacher == 0 || !t.lambdas.empty(), jackplane::value_error, "a teacher goes with lambdas");
        JACKPLANE_EXPECTS(t.joint_steps == 0 || prefixes, jackplane::value_error,
                          "stages before joint steps need truncate_centred, not ", slice_name(slice));
    }
    inline void expect_possible(scale_settings const& t, slice_rule const& slice)
    {
        expect_widths(t.widths);
        JACKPLANE_EXPECTS(std::holds_alternative<jackplane::truncate_centred>(slice) || t.widths.size() == 1,
                          jackplane::value_error, "a width with scales of its own is a prefix: ", slice_name(slice),
                          " has none");
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
}
