// SPDX-License-Identifier: BSD-3-Clause
#include "layer_tuner.hpp"
#include "../quantize/beside.hpp"
#include "../quantize/blas_product.hpp"
#include "../pack/storage.hpp"
#include "../quantize/widths.hpp"
#include <jackplane/detach/detach.hpp>
#include <jackplane/loss/layer.hpp>
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/refine.hpp>
#include <jackplane/tune/tune.hpp>
#include <algorithm>
#include <limits>
#include <utility>

namespace engine
{
    namespace
    {
        using jackplane::uniform;

        template <unsigned Bits, class Clip, class S>
        using tunable = jackplane::tunable<uniform<Bits, 8>, Clip, S>;
        template <class Clip, class S>
        using leading = jackplane::leading_bits<S, typename Clip::zero_type>;

        // The matrices of a layer at their first width, or inside of what is there.
        template <unsigned Bits, class S, class Clip>
        std::vector<tunable<Bits, Clip, S>> tunables(layer_view<float const> const& w, std::span<parameter const> parts,
                                                     std::vector<leading<Clip, S>>& inside, quantize_settings const& s,
                                                     Clip const& clip, jackplane::offset_reach reach)
        {
            auto const what = s.how == method::efficientqat ? jackplane::learns::weights : jackplane::learns::offsets;
            std::vector<tunable<Bits, Clip, S>> all;
            for (std::size_t i = 0; i < parts.size(); ++i)
            {
                jackplane::tunable_options const options{.reach = reach, .what = what, .name = parts[i].name};
                if (inside.empty())
                    all.emplace_back(matrix_of(w.qkv, parts, i), uniform<Bits, 8>{}, clip, s.group, options);
                else
                    all.emplace_back(matrix_of(w.qkv, parts, i), uniform<Bits, 8>{}, std::move(inside[i]), options);
                expect_scales(all.back().result(), matrix_of(w.qkv, parts, i), parts[i].name);
            }
            return all;
        }
        template <unsigned Bits, class Clip, class S>
        std::vector<leading<Clip, S>> leading_of(std::vector<tunable<Bits, Clip, S>> const& all)
        {
            std::vector<leading<Clip, S>> out;
            for (auto const& each : all)
                out.push_back(jackplane::leading(each.result()));
            return out;
        }

        // Their first bits; 0 of them: the scales and zeros of codes that may all change.
        template <class Leading>
        Leading cut(Leading of, unsigned bits)
        {
            for (jackplane::code& q : of.codes)
                q = static_cast<jackplane::code>(q >> (of.bits - bits));
            of.bits = bits;
            return of;
        }

        // The codes of parents, cut to `bits`.
        template <class Clip, class S>
        std::vector<leading<Clip, S>> first_bits(std::span<packed_model::matrix const> parents,
                                                 std::span<parameter const> parts, unsigned bits,
                                                 std::string const& file)
        {
            std::vector<leading<Clip, S>> out;
            for (std::size_t i = 0; i < parents.size(); ++i)
            {
                auto const take = [&]<class From>(From)
                {
                    using parent = jackplane::packed<jackplane::bit_planes, uniform<8>, From, typename Clip::zero_type>;
                    auto const* const of = std::get_if<parent>(&parents[i].packed);
                    if (!of || !of->readable(bits))
                        return false;
                    JACKPLANE_EXPECTS(of->own_scales()[bits].scales == nullptr, jackplane::value_error, file, ": ",
                                      parts[i].name, " has scales of its own at ", bits,
                                      " bits, which other widths do not share");
                    auto codes = jackplane::leading(jackplane::unpack(*of));
                    codes.bits = of->bits(); // a file may hold fewer than 8
                    auto const first = cut(std::move(codes), bits);
                    out.push_back({bits, first.grid, first.codes, stored_as<S>(first.scales), first.zeros});
                    return true;
                };
                bool const is_there =
                    take(jackplane::half{}) || (std::same_as<S, jackplane::bfloat16> && take(jackplane::bfloat16{}));
                JACKPLANE_EXPECTS(is_there, jackplane::value_error, file, ": ", parts[i].name,
                                  " has no parent of 8 bits with this --scheme that can be cut to ", bits);
            }
            return out;
        }

        // Part of the codes, cut to `bits`, that learned offsets made other than the nearest ones.
        template <unsigned Bits, class Clip, class S>
        double moved_by_offsets(std::vector<tunable<Bits, Clip, S>> const& all, unsigned bits)
        {
            std::size_t moved = 0, weights = 0;
            for (tunable<Bits, Clip, S> nearest : all)
            {
                auto const codes = nearest.result().codes;
                std::fill(nearest.learned().offset.begin(), nearest.learned().offset.end(), 0.0f);
                nearest.round();
                weights += codes.size();
                for (std::size_t i = 0; i < codes.size(); ++i)
                    moved += (codes[i] ^ nearest.result().codes[i]) >> (Bits - bits) != 0;
            }
            return static_cast<double>(moved) / static_cast<double>(std::max<std::size_t>(weights, 1));
        }

        template <class Clip, class S>
        std::vector<jackplane::any_packed> packed_parents(std::vector<leading<Clip, S>> const& codes,
                                                          layer_view<float const> const& w,
                                                          std::span<parameter const> parts)
        {
            std::vector<jackplane::any_packed> out;
            for (std::size_t i = 0; i < parts.size(); ++i)
            {
                jackplane::quantized<uniform<8>, S, typename Clip::zero_type> const q{
                    {}, parts[i].rows, parts[i].cols, codes[i].grid, codes[i].codes, codes[i].scales, codes[i].zeros};
                expect_scales(q, matrix_of(w.qkv, parts, i), parts[i].name);
                out.push_back(pack_parent(q));
            }
            return out;
        }
    }

    layer_tuner::layer_tuner(config const& c, float const* embedding, quantize_settings const& s)
        : _config(c), _settings(s), _dense(c, embedding, s.calibration)
    {
        for (std::size_t i = 0; i < s.tuning.widths.size(); ++i)
            _streams.emplace_back(c, embedding, s.calibration);
    }

    std::vector<jackplane::any_packed> layer_tuner::tune(std::size_t number, dense_layer const& layer,
                                                         std::vector<width_report>* report)
    {
        // SignRound learns where weights round and how ranges are clipped, OmniQuant the clipping alone.
        auto const by_method = [&]<class P>(P)
        {
            using Z = typename P::zero_type;
            using from_parent = jackplane::parent_scale<P>;
            std::string const name = text("layer ", number);
            auto const& t = _settings.tuning;
            jackplane::tune_options options{.batch = t.batch,
                                            .seed = t.seed + 1000003 * number,
                                            .kept = t.keep_best ? jackplane::keep::best : jackplane::keep::last,
                                            .check_every = 20,
                                            .name = name};
            from_parent const parent{{}, t.own_range};
            any_scale<Z> start{parent};
            if (_settings.search_scale)
                start = {jackplane::mse_search<from_parent>{parent}};
            any_scale<Z> const own{from_parent{{}, true}};
            using clip = any_clipping<Z>;
            clip const learned = _settings.search_scale ? clip{jackplane::adjust_scale<any_scale<Z>>{start}}
                                                        : clip{jackplane::clip_range<any_scale<Z>>{start}};
            if (_settings.how == method::nested_gptq || t.layer_wise)
                return in_half_or_wider([&]<class S>(S)
                                        { return tune_layer_wise<S, Z>(layer, start, learned, options, report); });
            if (t.dense_inputs)
                _dense_input.assign(_dense.input().begin(), _dense.input().end());
            _dense.advance(layer.w, _workers); // to what the layer shall give
            auto const tuned_as = [&](clip const& what, any_step const& step, auto const& rate) {
                return in_half_or_wider([&]<class S>(S)
                                        { return tune_as<S, Z>(layer, what, step, rate, options, report); });
            };
            if (_settings.how == method::omniquant)
            {
                options.learn_offsets = false;
                auto const rate = [&](std::size_t steps) { return jackplane::constant{t.rate_or(0.01f), steps}; };
                return tuned_as({jackplane::clip_range<any_scale<Z>, jackplane::sigmoid>{own}}, {jackplane::adam{}},
                                rate);
            }
            if (_settings.how == method::efficientqat) // its first phase; scales learn as a part of what they are
            {
                float const first = t.rate_or(1e-3f);
                options.clip_rate = 10;
                auto const rate = [=](std::size_t steps) { return jackplane::cosine{first, steps, first / 20}; };
                return tuned_as({typename clip::moves_zero{{own}}}, {jackplane::adam{}}, rate);
            }
            options.clip_rate = t.learn_clipping ? 1.0f : 0.0f;
            auto const rate = [&](std::size_t steps) { return signround_rate(steps); };
            return tuned_as(learned, {jackplane::sign_step{}}, rate);
        };
        auto tuned = with_scheme(_settings.range, by_method);
        advance(layer, tuned);
        return tuned;
    }

    void layer_tuner::pass(dense_layer const& layer, std::span<jackplane::any_packed const> tuned)
    {
        _dense.advance(layer.w, _workers);
        advance(layer, tuned);
    }

    void layer_tuner::advance(dense_layer const& layer, std::span<jackplane::any_packed const> tuned)
    {
        std::vector<float> decoded(size_of(layer.parts));
        for (std::size_t n = 0; n < _streams.size(); ++n)
        {
            for (std::size_t i = 0; i < layer.parts.size(); ++i)
            {
                auto const out = matrix_of(decoded.data(), layer.parts, i);
                dequantize(tuned[i], _settings.slice, _settings.tuning.widths[n], out);
                put_back(layer.beside[i], out);
            }
            _streams[n].advance(view_of(decoded, layer.w), _workers);
        }
    }

    // A layer of other weights, in one array, with the norms of w.
    layer_view<float const> layer_tuner::view_of(std::vector<float> const& weights,
                                                 layer_view<float const> const& w) const
    {
        return w.with_matrices(_config, weights.data());
    }

    std::span<float const> layer_tuner::input_of(std::size_t width) const
    {
        return _settings.tuning.dense_inputs ? std::span<float const>(_dense_input) : _streams[width].input();
    }

    jackplane::linear_decay layer_tuner::signround_rate(std::size_t steps) const
    {
        auto const usual = jackplane::signround_rate(steps);
        return {_settings.tuning.rate_or(usual.first), steps};
    }

    // rate(steps) is the schedule of so many steps.
    template <jackplane::scale_number S, jackplane::zero_number Z>
    std::vector<jackplane::any_packed>
    layer_tuner::tune_as(dense_layer const& layer, any_clipping<Z> const& clip, any_step const& step,
                         std::function<any_rate(std::size_t)> const& rate, jackplane::tune_options options,
                         std::vector<width_report>* report)
    {
        using Clip = any_clipping<Z>;
        auto const& t = _settings.tuning;
        auto const& w = layer.left;
        auto const parts = layer.parts;
        constexpr float anywhere = std::numeric_limits<float>::max();
        float const clip_rate = options.clip_rate;
        std::vector<jackplane::pinned<layer_loss>> losses;
        for (std::size_t n = 0; n < t.widths.size() + (t.teacher > 0); ++n)
        {
            layer_loss loss(_config, w, input_of(n % t.widths.size()), _dense.input(), _dense.length(), _workers);
            loss.suppress_outliers(t.suppress_outliers);
            losses.push_back(with_beside(std::move(loss), parts, layer.beside));
        }
        std::vector<width_report> found;
        auto const told = [&](unsigned bits, jackplane::tune_report const& done, double moved) {
            found.push_back({bits, done.before, done.after, done.losses, moved});
        };
        auto const finish = [&](std::vector<leading<Clip, S>> const& codes)
        {
            auto made = packed_parents<Clip, S>(codes, w, parts);
            if (report)
                report->insert(report->end(), found.begin(), found.end());
            return made;
        };
        // All widths at once, through the codes of 8 bits.
        auto const jointly = [&](std::vector<tunable<8, Clip, S>> all, std::size_t steps)
        {
            std::visit(
                [&](auto const& goal)
                {
                    auto const done =
                        jackplane::tune(std::span(all), std::span(losses), goal, rate(steps), step, options, _workers);
                    told(8, done, moved_by_offsets<8, Clip, S>(all, t.widths.front()));
                },
                objective_of(t, _settings.slice));
            return finish(leading_of<8, Clip, S>(all));
        };
        auto codes = first_bits<Clip, S>(layer.inside, parts, t.widths.front(), t.inside.string());
        auto reach_of_all = jackplane::offset_reach::half_step_of(t.widths.front(), 8);
        if (t.reach > 0)
            reach_of_all.unit = 2 * t.reach;
        if (!t.lambdas.empty() && t.joint_steps == 0)
            return jointly(tunables<8, S, Clip>(w, parts, codes, _settings, clip, reach_of_all), t.steps);
        for (std::size_t n = codes.empty() ? 0 : 1; n < t.widths.size(); ++n)
            with_width(t.widths[n],
                       [&](auto bits)
                       {
                           bool const first = codes.empty();
                           auto const reach = first ? jackplane::offset_reach{} // half a step either way
                                                    : jackplane::offset_reach::cell_of(t.widths[n - 1], bits);
                           auto all = tunables<bits, S, Clip>(w, parts, codes, _settings, clip, reach);
                           options.clip_rate = first ? clip_rate : 0.0f; // all widths share the scales
                           if (first || options.learn_offsets)
                           {
                               auto const done = jackplane::tune(
                                   std::span(all), std::span(losses).subspan(n, 1), jackplane::one_width(bits),
                                   rate(first ? t.steps : t.finer_steps), step, options, _workers);
                               told(bits, done, first ? moved_by_offsets<bits, Clip, S>(all, bits) : 0);
                           }
                           codes = leading_of<bits, Clip, S>(all);
                       });
        if (t.widths.back() < 8)
            codes = leading_of<8, Clip, S>(tunables<8, S, Clip>(w, parts, codes, _settings, clip, {}));
        if (t.joint_steps == 0)
            return finish(codes);
        // From there on, with the scales as they are, every code may change.
        std::vector<leading<Clip, S>> scales;
        for (auto const& each : codes)
            scales.push_back(cut(each, 0));
        auto all = tunables<8, S, Clip>(w, parts, scales, _settings, clip, {reach_of_all.unit, anywhere});
        for (std::size_t i = 0; i < parts.size(); ++i)
            all[i].start_from(codes[i].codes);
        options.clip_rate = 0;
        return jointly(std::move(all), t.joint_steps);
    }

    // Stage after stage of the forward pass, and there each width from the inputs that its own stream gives it: GPTQ,
    // and SignRound from there or from the nearest codes.
    template <jackplane::scale_number S, jackplane::zero_number Z>
    std::vector<jackplane::any_packed>
    layer_tuner::tune_layer_wise(dense_layer const& layer, any_scale<Z> const& policy, any_clipping<Z> const& clipped,
                                 jackplane::tune_options options, std::vector<width_report>* report)
    {
        using clip = any_clipping<Z>;
        auto const& t = _settings.tuning;
        auto const& w = layer.w;
        auto const parts = layer.parts;
        bool const learns = _settings.how == method::signround, gptq = !learns || t.from_gptq;
        // The layer at each width: tuned as far as it is done, dense behind.
        std::vector<std::vector<float>> now(t.widths.size(), std::vector<float>(w.qkv, w.qkv + size_of(parts)));
        std::vector<width_report> losses;
        std::vector<leading<clip, S>> codes(parts.size());
        options.kept = jackplane::keep::best;
        options.check_every = 0; // a step sees all there is
        for (unsigned const bits : t.widths)
            losses.push_back({bits, 0, 0, {}});
        auto const one_matrix =
            [&]<unsigned Bits>(std::size_t i, std::size_t n, jackplane::feedback const& order, auto& loss)
        {
            auto const dense = matrix_of(layer.left.qkv, parts, i);
            uniform<Bits, 8> const book{};
            jackplane::quantize_options const named{{}, parts[i].name};
            auto const start = [&](auto const& sweep)
            {
                return n == 0 ? jackplane::quantize<S>(dense, book, policy, _settings.group, jackplane::nearest{},
                                                       sweep, named, _workers)
                              : jackplane::refine(dense, book, codes[i], sweep, parts[i].name, _workers);
            };
            auto& report_of = losses[n];
            auto const out = matrix_of(now[n].data(), parts, i);
            auto const loss_of = [&](auto const& q)
            {
                dequantize(q, out);
                put_back(layer.beside[i], out);
                return loss(std::span<float const>(out.data, out.rows * out.cols), std::span<float>());
            };
            auto const finish = [&](auto const& q)
            {
                report_of.after += loss_of(q);
                codes[i] = jackplane::leading(q);
            };
            auto const tune = [&](tunable<Bits, clip, S> m)
            {
                any_rate const rate = signround_rate(n == 0 ? t.steps : t.finer_steps);
                auto const done = jackplane::tune(std::span(&m, 1), std::span(&loss, 1), jackplane::one_width(Bits),
                                                  rate, any_step{}, options, _workers);
                report_of.before += done.before;
                report_of.steps.resize(std::max(report_of.steps.size(), done.losses.size())); // of all matrices
                for (std::size_t step = 0; step < done.losses.size(); ++step)
                    report_of.steps[step] += done.losses[step];
                finish(m.result());
            };
            auto const inside =
                n == 0 ? jackplane::offset_reach{} : jackplane::offset_reach::cell_of(t.widths[n - 1], Bits);
            options.clip_rate = n == 0 ? 1.0f : 0.0f;
            if (learns && !gptq)
                return n == 0 ? tune({dense, book, clipped, _settings.group, {.reach = inside, .name = parts[i].name}})
                              : tune({dense, book, codes[i], {.reach = inside, .name = parts[i].name}});
            auto const q = start(order);
            if (!learns)
            {
                report_of.before += loss_of(start(jackplane::independent{}));
                return finish(q);
            }
            auto const inner = n == 0 ? cut(jackplane::leading(q), 0) : codes[i];
            tunable<Bits, clip, S> m(
                dense, book, inner,
                {.reach = jackplane::offset_reach::cell_of(inner.bits, Bits), .name = parts[i].name});
            m.start_from(q.codes);
            options.clip_rate = 0;
            tune(std::move(m));
        };
        for (layer_stage const& stage : stages_of(_config, w.kind))
            for (std::size_t n = 0; n < t.widths.size(); ++n)
            {
                auto const view = view_of(now[n], w);
                auto const gram = _streams[n].gram(view, stage, _workers);
                auto const drift =
                    learns ? _streams[n].drift(view, stage, _dense, w, _workers) : std::vector<float>{};
                std::size_t const side = _dense.size_of(w, stage);
                jackplane::matrix_view<float const> const inputs{gram.data(), side, side};
                jackplane::feedback const order(
                    inputs, {.by_activation = _settings.by_activation, .name = parts[stage.first].name});
                for (std::size_t i = stage.first; i < stage.last; ++i)
                {
                    jackplane::layer_options const named{
                        learns ? jackplane::matrix_view<float const>{drift.data(), side, side}
                               : jackplane::matrix_view<float const>{},
                        parts[i].name};
                    jackplane::layer const of_all(matrix_of(w.qkv, parts, i), inputs, named, blas_product{});
                    auto loss = with_beside(of_all, parts.subspan(i, 1), layer.beside.subspan(i, 1));
                    with_width(t.widths[n],
                               [&](auto bits) { one_matrix.template operator()<bits>(i, n, order, loss); });
                }
            }
        if (t.widths.back() < 8)
            for (std::size_t i = 0; i < parts.size(); ++i)
                codes[i] = jackplane::leading(jackplane::refine(matrix_of(layer.left.qkv, parts, i), uniform<8>{},
                                                                codes[i], jackplane::independent{}));
        auto made = packed_parents<clip, S>(codes, layer.left, parts);
        if (report)
            report->insert(report->end(), losses.begin(), losses.end());
        _dense.advance(w, _workers);
        return made;
    }
}
