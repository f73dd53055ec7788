// SPDX-License-Identifier: BSD-3-Clause
#include "quantize_model.hpp"
#include "../measure/loss.hpp"
#include "../tune/weight_trainer.hpp"
#include "information.hpp"
#include "job/origin.hpp"
#include <jackplane/integrate/taylor.hpp>
#include <algorithm>
#include <utility>

namespace engine
{
    namespace
    {
        // Throws where a setting that the method does not read is not the usual one.
        template <class Method>
        void expect_read(Method const& how)
        {
            if constexpr (requires { how.tuning; })
            {
                Method given = how, known;
                known.tuning.seed = how.tuning.seed;
                std::vector<void*> to; // of the settings that it reads
                known.options([&](auto const&, auto& field) { to.push_back(&field); });
                given.options([&, n = std::size_t{0}]<class T>(auto const&, T& field) mutable
                              { *static_cast<T*>(to[n++]) = field; });
                JACKPLANE_EXPECTS(known.tuning == how.tuning, jackplane::value_error, "settings of learning that ",
                                  Method::facts.name, " does not read");
            }
        }

        // The matrix behind the layers, and norms as they became.
        void finish(job& j)
        {
            packed_model& m = j.packed;
            for (std::size_t i = m.table.of_layers().size(); i < m.matrices.size(); ++i) // an untied lm_head
            {
                parameter const& p = m.table.parameters()[i];
                jackplane::aligned_vector<float> w(p.size());
                j.source.read(p, w.data());
                if (j.balanced)
                    std::copy(w.begin(), w.end(), j.balanced->w.begin() + static_cast<std::ptrdiff_t>(p.offset));
                m.matrices[i].dense = std::move(w);
                j.told(i);
            }
            if (j.balanced)
                std::copy(m.rest.begin(), m.rest.end(),
                          j.balanced->w.begin() + static_cast<std::ptrdiff_t>(m.table.tuned_size()));
        }
    }

    unsigned narrowest(any_method const& how, quantize_settings const& s)
    {
        if (s.bits < 8)
            return s.bits;
        return std::visit(
            [&](auto const& m)
            {
                if constexpr (requires { m.tuning; })
                    return m.tuning.widths.front();
                else if constexpr (requires { m.widths; })
                    return m.widths.front();
                else
                    return s.scales.widths.front();
            },
            how);
    }

    bool needs_calibration(method_facts const& of, quantize_settings const& s)
    {
        return of.looks_at != sight::weights || s.balance || s.scales.steps > 0;
    }

    bool may_leave(any_method const& how)
    {
        return std::visit(
            []<class M>(M const& m)
            {
                if constexpr (requires { m.keeps_codes(); })
                    return M::facts.one_by_one && !m.keeps_codes();
                return M::facts.one_by_one;
            },
            how);
    }

    void expect_possible(any_method const& how, quantize_settings const& s, bool beside)
    {
        method_facts const of = facts_of(how);
        JACKPLANE_EXPECTS(!needs_calibration(of, s) || !s.calibration.tokens.empty(), jackplane::value_error,
                          "a method that looks at activations needs a calibration text");
        JACKPLANE_EXPECTS(!(of.makes_parents || s.scales.steps > 0) || s.bits == 8, jackplane::width_error,
                          "what is learned is a parent of 8 bits, not ", s.bits);
        JACKPLANE_EXPECTS(std::holds_alternative<jackplane::truncate_centred>(s.slice) || s.bits == 8,
                          jackplane::width_error, "a slice is of a parent of 8 bits: codes of ", s.bits,
                          " are read as they are, not by ", slice_name(s.slice));
        JACKPLANE_EXPECTS(some_learn || s.scales.steps == 0, jackplane::value_error,
                          "this build trains no scales (ENGINE_QUICK_BUILD)");
        JACKPLANE_EXPECTS(!s.balance || of.balances, jackplane::value_error, of.name,
                          " balances columns always or never (--balance)");
        JACKPLANE_EXPECTS(!beside || of.one_by_one, jackplane::value_error,
                          "weights leave before the others are quantized where layers are, one by one; not in ",
                          of.name);
        std::visit(
            [&](auto const& m)
            {
                if constexpr (requires { m.expect_possible(s, beside); })
                    m.expect_possible(s, beside);
                if constexpr (requires { m.tuning; })
                    expect_possible(m.tuning, s.slice);
                expect_read(m);
            },
            how);
        if (s.scales.steps > 0)
            expect_possible(s.scales, s.slice);
    }

    std::vector<float> information_of(model const& dense, calibration_text const& text, jackplane::progress const& tell)
    {
        language_model_loss loss(dense, text.tokens, text.length, jackplane::team{});
        return jackplane::fisher_information(loss, dense.tuned(), {.tell = tell, .name = "Fisher"});
    }

    quantize_result quantize(model_source const& source, any_method const& how, quantize_settings const& s,
                             run_options const& run)
    {
        expect_possible(how, s, !s.beside.empty());
        parameter_table const& table = source.table();
        std::size_t const matrices = table.of_layers().size();
        JACKPLANE_EXPECTS(s.beside.empty() || s.beside.size() == matrices, jackplane::shape_error, "weights beside ",
                          s.beside.size(), " matrices, the layers have ", matrices);
        JACKPLANE_EXPECTS(s.information.empty() || s.information.size() == table.tuned_size(), jackplane::shape_error,
                          "information of ", s.information.size(), " weights, there are ", table.tuned_size());
        job j(source, s, run);
        std::visit(
            [&]<class M>(M const& method)
            {
                method.run(j);
                finish(j);
                if constexpr (some_learn)
                    if (s.scales.steps > 0)
                        j.add(train_scales(j.packed, s.range, s.scales,
                                       {s.calibration, origin_of(method, j), run.kept, run.tell}));
            },
            how);
        j.packed.tokenizer = source.tokenizer_bytes();
        j.packed.tokenizer_settings = source.tokenizer_settings();
        return {std::move(j.packed), std::move(j.blocks), std::move(j.balanced), std::move(j.losses)};
    }
}
