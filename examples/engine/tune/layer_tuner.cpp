// SPDX-License-Identifier: BSD-3-Clause
#include "layer_tuner.hpp"
#include "beside.hpp"
#include "leading_codes.hpp"
#include <algorithm>
#include <limits>
#include <utility>

namespace engine
{
    namespace
    {
        // The matrices of a layer at their first width, or inside of what is there, whose scales stay or are adjusted.
        template <class Book, class S, class Clip>
        std::vector<jackplane::tunable<Book, Clip, S>>
        tunables(layer_view<float const> const& w, std::span<parameter const> parts,
                 std::vector<leading<Clip, S>>& inside, jackplane::group group, Clip const& clip,
                 jackplane::offset_reach reach, jackplane::learns what, Clip const* adjusts = nullptr)
        {
            std::vector<jackplane::tunable<Book, Clip, S>> all;
            for (std::size_t i = 0; i < parts.size(); ++i)
            {
                jackplane::tunable_options const options{.reach = reach, .what = what, .name = parts[i].name};
                if (inside.empty())
                    all.emplace_back(matrix_of(w.qkv, parts, i), Book{}, clip, group, options);
                else if (adjusts != nullptr)
                    all.emplace_back(matrix_of(w.qkv, parts, i), Book{}, std::move(inside[i]), *adjusts, options);
                else
                    all.emplace_back(matrix_of(w.qkv, parts, i), Book{}, std::move(inside[i]), options);
                expect_scales(all.back().result(), matrix_of(w.qkv, parts, i), parts[i].name);
            }
            return all;
        }
        template <class Book, class Clip, class S>
        std::vector<leading<Clip, S>> leading_of(std::vector<jackplane::tunable<Book, Clip, S>> const& all)
        {
            std::vector<leading<Clip, S>> out;
            for (auto const& each : all)
                out.push_back(jackplane::leading(each.result()));
            return out;
        }

        // What parents are at `bits`. Throws value_error where scales are wider than S.
        template <class Clip, class S>
        std::vector<leading<Clip, S>> first_bits(std::span<packed_model::matrix const> parents,
                                                 std::span<parameter const> parts, unsigned bits)
        {
            std::vector<leading<Clip, S>> out;
            for (std::size_t i = 0; i < parents.size(); ++i)
            {
                auto const take = [&]<class From, class Parent>(From, Parent)
                {
                    using parent = jackplane::packed<jackplane::bit_planes, Parent, From, typename Clip::zero_type>;
                    auto const* const of = std::get_if<parent>(&parents[i].packed);
                    if (!of)
                        return false;
                    auto first = jackplane::leading(*of, bits);
                    out.push_back({bits, first.grid, std::move(first.codes), stored_as<S>(first.scales), first.zeros});
                    return true;
                };
                auto const of_either = [&](auto scale)
                { return take(scale, uniform<8>{}) || take(scale, overlapping<8>{}); };
                bool const is_there = of_either(jackplane::half{}) || (std::same_as<S, jackplane::bfloat16> &&
                                                                       of_either(jackplane::bfloat16{}));
                JACKPLANE_EXPECTS(is_there, jackplane::value_error, parts[i].name, ": its scales are not in half");
            }
            return out;
        }

        // Part of the codes, cut to `bits`, that learned offsets made other than the nearest ones.
        template <class Tunable>
        double moved_by_offsets(std::vector<Tunable> const& all, unsigned bits)
        {
            std::size_t moved = 0, weights = 0;
            for (Tunable nearest : all)
            {
                auto const codes = nearest.result().codes;
                std::fill(nearest.learned().offset.begin(), nearest.learned().offset.end(), 0.0f);
                nearest.round();
                weights += codes.size();
                for (std::size_t i = 0; i < codes.size(); ++i)
                    moved += (codes[i] ^ nearest.result().codes[i]) >> (nearest.result().book.bits - bits) != 0;
            }
            return static_cast<double>(moved) / static_cast<double>(std::max<std::size_t>(weights, 1));
        }

    }

    layer_tuner::layer_tuner(config const& c, float const* embedding, code_settings const& codes,
                             tuning_settings const& t, calibration_text const& text)
        : _config(c), _codes(codes), _settings(t), _dense(c, embedding, text)
    {
        for (std::size_t i = 0; i < t.widths.size(); ++i)
            _streams.emplace_back(c, embedding, text);
    }

    tuned_matrices layer_tuner::tune(std::size_t number, dense_layer const& layer, learning const& how)
    {
        std::string const name = text("layer ", number);
        if (_settings.dense_inputs)
            _dense_input.assign(_dense.input().begin(), _dense.input().end());
        _dense.advance(layer.w, _workers); // to what the layer shall give
        auto const by_policy = [&]<class P>(P)
        {
            using Z = typename P::zero_type;
            using clip = any_clipping<Z>;
            policies<P> const from(_settings);
            clip what = from.learned;
            if (how.groups == learning::of_groups::logits_of_range)
                what = {jackplane::clip_range<any_scale<Z>, jackplane::sigmoid>{from.own}};
            else if (how.groups == learning::of_groups::scale_and_zero)
                what = {typename clip::moves_zero{{from.own}}};
            return in_half_or_wider([&]<class S>(S)
                                    { return tune_as<S, Z>(layer, what, how, options_of(_settings, number, name)); });
        };
        auto tuned = with_scheme(_codes.range, by_policy);
        advance(layer, tuned.matrices);
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
                dequantize(tuned[i], _codes.slice, _settings.widths[n], out);
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
        return _settings.dense_inputs ? std::span<float const>(_dense_input) : _streams[width].input();
    }

    template <jackplane::scale_number S, jackplane::zero_number Z>
    tuned_matrices layer_tuner::tune_as(dense_layer const& layer, any_clipping<Z> const& clip, learning const& how,
                                        jackplane::tune_options options)
    {
        using Clip = any_clipping<Z>;
        auto const& t = _settings;
        auto const& w = layer.left;
        auto const parts = layer.parts;
        constexpr float anywhere = std::numeric_limits<float>::max();
        options.clip_rate = how.clip_rate;
        options.learn_offsets = how.weights_learn;
        std::vector<jackplane::pinned<layer_loss>> losses;
        for (std::size_t n = 0; n < t.widths.size() + (t.teacher > 0); ++n)
        {
            layer_loss loss(_config, w, input_of(n % t.widths.size()), _dense.input(), _dense.length(), _workers);
            loss.suppress_outliers(t.suppress_outliers);
            losses.push_back(with_beside(std::move(loss), parts, layer.beside));
        }
        width_reports found;
        auto const told = [&](unsigned bits, jackplane::tune_report const& done, double moved) {
            found.push_back({bits, done.before, done.after, done.losses, moved});
        };
        auto const finish = [&]<class Parent>(Parent, std::vector<leading<Clip, S>> const& codes,
                                              std::vector<leading<Clip, S>> const& own = {}) {
            return tuned_matrices{packed_parents<Parent, Clip, S>(codes, w, parts, own), std::move(found)};
        };
        // All widths at once, through the codes of 8 bits.
        auto const jointly = [&](std::vector<tunable<8, Clip, S>> all, std::size_t steps)
        {
            std::visit(
                [&](auto const& goal)
                {
                    auto const done = jackplane::tune(std::span(all), std::span(losses), goal, how.rate(steps),
                                                      how.step, options, _workers);
                    told(8, done, moved_by_offsets(all, t.widths.front()));
                },
                objective_of(t, _codes.slice));
            return finish(uniform<8>{}, leading_of(all));
        };
        auto const stay = [&](unsigned bits) { return first_bits<Clip, S>(layer.inside, parts, bits); };
        auto codes = stay(t.widths.front());
        auto reach_of_all = jackplane::offset_reach::half_step_of(t.widths.front(), 8);
        if (t.reach > 0)
            reach_of_all.unit = 2 * t.reach;
        if (!t.lambdas.empty() && t.joint_steps == 0)
            return jointly(tunables<uniform<8>, S>(w, parts, codes, _codes.group, clip, reach_of_all, how.what),
                           t.steps);
        // Codes overlap behind 2 bits, or where those that stay do. Those of 3 and 4 bits behind 2 adjust the scales: 2
        // bits keep what is theirs.
        bool const behind_two = t.widths.front() <= 2;
        bool const overlap = behind_two ? t.overlaps() : !layer.inside.empty() && overlaps(layer.inside[0].packed);
        Clip const adjusted{typename Clip::moves_zero{}};
        auto coarse = !overlap ? std::vector<leading<Clip, S>>{} : behind_two ? codes : stay(2);
        auto const stage = [&]<class Book>(Book, std::size_t n)
        {
            constexpr unsigned bits = Book::bits;
            bool const adjusts = jackplane::leveled_codebook<Book> && bits <= 4 && behind_two;
            constexpr float adjusting_rate = bits == 3 ? 0.15f : 0.1f; // in parts of that of ranges, by trial
            bool const first = codes.empty();
            auto const reach = first ? jackplane::offset_reach{} // half a step either way
                                     : jackplane::offset_reach::cell_of(t.widths[n - 1], bits);
            auto all = tunables<Book, S>(w, parts, codes, _codes.group, clip, reach, how.what,
                                         adjusts ? &adjusted : nullptr);
            options.clip_rate = first ? how.clip_rate : adjusts ? adjusting_rate * how.clip_rate : 0.0f;
            if (first || options.learn_offsets)
            {
                auto const done = jackplane::tune(std::span(all), std::span(losses).subspan(n, 1),
                                                  jackplane::one_width(bits), how.rate(first ? t.steps : t.finer_steps),
                                                  how.step, options, _workers);
                told(bits, done, first ? moved_by_offsets(all, bits) : 0);
            }
            codes = leading_of(all);
            if (bits == 2 && overlap)
                coarse = codes;
        };
        auto const complete = [&]<class Parent>(Parent) // bits below the last tuned ones: as near as they can be
        {
            if (t.widths.back() < 8)
                codes = leading_of(tunables<Parent, S>(w, parts, codes, _codes.group, clip, {}, how.what));
        };
        for (std::size_t n = codes.empty() ? 0 : 1; n < t.widths.size(); ++n)
            with_width(t.widths[n],
                       [&](auto bits)
                       {
                           if constexpr (bits > 2)
                               if (overlap)
                                   return stage(overlapping<bits>{}, n);
                           stage(uniform<bits, 8>{}, n);
                       });
        if (overlap)
        {
            complete(overlapping<8>{});
            return finish(overlapping<8>{}, codes, coarse);
        }
        complete(uniform<8>{});
        if (t.joint_steps == 0)
            return finish(uniform<8>{}, codes);
        // From there on, with the scales as they are, every code may change.
        std::vector<leading<Clip, S>> scales;
        for (auto const& each : codes)
            scales.push_back(cut(each, 0));
        auto all =
            tunables<uniform<8>, S>(w, parts, scales, _codes.group, clip, {reach_of_all.unit, anywhere}, how.what);
        for (std::size_t i = 0; i < parts.size(); ++i)
            all[i].start_from(codes[i].codes);
        options.clip_rate = 0;
        return jointly(std::move(all), t.joint_steps);
    }
}
