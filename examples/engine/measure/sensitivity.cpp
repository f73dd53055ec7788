// SPDX-License-Identifier: BSD-3-Clause
#include "sensitivity.hpp"
#include "loss.hpp"
#include <jackplane/integrate/taylor.hpp>
#include <jackplane/store/digest.hpp>
#include <algorithm>
#include <numeric>

namespace engine
{
    namespace
    {
        // -log p of single tokens: sample k is a token that is scored, spread evenly over those of the text.
        class token_loss
        {
        public:
            token_loss(model const& m, calibration_text const& text, std::size_t count)
                : _model(&m), _text(&text), _work(m.sizes, 1, text.length, true), _gradient(m.table.tuned_size())
            {
                std::size_t const scored = text.length - 1, all = text.tokens.size() / text.length * scored;
                for (std::size_t k = 0; k < std::min(count, all); ++k)
                {
                    std::size_t const nth = k * all / std::min(count, all);
                    _behind.push_back(nth / scored * text.length + nth % scored);
                }
            }
            std::size_t samples() const noexcept { return _behind.size(); }
            void at(std::span<std::size_t const> which)
            {
                JACKPLANE_EXPECTS(which.size() == 1, jackplane::shape_error, which.size(), " tokens at once");
                _asked = which[0];
            }
            double operator()(std::span<float const> w, std::span<float> g)
            {
                config const& c = _model->sizes;
                std::size_t const length = _text->length, behind = _behind[_asked], window = behind / length;
                auto const view = _model->view(w);
                auto const layers = [&](std::size_t layer) { return view.layer(layer); };
                auto const tokens = std::span<token const>(_text->tokens).subspan(window * length, length);
                forward(c, layers, view.ends(), tokens, length, _work);
                std::fill(_gradient.begin(), _gradient.end(), 0.0f);
                parameter_view<float> const gradient(c, _gradient.data(), nullptr);
                auto const of_logits = [&](std::size_t t, float* x) -> double
                {
                    if (window * length + t == behind)
                        return token_loss_and_slope(x, c.vocabulary, tokens[t + 1], 1.0f);
                    std::fill_n(x, c.vocabulary, 0.0f);
                    return 0;
                };
                double const value =
                    loss_backward<float>(c, view.ends(), length, length, _work, gradient.ends().output, of_logits);
                if (!g.empty())
                {
                    backward(
                        c, layers, view.ends(), tokens, length, _work,
                        [&](std::size_t layer) { return gradient.layer(layer); }, gradient.ends());
                    std::copy(_gradient.begin(), _gradient.end(), g.begin());
                }
                return value;
            }

        private:
            model const* _model;
            calibration_text const* _text;
            workspace<float> _work;
            std::vector<float> _gradient;
            std::vector<std::size_t> _behind; // the tokens before those that are scored
            std::size_t _asked = 0;
        };

        template <class... Rules>
        struct rules
        {
            static std::vector<std::string> names() { return {Rules::name()..., "adaptive"}; }
            // body(rule)
            template <class Body>
            static bool with(std::string const& name, std::size_t intervals, Body&& body)
            {
                return ((name == Rules::name() && (body(Rules(intervals)), true)) || ...);
            }
        };
        using fixed_rules =
            rules<jackplane::gauss, jackplane::inclusive_mean, jackplane::trapezoid, jackplane::midpoint,
                  jackplane::simpson, jackplane::left_riemann, jackplane::right_riemann>;

        std::string origin_of(std::span<float const> w, std::span<float const> to, sensitivity_settings const& s)
        {
            jackplane::digest all;
            std::string const how =
                jackplane::text(s.rule, " ", s.intervals, " ", s.each_sample, " ", s.calibration.length);
            all.add(std::as_bytes(std::span(how)));
            for (auto const part : {w, to})
                all.add(std::as_bytes(part));
            all.add(std::as_bytes(std::span(s.calibration.tokens)));
            return all.text();
        }

        void expect_same_rest(model const& dense, model const& quantized)
        {
            auto const& parameters = dense.table.parameters();
            for (std::size_t i = dense.table.tuned_parameters(); i < parameters.size(); ++i)
                for (std::size_t k = 0; k < parameters[i].size(); ++k)
                {
                    float const x = dense.w[parameters[i].offset + k], y = quantized.w[parameters[i].offset + k];
                    JACKPLANE_EXPECTS(same_but_for_half(x, y), jackplane::value_error, parameters[i].name, ", element ",
                                      k, " is ", x, " and becomes ", y, ": no change of the linear weights alone");
                }
        }
    }

    std::vector<std::string> const& rule_names()
    {
        static std::vector<std::string> const names = fixed_rules::names();
        return names;
    }

    void expect_rule(sensitivity_settings const& s)
    {
        bool const known = s.rule == "adaptive" || fixed_rules::with(s.rule, s.intervals, [](auto const&) {});
        JACKPLANE_EXPECTS(known, jackplane::value_error, "no rule '", s.rule, "'");
        JACKPLANE_EXPECTS(s.rule != "adaptive" || !s.each_sample, jackplane::value_error,
                          "an adaptive rule gives no magnitude of each window's changes");
    }

    jackplane::sensitivity integrate_path(language_model_loss& loss, std::span<float const> w,
                                          std::span<float const> to, sensitivity_settings const& s,
                                          jackplane::integrate_options options)
    {
        options.each_sample = s.each_sample;
        std::string const origin = s.kept.keeps() ? origin_of(w, to, s) : "";
        run_store store = s.kept.run(jackplane::text("integral.", origin), origin);
        options.checkpoints = store.serve(1);
        jackplane::sensitivity found;
        auto const fixed = [&](auto const& rule) { found = integrate(loss, w, to, rule, options); };
        if (s.rule == "adaptive") // keeps no checkpoints
        {
            options.checkpoints = {};
            found = integrate(loss, w, to, jackplane::adaptive{.first = s.intervals}, options);
        }
        else if (!fixed_rules::with(s.rule, s.intervals, fixed))
            jackplane::fail<jackplane::value_error>(jackplane::text("no quadrature rule '", s.rule, "'"));
        return found;
    }

    double loss_in_double(model const& m, std::span<float const> tuned, calibration_text const& text,
                          jackplane::team const& workers)
    {
        config const& c = m.sizes;
        std::vector<double> const weights(tuned.begin(), tuned.end()),
            rest(m.w.begin() + static_cast<std::ptrdiff_t>(m.table.tuned_size()), m.w.end());
        parameter_view<double const> const view(c, weights.data(), rest.data());
        std::size_t const windows = text.tokens.size() / text.length;
        std::vector<double> sums(windows);
        workers(windows,
                [&](std::size_t first, std::size_t last)
                {
                    workspace<double> work(c, 1, text.length, false);
                    for (std::size_t n = first; n < last; ++n)
                    {
                        auto const tokens = std::span<token const>(text.tokens).subspan(n * text.length, text.length);
                        forward(
                            c, [&](std::size_t layer) { return view.layer(layer); }, view.ends(), tokens, text.length,
                            work);
                        sums[n] = negative_log_likelihood(c, view.ends(), tokens, text.length, work);
                    }
                });
        return std::accumulate(sums.begin(), sums.end(), 0.0) / static_cast<double>(windows * (text.length - 1));
    }

    sensitivity_result measure_sensitivity(model const& dense, model const& quantized, sensitivity_settings const& s,
                                           jackplane::progress const& tell)
    {
        expect_same_rest(dense, quantized);
        auto const parts = dense.table.of_layers();
        std::size_t const weights = size_of(parts);
        std::vector<float> w(dense.tuned().begin(), dense.tuned().end()), to = w; // an lm_head behind them stays
        for (std::size_t i = 0; i < weights; ++i)
            to[i] = s.path == 1 ? quantized.w[i] : w[i] + s.path * (quantized.w[i] - w[i]);

        jackplane::team const workers;
        auto const& text = s.calibration;
        language_model_loss loss(dense, text.tokens, text.length, workers);
        jackplane::integrate_options options{.tell = tell, .name = "integral"};
        sensitivity_result result;
        result.integral = integrate_path(loss, w, to, s, options);

        result.total.name = "total";
        for (parameter const& p : parts)
            result.matrices.push_back({.name = p.name});
        auto const tell_of = [&](std::vector<float> const& change, double change_estimates::*member)
        {
            for (std::size_t i = 0; i < parts.size(); ++i)
            {
                auto const of = std::span(change).subspan(parts[i].offset, parts[i].size());
                double const sum = std::accumulate(of.begin(), of.end(), 0.0);
                result.matrices[i].*member = sum;
                result.total.*member += sum;
            }
        };
        tell_of(result.integral.change, &change_estimates::pqi);
        if (s.taylor)
        {
            auto const by = [&](auto const& rule, char const* name, double change_estimates::*member)
            {
                options.name = name;
                tell_of(integrate(loss, w, to, rule, options).change, member);
            };
            by(jackplane::first_order{}, "slope", &change_estimates::first_order);
            by(jackplane::second_order{}, "Hessian", &change_estimates::second_order_hessian);
            options.name = "Fisher, sequences";
            auto const fisher = second_order_fisher(loss, w, to, 1, options).change;
            tell_of(fisher, &change_estimates::second_order_fisher_mean);
            auto const scored = static_cast<double>(text.length - 1);
            for (change_estimates& of : result.matrices)
                of.second_order_fisher_sequence = of.second_order_fisher_mean * scored;
            result.total.second_order_fisher_sequence = result.total.second_order_fisher_mean * scored;
            options.name = "Fisher, tokens";
            token_loss tokens(dense, text, s.fisher_tokens);
            tell_of(second_order_fisher(tokens, w, to, 1, options).change,
                    &change_estimates::second_order_fisher_token);
        }

        double const before = loss_in_double(dense, w, text, workers);
        result.total.actual = loss_in_double(dense, to, text, workers) - before;
        auto const alone = [&](std::size_t first, std::size_t end) // these matrices quantized
        {
            std::vector<float> some = w;
            std::size_t const from = parts[first].offset, until = parts[end - 1].offset + parts[end - 1].size();
            std::copy(to.begin() + static_cast<std::ptrdiff_t>(from), to.begin() + static_cast<std::ptrdiff_t>(until),
                      some.begin() + static_cast<std::ptrdiff_t>(from));
            return loss_in_double(dense, some, text, workers) - before;
        };
        for (std::size_t i = 0; s.parts_alone && i < parts.size(); ++i)
        {
            result.matrices[i].actual = alone(i, i + 1);
            if (tell)
                tell("actual changes", i + 1, parts.size());
        }
        for (std::size_t block = 0; block < dense.sizes.layers; ++block)
        {
            std::size_t const first = dense.table.first_of_layer(block), end = dense.table.first_of_layer(block + 1);
            change_estimates of{.name = jackplane::text("model.layers.", block)};
            for (auto const& [key, member] : estimates)
                for (std::size_t i = first; i < end; ++i)
                    of.*member += result.matrices[i].*member;
            if (s.parts_alone)
                of.actual = alone(first, end);
            result.blocks.push_back(of);
        }
        return result;
    }
}
