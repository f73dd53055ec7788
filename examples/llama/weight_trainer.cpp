// SPDX-License-Identifier: BSD-3-Clause
#include "weight_trainer.hpp"
#include "loss.hpp"
#include "widths.hpp"
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/refine.hpp>
#include <jackplane/tune/tune.hpp>
#include <algorithm>

namespace llama
{
    namespace
    {
        using jackplane::uniform;

        // The loss as a function of the layers' weights; an lm_head behind them stays as it is.
        class loss_of_layers
        {
        public:
            loss_of_layers(model const& m, quantize_settings const& s, jackplane::team const& workers)
                : _loss(m, s.calibration.tokens, s.calibration.length, workers),
                  _all(m.tuned().begin(), m.tuned().end()),
                  _slope(_all.size())
            {
            }
            std::size_t samples() const { return _loss.samples(); }
            void at(std::span<std::size_t const> windows) { _loss.at(windows); }
            double operator()(std::span<float const> w, std::span<float> g)
            {
                std::copy(w.begin(), w.end(), _all.begin());
                double const value = _loss(_all, g.empty() ? std::span<float>() : std::span<float>(_slope));
                std::copy_n(_slope.begin(), g.size(), g.begin());
                return value;
            }

        private:
            language_model_loss _loss;
            std::vector<float> _all, _slope;
        };

        template <unsigned Bits, class P>
        std::vector<jackplane::any_packed> train_as(model const& m, quantize_settings const& s,
                                                    jackplane::objective<> const& goal,
                                                    std::vector<width_report>* report, jackplane::progress const& tell)
        {
            using tunable = jackplane::tunable<uniform<Bits, 8>, jackplane::clip_range<P>>;
            auto const parts = std::span(m.table.parameters()).first(m.sizes.layers * matrices_of_layer);
            jackplane::team const workers;
            std::vector<tunable> all;
            for (parameter const& p : parts)
                all.emplace_back(jackplane::matrix_view<float const>{m.w.data() + p.offset, p.rows, p.cols},
                                 uniform<Bits, 8>{}, jackplane::clip_range<P>{}, s.group,
                                 jackplane::tunable_options{
                                     .what = jackplane::learns::weights, .follows_weights = true, .name = p.name});
            loss_of_layers loss(m, s, workers);
            auto const& t = s.tuning;
            auto const done = jackplane::tune(
                std::span(all), std::span(&loss, 1), goal, jackplane::cosine{t.rate, t.steps}, jackplane::adam{},
                jackplane::tune_options{
                    .clip_rate = 0, .batch = t.batch, .seed = t.seed, .tell = tell, .name = "training"},
                workers);
            if (report)
                report->push_back({Bits, done.before, done.after});

            std::vector<jackplane::any_packed> out;
            for (std::size_t i = 0; i < parts.size(); ++i)
            {
                if constexpr (Bits == 8)
                    out.push_back(jackplane::pack<jackplane::bit_planes>(all[i].result(), workers));
                else // the bits below: nearest to what the weight has become
                {
                    std::vector<float> now = all[i].learned().offset;
                    std::transform(now.begin(), now.end(), m.w.begin() + static_cast<std::ptrdiff_t>(parts[i].offset),
                                   now.begin(), std::plus<>{});
                    jackplane::matrix_view<float const> const w{now.data(), parts[i].rows, parts[i].cols};
                    out.push_back(jackplane::pack<jackplane::bit_planes>(
                        jackplane::refine(w, uniform<8>{}, jackplane::leading(all[i].result())), workers));
                }
            }
            return out;
        }
    }

    std::vector<jackplane::any_packed> train_weights(model const& m, quantize_settings const& s,
                                                     std::vector<width_report>* report, jackplane::progress const& tell)
    {
        auto const& t = s.tuning;
        expect_widths(t);
        bool const joint = t.widths.size() > 1;
        std::vector<jackplane::any_packed> out;
        with_scheme(s.range,
                    [&]<class P>(P)
                    {
                        if (joint)
                        {
                            jackplane::objective<> goal;
                            for (std::size_t n = 0; n < t.widths.size(); ++n)
                                goal.terms.push_back({t.widths[n], t.lambdas.empty() ? 1.0f : t.lambdas[n]});
                            out = train_as<8, P>(m, s, goal, report, tell);
                        }
                        else
                            with_width(t.widths[0], [&](auto bits)
                                       { out = train_as<bits, P>(m, s, jackplane::one_width(bits), report, tell); });
                    });
        return out;
    }
}
