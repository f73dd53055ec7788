// SPDX-License-Identifier: BSD-3-Clause
#include "layer_tuner.hpp"
#include "../run/math/blas_product.hpp"
#include "beside.hpp"
#include "leading_codes.hpp"
#include <jackplane/loss/layer.hpp>
#include <algorithm>
#include <utility>

namespace engine
{
    tuned_matrices layer_tuner::tune(std::size_t number, dense_layer const& layer, matrix_learning const& how)
    {
        std::string const name = text("layer ", number);
        auto tuned = with_scheme(_codes.range,
                                 [&]<class P>(P)
                                 {
                                     policies<P> const from(_settings);
                                     return in_half_or_wider(
                                         [&]<class S>(S)
                                         {
                                             return tune_matrices_as<S, typename P::zero_type>(
                                                 layer, from.start, from.learned, how,
                                                 options_of(_settings, number, name));
                                         });
                                 });
        _dense.advance(layer.w, _workers);
        advance(layer, tuned.matrices);
        return tuned;
    }

    // Stage after stage of the forward pass, and there each width from the inputs that its own stream gives it: codes
    // with feedback, and what is learned from there or from the nearest codes.
    template <jackplane::scale_number S, jackplane::zero_number Z>
    tuned_matrices layer_tuner::tune_matrices_as(dense_layer const& layer, any_scale<Z> const& policy,
                                                 any_clipping<Z> const& clipped, matrix_learning const& how,
                                                 jackplane::tune_options options)
    {
        using clip = any_clipping<Z>;
        auto const& t = _settings;
        auto const& w = layer.w;
        auto const parts = layer.parts;
        bool const learns = static_cast<bool>(how.rate);
        // The layer at each width: tuned as far as it is done, dense behind.
        std::vector<std::vector<float>> now(t.widths.size(), std::vector<float>(w.qkv, w.qkv + size_of(parts)));
        width_reports losses;
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
                return n == 0 ? jackplane::quantize<S>(dense, book, policy, _codes.group, jackplane::nearest{}, sweep,
                                                       named, _workers)
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
                any_rate const rate = how.rate(n == 0 ? t.steps : t.finer_steps);
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
            if (!how.feedback)
                return n == 0 ? tune({dense, book, clipped, _codes.group, {.reach = inside, .name = parts[i].name}})
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
                jackplane::feedback const order(inputs, {.name = parts[stage.first].name});
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
        return {packed_parents<uniform<8>, clip, S>(codes, layer.left, parts), std::move(losses)};
    }
}
