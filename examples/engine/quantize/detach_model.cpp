// SPDX-License-Identifier: BSD-3-Clause
#include "detach_model.hpp"
#include "../measure/loss.hpp"
#include "../run/blas_product.hpp"
#include "information.hpp"
#include <jackplane/detach/detach.hpp>
#include <jackplane/detach/outliers.hpp>
#include <jackplane/detach/pursuit.hpp>
#include <jackplane/integrate/taylor.hpp>
#include <jackplane/loss/layer.hpp>
#include <algorithm>
#include <map>
#include <utility>

namespace engine
{
    namespace
    {
        using places = std::vector<std::size_t>;
        constexpr double exponents[]{0, 0.5, 1, 2}; // that adaptive outliers are shared out by
        constexpr std::size_t pursuit_rounds = 8;

        // Everything that chooses looks at: the weights as the method saw them, and the settings.
        struct chooser
        {
            quantize_settings const& s;
            detach_settings const& d;
            run_options const& run;
            model dense;
            jackplane::team workers{};

            std::span<parameter const> parts() const { return dense.table.of_layers(); }
            std::span<float const> weights() const { return std::span(dense.w).first(size_of(parts())); }
            std::span<float const> of(std::span<float const> all, std::size_t i) const
            {
                return all.subspan(parts()[i].offset, parts()[i].size());
            }
            calibration_text const& text() const
            {
                return d.integral.calibration.tokens.empty() ? s.calibration : d.integral.calibration;
            }
            language_model_loss loss_of(calibration_text const& text) const
            {
                return {dense, text.tokens, text.length, workers};
            }
            // Share of every weight in the change of the loss when all become these.
            std::vector<float> changes(std::span<float const> quantized) const
            {
                std::vector<float> w(dense.tuned().begin(), dense.tuned().end()), to = w;
                std::copy_n(quantized.begin(), weights().size(), to.begin());
                auto loss = loss_of(text());
                std::vector<float> change;
                if (d.score != "pqi" && d.score != "rise")
                    change =
                        jackplane::second_order_fisher(loss, w, to, 1, {.tell = run.tell, .name = "Fisher"}).change;
                else
                {
                    auto how = d.integral;
                    how.calibration = text();
                    how.kept = run.kept;
                    auto found = integrate_path(loss, w, to, how, {.tell = run.tell, .name = "integral"});
                    change = std::move(d.integral.each_sample ? found.magnitude : found.change);
                }
                change.resize(weights().size());
                return change;
            }
            // Of a list of all layers' weights, those of each matrix.
            std::vector<places> split(places const& all) const
            {
                std::vector<places> out(parts().size());
                std::size_t i = 0;
                for (std::size_t const place : all)
                {
                    while (place >= parts()[i].offset + parts()[i].size())
                        ++i;
                    out[i].push_back(place - parts()[i].offset);
                }
                return out;
            }
            std::vector<std::size_t> sizes() const
            {
                std::vector<std::size_t> out;
                for (parameter const& p : parts())
                    out.push_back(p.size());
                return out;
            }
            // The same part of each matrix, so many in all.
            std::vector<std::size_t> even_shares(std::size_t count) const
            {
                return jackplane::share_out(count, sizes(), std::vector<double>(parts().size(), 1), 0);
            }
            // The largest of each matrix.
            std::vector<places> largest_of(std::span<std::size_t const> counts) const
            {
                std::vector<places> out;
                for (std::size_t i = 0; i < counts.size(); ++i)
                    out.push_back(choose(jackplane::by_magnitude{}, of(weights(), i), {}, counts[i]));
                return out;
            }
        };

        // Mean magnitude of the changes of each matrix.
        std::vector<double> mean_magnitudes(chooser const& c, std::span<float const> changes)
        {
            std::vector<double> out;
            for (std::size_t i = 0; i < c.parts().size(); ++i)
            {
                double sum = 0;
                for (float const x : c.of(changes, i))
                    sum += std::abs(static_cast<double>(x));
                out.push_back(sum / static_cast<double>(c.parts()[i].size()));
            }
            return out;
        }

        // quantized(places of each matrix) -> the layers' weights with those out
        template <class Quantized>
        std::vector<places> choose_outliers(chooser const& c, Quantized&& quantized, detach_report& told)
        {
            auto const& rule = c.d.outlier_rule;
            std::size_t const count = jackplane::count_of(c.d.outliers, c.weights().size(), "outliers");
            if (rule == "random")
                return c.split(choose(jackplane::by_chance{c.d.seed}, c.weights(), {}, count));
            if (rule == "interquartile")
            {
                std::vector<float> score;
                for (std::size_t i = 0; i < c.parts().size(); ++i)
                {
                    auto const of = jackplane::by_interquartile_range{}(c.of(c.weights(), i), {});
                    score.insert(score.end(), of.begin(), of.end());
                }
                return c.split(jackplane::largest(score, count));
            }
            if (rule == "even")
                return c.largest_of(c.even_shares(count));
            auto const sensitivity = mean_magnitudes(c, c.changes(quantized({})));
            auto loss = c.loss_of(c.text());
            auto const loss_with = [&](std::span<std::size_t const> counts)
            {
                std::vector<float> w(c.dense.tuned().begin(), c.dense.tuned().end());
                auto const now = quantized(c.largest_of(counts));
                std::copy_n(now.begin(), c.weights().size(), w.begin());
                return loss(w);
            };
            auto const best = jackplane::adaptive_outliers(count, c.sizes(), sensitivity, exponents, loss_with);
            told.exponent = best.exponent;
            return c.largest_of(best.counts);
        }

        // SqueezeLLM's sensitive weights: the same part of each matrix, by Fisher information alone, whatever
        // quantizing would make of them. They join the outliers of their matrix.
        void add_informative(chooser const& c, std::span<float const> information, std::vector<places>& beside)
        {
            auto const counts =
                c.even_shares(jackplane::count_of(c.d.significant, c.weights().size(), "significant weights"));
            beside.resize(counts.size());
            for (std::size_t i = 0; i < counts.size(); ++i)
            {
                auto const chosen =
                    choose(jackplane::by_change{}, c.of(c.weights(), i), c.of(information, i), counts[i], beside[i]);
                beside[i].insert(beside[i].end(), chosen.begin(), chosen.end());
                std::sort(beside[i].begin(), beside[i].end());
            }
        }

        // Beside what stands there already.
        places choose_significant(chooser const& c, std::span<float const> quantized, places const& outliers)
        {
            std::size_t const count = jackplane::count_of(c.d.significant, c.weights().size(), "significant weights");
            auto const by = [&](auto const& score, std::span<float const> change)
            { return choose(score, c.weights(), change, count, outliers); };
            if (c.d.score == "random")
                return by(jackplane::by_chance{c.d.seed}, {});
            if (c.d.score == "magnitude")
                return by(jackplane::by_magnitude{}, {});
            if (c.d.score == "fisher")
                return by(jackplane::by_change{}, c.changes(quantized));
            auto const in_steps = [&](auto const& score)
            {
                auto const changes = [&](std::span<std::size_t const> chosen)
                {
                    std::vector<float> now(quantized.begin(), quantized.end());
                    for (auto const list : {std::span<std::size_t const>(outliers), chosen}) // they have no change
                        for (std::size_t const place : list)
                            now[place] = c.weights()[place];
                    return c.changes(now);
                };
                return choose_stepwise(score, c.weights(), count, c.d.steps, changes);
            };
            return c.d.score == "rise" ? in_steps(jackplane::by_rise{}) : in_steps(jackplane::by_change{});
        }

        // Of each matrix's places, those of all layers' weights.
        places joined(chooser const& c, std::vector<places> const& of_matrices)
        {
            places out;
            for (std::size_t i = 0; i < of_matrices.size(); ++i)
                for (std::size_t const place : of_matrices[i])
                    out.push_back(c.parts()[i].offset + place);
            return out;
        }

        using triplets = std::vector<jackplane::triplet>;

        // The sparse part of a matrix of these weights, and more of them. A place that is there twice keeps the latter
        // value.
        void add(packed_model::matrix& m, jackplane::matrix_view<float const> weights, triplets const& more,
                 std::string const& name)
        {
            std::map<std::pair<std::size_t, std::size_t>, float> all;
            for_each_weight(m.sparse, [&](std::size_t row, std::size_t col, float w) { all[{row, col}] = w; });
            for (auto const& [row, col, w] : more)
                all[{row, col}] = w;
            triplets sorted;
            for (auto const& [at, w] : all)
                sorted.push_back({at.first, at.second, w});
            m.sparse = any_csr::of(weights, sorted, name);
        }

        void restore(chooser const& c, packed_model& m, places const& significant)
        {
            auto const by_matrix = c.split(significant);
            for (std::size_t i = 0; i < by_matrix.size(); ++i)
            {
                parameter const& p = c.parts()[i];
                triplets more;
                for (std::size_t const place : by_matrix[i])
                    more.push_back({place / p.cols, place % p.cols, c.of(c.weights(), i)[place]});
                add(m.matrices[i], {c.of(c.weights(), i).data(), p.rows, p.cols}, more, p.name);
            }
        }

        // Layer after layer, each matrix from the inputs that the layers before it, fitted already, give. where: places
        // of each matrix; or how many, and pursuit finds them.
        void fit_layers(chooser const& c, packed_model& m, std::vector<places> const& where, std::size_t count,
                        detach_report& told)
        {
            config const& sizes = c.dense.sizes;
            float const* const embedding = m.rest.data();
            calibration_stream dense(sizes, embedding, c.s.calibration), now(sizes, embedding, c.s.calibration);
            jackplane::aligned_vector<float> all = m.decode(c.d.bits).w;
            auto validation = c.loss_of(c.d.validation);
            auto const loss = [&] { return validation(std::span<float const>(all).first(c.dense.tuned().size())); };
            double best = loss();
            parameter_view<float const> const whole = c.dense.view();
            std::vector<std::size_t> shares;
            if (where.empty())
                shares = c.even_shares(count);
            for (std::size_t n = 0; n < sizes.layers; ++n)
            {
                std::size_t const first = c.dense.table.first_of_layer(n);
                auto const parts = c.dense.table.of_layer(n);
                auto const before_layer = all;
                std::vector<triplets> fitted(parts.size());
                auto const view = [&] { return whole.layer(n, all.data() + parts[0].offset); };
                for (layer_stage const& stage : stages_of(sizes, sizes.block.kind(n)))
                {
                    std::size_t const side = now.size_of(view(), stage);
                    auto const gram = now.gram(view(), stage, c.workers);
                    auto const drift = now.drift(view(), stage, dense, whole.layer(n), c.workers);
                    jackplane::matrix_view<float const> const inputs{gram.data(), side, side};
                    for (std::size_t i = stage.first; i < stage.last; ++i)
                    {
                        parameter const& p = parts[i];
                        jackplane::layer of({c.dense.w.data() + p.offset, p.rows, p.cols}, inputs,
                                            {{drift.data(), side, side}, p.name}, blas_product{});
                        std::span<float> const w(all.data() + p.offset, p.size());
                        std::vector<float> pull(p.size());
                        of(w, pull);
                        for (float& x : pull)
                            x *= -0.5f;
                        jackplane::matrix_view<float const> const wanted{pull.data(), p.rows, p.cols};
                        fitted[i] = where.empty() ? jackplane::pursuit(inputs, wanted, shares[first + i],
                                                                       pursuit_rounds, p.name, c.workers)
                                                  : jackplane::fit(inputs, wanted, where[first + i], p.name, c.workers);
                        bool const narrow = half_holds({c.dense.w.data() + p.offset, p.rows, p.cols});
                        for (auto& [row, col, value] : fitted[i])
                        {
                            float& of_place = w[row * p.cols + col];
                            of_place += value;
                            if (narrow)
                                of_place = to_float(jackplane::from_float<jackplane::half>(of_place));
                            value = of_place;
                        }
                    }
                }
                double const after = loss();
                bool const helps = after < best;
                if (helps)
                    for (std::size_t i = 0; i < parts.size(); ++i)
                        add(m.matrices[first + i], {c.dense.w.data() + parts[i].offset, parts[i].rows, parts[i].cols},
                            fitted[i], parts[i].name);
                else
                {
                    all = before_layer;
                    told.refused.push_back(n);
                }
                best = helps ? after : best;
                dense.advance(whole.layer(n), c.workers);
                now.advance(view(), c.workers);
                if (c.run.tell)
                    c.run.tell(text("fitted, loss ", best), n + 1, sizes.layers);
            }
        }

        bool fits(detach_settings const& d) { return d.significant > 0 && (d.fit || d.score == "pursuit"); }
        // Significant weights leave before the others are quantized.
        bool leave(detach_settings const& d) { return d.significant > 0 && (d.before || d.score == "information"); }

        void expect_known(std::string const& name, std::vector<std::string> const& known, char const* what)
        {
            JACKPLANE_EXPECTS(std::find(known.begin(), known.end(), name) != known.end(), jackplane::value_error, "no ",
                              what, " '", name, "'");
        }
    }

    std::vector<std::string> outlier_rule_names() { return {"adaptive", "even", "interquartile", "random"}; }
    std::vector<std::string> weight_score_names()
    {
        return {"pqi", "rise", "fisher", "information", "magnitude", "random", "pursuit"};
    }

    void expect_possible(any_method const& how, quantize_settings const& s, detach_settings const& d)
    {
        expect_known(d.outlier_rule, outlier_rule_names(), "rule for outliers");
        expect_known(d.score, weight_score_names(), "score of weights");
        JACKPLANE_EXPECTS(!fits(d) || !d.validation.tokens.empty(), jackplane::value_error,
                          "fitted weights need a validation text");
        JACKPLANE_EXPECTS(!leave(d) || !fits(d), jackplane::value_error, "weights that leave first are not fitted");
        JACKPLANE_EXPECTS(!s.calibration.tokens.empty(), jackplane::value_error,
                          "weights beside the planes are chosen by a calibration text");
        expect_possible(how, s, d.outliers > 0 || leave(d));
    }

    detach_result quantize_and_detach(model_source const& source, any_method const& how, quantize_settings const& s,
                                      detach_settings const& d, run_options const& run)
    {
        expect_possible(how, s, d);
        bool const first = leave(d);
        detach_report found;
        chooser c{s, d, run, source.whole()};
        auto asked = s, quick = s; // quick: what leaves before is chosen by many models
        bool const looks_on = facts_of(how).looks_at != sight::weights;
        quick.balance = false;
        if (looks_on)
            quick.scales.steps = 0;
        auto const quantized = [&](std::vector<places> const& beside)
        {
            quick.beside = beside;
            return quantize(source, looks_on ? any_method{} : how, quick).packed.decode(d.bits).w;
        };
        if (d.outliers > 0)
            asked.beside = choose_outliers(c, quantized, found);
        places const outliers = joined(c, asked.beside);
        found.outliers = outliers.size();
        if (first && d.score == "information")
        {
            asked.information = information_of(c.dense, s.calibration, run.tell);
            add_informative(c, asked.information, asked.beside);
        }
        else if (first)
        {
            places all = choose_significant(c, quantized(asked.beside), outliers);
            all.insert(all.end(), outliers.begin(), outliers.end());
            std::sort(all.begin(), all.end());
            asked.beside = c.split(all);
        }
        detach_result made{quantize(source, how, asked, run)};
        bool const balanced = made.balanced.has_value();
        if (balanced)
            c.dense = *std::move(made.balanced);
        packed_model& m = made.packed;
        found.fitted_for = fits(d) ? d.bits : 0;
        if (d.significant > 0 && !first)
        {
            if (d.score == "pursuit")
                fit_layers(c, m, {}, jackplane::count_of(d.significant, c.weights().size(), "significant weights"),
                           found);
            else
            {
                auto const significant = choose_significant(c, m.decode(d.bits).w, outliers);
                fits(d) ? fit_layers(c, m, c.split(significant), 0, found) : restore(c, m, significant);
            }
        }
        for (packed_model::matrix const& each : m.matrices)
            found.significant += each.sparse.nonzeros();
        found.significant -= found.outliers;
        made.sparse = std::move(found);
        if (balanced)
            made.balanced = std::move(c.dense);
        return made;
    }
}
