// SPDX-License-Identifier: BSD-3-Clause
#include "layer_tuner.hpp"
#include <jackplane/pack/pack.hpp>
#include <jackplane/tune/tune.hpp>
#include <algorithm>
#include <utility>

namespace llama
{
    namespace
    {
        using jackplane::uniform;

        template <unsigned Bits, class Clip>
        using tunable = jackplane::tunable<uniform<Bits, 8>, Clip>;
        template <class Clip>
        using leading = jackplane::leading_bits<jackplane::half, typename Clip::zero_type>;

        // body(width as a constant) for the width that is known at run time only
        template <class Body>
        void with_width(unsigned bits, Body&& body)
        {
            [&]<unsigned... B>(std::integer_sequence<unsigned, B...>)
            {
                ((bits == B + 1 ? body(std::integral_constant<unsigned, B + 1>{}) : void()), ...);
            }
            (std::make_integer_sequence<unsigned, 8>{});
        }

        jackplane::matrix_view<float const> matrix_of(layer_view<float const> const& w,
                                                      std::span<parameter const> parts, std::size_t i)
        {
            return {w.qkv + (parts[i].offset - parts[0].offset), parts[i].rows, parts[i].cols};
        }

        // The matrices of a layer at their first width, or inside of what is there.
        template <unsigned Bits, class Clip>
        std::vector<tunable<Bits, Clip>> tunables(layer_view<float const> const& w, std::span<parameter const> parts,
                                                  std::vector<leading<Clip>>& inside, quantize_settings const& s,
                                                  jackplane::offset_reach reach)
        {
            std::vector<tunable<Bits, Clip>> all;
            for (std::size_t i = 0; i < parts.size(); ++i)
            {
                jackplane::tunable_options const options{reach, {}, parts[i].name};
                if (inside.empty())
                    all.emplace_back(matrix_of(w, parts, i), uniform<Bits, 8>{}, Clip{}, s.group, options);
                else
                    all.emplace_back(matrix_of(w, parts, i), uniform<Bits, 8>{}, std::move(inside[i]), options);
            }
            return all;
        }
        template <unsigned Bits, class Clip>
        std::vector<leading<Clip>> leading_of(std::vector<tunable<Bits, Clip>> const& all)
        {
            std::vector<leading<Clip>> out;
            for (auto const& each : all)
                out.push_back(each.leading());
            return out;
        }

        template <class Clip>
        std::vector<jackplane::any_packed> packed_parents(std::vector<leading<Clip>> const& codes,
                                                          std::span<parameter const> parts)
        {
            std::vector<jackplane::any_packed> out;
            for (std::size_t i = 0; i < parts.size(); ++i)
                out.push_back(jackplane::pack<jackplane::bit_planes>(jackplane::quantized<uniform<8>, jackplane::half,
                                                                                          typename Clip::zero_type>{
                    {}, parts[i].rows, parts[i].cols, codes[i].grid, codes[i].codes, codes[i].scales, codes[i].zeros}));
            return out;
        }
    }

    layer_tuner::layer_tuner(config const& c, float const* embedding, quantize_settings const& s)
        : _config(c), _settings(s), _dense(c, embedding, s.calibration)
    {
        auto const& t = s.tuning;
        bool const ascending =
            std::adjacent_find(t.widths.begin(), t.widths.end(), std::greater_equal<unsigned>{}) == t.widths.end();
        JACKPLANE_EXPECTS(!t.widths.empty() && ascending && t.widths.front() >= 1 && t.widths.back() <= 8,
                          jackplane::width_error, "widths to tune: from 1 to 8, each once");
        JACKPLANE_EXPECTS(t.lambdas.empty() || t.lambdas.size() == t.widths.size(), jackplane::shape_error,
                          t.lambdas.size(), " lambdas for ", t.widths.size(), " widths");
        for (std::size_t i = 0; i < t.widths.size(); ++i)
            _streams.emplace_back(c, embedding, s.calibration);
    }

    std::vector<jackplane::any_packed> layer_tuner::tune(std::size_t layer, layer_view<float const> const& w,
                                                         std::span<parameter const> parts,
                                                         std::vector<width_report>* report)
    {
        _dense.advance(w, _workers);
        // SignRound learns where weights round and how ranges are clipped, OmniQuant the clipping alone.
        auto const by_method = [&]<class P>(P)
        {
            using jackplane::clip_range;
            jackplane::tune_options options{.batch = _settings.tuning.batch,
                                            .seed = _settings.tuning.seed + 1000003 * layer,
                                            .name = text("layer ", layer)};
            if (_settings.how == method::omniquant)
            {
                options.learn_offsets = false;
                auto const rate = [&](std::size_t steps) { return jackplane::constant{0.01f, steps}; };
                return tune_as<clip_range<P, jackplane::sigmoid>>(w, parts, jackplane::adam{}, rate, options, report);
            }
            auto const signround = [&]<class Clip>(Clip)
            { return tune_as<Clip>(w, parts, jackplane::sign_step{}, jackplane::signround_rate, options, report); };
            return _settings.search_scale ? signround(jackplane::adjust_scale<jackplane::mse_search<P>>{})
                                          : signround(clip_range<P>{});
        };
        auto tuned = _settings.range == scheme::symmetric    ? by_method(jackplane::gptq_symmetric{})
                     : _settings.range == scheme::asymmetric ? by_method(jackplane::minmax<>{})
                                                             : by_method(jackplane::full_range{});
        advance(w, parts, tuned);
        return tuned;
    }

    void layer_tuner::pass(layer_view<float const> const& w, std::span<parameter const> parts,
                           std::span<jackplane::any_packed const> tuned)
    {
        _dense.advance(w, _workers);
        advance(w, parts, tuned);
    }

    void layer_tuner::advance(layer_view<float const> const& w, std::span<parameter const> parts,
                              std::span<jackplane::any_packed const> tuned)
    {
        std::size_t const size = parts.back().offset + parts.back().size() - parts[0].offset;
        std::vector<float> decoded(size);
        for (std::size_t n = 0; n < _streams.size(); ++n)
        {
            for (std::size_t i = 0; i < parts.size(); ++i)
            {
                jackplane::matrix_view<float> const out{decoded.data() + (parts[i].offset - parts[0].offset),
                                                        parts[i].rows, parts[i].cols};
                std::visit([&](auto const& a) { dequantize(a.prefix(_settings.tuning.widths[n]), out, _workers); },
                           tuned[i]);
            }
            auto view = parameter_view<float const>(_config, nullptr, nullptr).layer(0, decoded.data());
            view.attention_norm = w.attention_norm;
            view.mlp_norm = w.mlp_norm;
            _streams[n].advance(view, _workers);
        }
    }

    // rate(steps) is the schedule of so many steps.
    template <class Clip, class Step, class Rate>
    std::vector<jackplane::any_packed>
    layer_tuner::tune_as(layer_view<float const> const& w, std::span<parameter const> parts, Step const& step,
                         Rate const& rate, jackplane::tune_options options, std::vector<width_report>* report)
    {
        auto const& t = _settings.tuning;
        std::vector<layer_loss> losses;
        for (calibration_stream const& stream : _streams)
        {
            losses.emplace_back(_config, w, stream.input(), _dense.input(), _dense.length(), _workers);
            losses.back().suppress_outliers(t.suppress_outliers);
        }
        auto const told = [&](unsigned bits, jackplane::tune_report const& done)
        {
            if (report)
                report->push_back({bits, done.before, done.after});
        };
        std::vector<leading<Clip>> codes;
        if (!t.lambdas.empty()) // all widths at once, through the codes of 8 bits
        {
            auto const reach = jackplane::offset_reach::half_step_of(t.widths.front(), 8);
            auto all = tunables<8, Clip>(w, parts, codes, _settings, reach);
            jackplane::objective<> goal;
            for (std::size_t n = 0; n < t.widths.size(); ++n)
                goal.terms.push_back({t.widths[n], t.lambdas[n]});
            told(8, jackplane::tune(std::span(all), std::span(losses), goal, rate(t.steps), step, options, _workers));
            return packed_parents<Clip>(leading_of<8, Clip>(all), parts);
        }
        for (std::size_t n = 0; n < t.widths.size(); ++n)
            with_width(t.widths[n],
                       [&](auto bits)
                       {
                           bool const first = codes.empty();
                           auto const reach = first ? jackplane::offset_reach{} // half a step either way
                                                    : jackplane::offset_reach::cell_of(t.widths[n - 1], bits);
                           auto all = tunables<bits, Clip>(w, parts, codes, _settings, reach);
                           options.clip_rate = first ? 1.0f : 0.0f; // all widths share the scales
                           if (first || options.learn_offsets)
                               told(bits,
                                    jackplane::tune(std::span(all), std::span(losses).subspan(n, 1),
                                                    jackplane::one_width(bits), rate(first ? t.steps : t.finer_steps),
                                                    step, options, _workers));
                           codes = leading_of<bits, Clip>(all);
                       });
        if (t.widths.back() < 8)
            codes = leading_of<8, Clip>(tunables<8, Clip>(w, parts, codes, _settings, {}));
        return packed_parents<Clip>(codes, parts);
    }
}
