// SPDX-License-Identifier: BSD-3-Clause
#include "weight_trainer.hpp"
#include "../measure/loss.hpp"
#include "../pack/format/storage.hpp"
#include "any_clipping.hpp"
#include "beside.hpp"
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/overlapping.hpp>
#include <jackplane/quantize/refine.hpp>
#include <jackplane/tune/tune.hpp>
#include <algorithm>

namespace engine
{
    namespace
    {
        using jackplane::uniform;

        // Of the origin of what is kept.
        template <jackplane::scale_number S>
        constexpr char const* storage_suffix() noexcept
        {
            return std::same_as<S, jackplane::half> ? "" : " bfloat16";
        }

        constexpr std::size_t save_every = 10; // steps, each a way back through the model; 12 bytes a weight

        // The loss as a function of the layers' weights; an lm_head behind them stays as it is.
        class loss_of_layers
        {
        public:
            loss_of_layers(model const& m, calibration_text const& text, jackplane::team const& workers)
                : _size(size_of(m.table.of_layers())),
                  _loss(m, text.tokens, text.length, workers),
                  _all(m.tuned().begin(), m.tuned().end()),
                  _slope(_all.size())
            {
            }
            std::size_t size() const { return _size; }
            std::size_t samples() const { return _loss.samples(); }
            void at(std::span<std::size_t const> windows) { _loss.at(windows); }
            void teach(std::span<float const> w)
            {
                if (w.empty())
                    return _loss.teach({});
                std::copy(w.begin(), w.end(), _all.begin());
                _loss.teach(_all);
            }
            double operator()(std::span<float const> w, std::span<float> g)
            {
                std::copy(w.begin(), w.end(), _all.begin());
                double const value = _loss(_all, g.empty() ? std::span<float>() : std::span<float>(_slope));
                std::copy_n(_slope.begin(), g.size(), g.begin());
                return value;
            }

        private:
            std::size_t _size;
            language_model_loss _loss;
            std::vector<float> _all, _slope;
        };

        template <unsigned Bits, jackplane::scale_number S, jackplane::zero_number Z, class Objective>
        tuned_matrices train_as(model const& m, jackplane::group group, tuning_settings const& t,
                                any_clipping<Z> const& clip, Objective const& goal, training_run const& run)
        {
            using tunable = jackplane::tunable<uniform<Bits, 8>, any_clipping<Z>, S>;
            auto const parts = m.table.of_layers();
            jackplane::team const workers;
            std::vector<tunable> all;
            auto const weights = [&](std::size_t i) { return matrix_of(m.w.data(), parts, i); };
            for (std::size_t i = 0; i < parts.size(); ++i)
            {
                all.emplace_back(weights(i), uniform<Bits, 8>{}, clip, group,
                                 jackplane::tunable_options{.what = jackplane::learns::weights,
                                                            .follows_weights = true,
                                                            .name = parts[i].name});
            }
            loss_of_layers loss(m, run.text, workers);
            jackplane::tune_options options{
                .clip_rate = 0, .batch = t.batch, .seed = t.seed, .tell = run.tell, .name = "training"};
            auto origin = run.origin;
            auto store = run.kept.run("training", origin.add(std::span(m.w)).text_of() + storage_suffix<S>());
            options.checkpoints = store.serve(save_every);
            auto const done =
                jackplane::tune(std::span(all), std::span(&loss, 1), goal, jackplane::cosine{t.rate_or(3e-4f), t.steps},
                                jackplane::adam{}, options, workers);
            tuned_matrices out;
            for (std::size_t i = 0; i < parts.size(); ++i)
            {
                expect_scales(all[i].result(), weights(i), parts[i].name);
                if constexpr (Bits == 8)
                    out.matrices.push_back(pack_parent(all[i].result(), workers));
                else // the bits below: nearest to what the weight has become
                {
                    std::vector<float> now = all[i].learned().offset;
                    std::transform(now.begin(), now.end(), m.w.begin() + static_cast<std::ptrdiff_t>(parts[i].offset),
                                   now.begin(), std::plus<>{});
                    jackplane::matrix_view<float const> const w{now.data(), parts[i].rows, parts[i].cols};
                    out.matrices.push_back(
                        pack_parent(jackplane::refine(w, uniform<8>{}, jackplane::leading(all[i].result())), workers));
                }
            }
            out.losses.push_back({Bits, done.before, done.after, done.losses});
            return out;
        }

        // The codes of a parent with the scales and zeros that `bits` bits are read with.
        template <class To, class Book, jackplane::scale_number S, jackplane::zero_number Z>
        jackplane::quantized<Book, To, Z> read_at(jackplane::packed<jackplane::bit_planes, Book, S, Z> const& parent,
                                                  unsigned bits)
        {
            auto q = unpack(parent);
            auto own = jackplane::leading(parent, bits);
            return {q.book, q.rows, q.cols, q.grid, std::move(q.codes), stored_as<To>(own.scales),
                    std::move(own.zeros)};
        }

        // The parents of the layers with scales in S; those that are in half are rounded to bfloat16 beside others.
        template <class Book, jackplane::scale_number S, jackplane::zero_number Z>
        std::vector<jackplane::packed<jackplane::bit_planes, Book, S, Z>> parents_of(packed_model const& m)
        {
            using narrow = jackplane::packed<jackplane::bit_planes, Book, jackplane::half, Z>;
            std::vector<jackplane::packed<jackplane::bit_planes, Book, S, Z>> out;
            for (std::size_t i = 0; i < m.table.of_layers().size(); ++i)
            {
                jackplane::any_packed const& of = m.matrices[i].packed;
                auto const* const in_half = std::get_if<narrow>(&of);
                JACKPLANE_EXPECTS(in_half || (std::same_as<S, jackplane::bfloat16>), jackplane::value_error,
                                  m.table.parameters()[i].name, ": its scales are not in half");
                if constexpr (std::same_as<S, jackplane::half>)
                    out.push_back(*in_half);
                else if (!in_half)
                    out.push_back(std::get<jackplane::packed<jackplane::bit_planes, Book, S, Z>>(of));
                else
                {
                    auto wide = jackplane::pack<jackplane::bit_planes>(read_at<S>(*in_half, 8));
                    for (unsigned bits = 1; bits < 8; ++bits)
                        if (in_half->own_scales()[bits].scales != nullptr)
                            wide = with_scales(wide, bits, read_at<S>(*in_half, bits));
                    out.push_back(std::move(wide));
                }
            }
            return out;
        }

        // Book, S, Z: of the parents: their codebook, what their scales and zeros are stored as
        template <class Book, jackplane::scale_number S, jackplane::zero_number Z>
        width_reports train_scales_as(packed_model& m, scale_settings const& t, training_run const& run)
        {
            using clip = jackplane::adjust_scale<any_scale<Z>>;
            using tunable = jackplane::tunable<Book, clip, S>;
            auto parents = parents_of<Book, S, Z>(m);
            width_reports found;
            jackplane::team const workers;
            model const dense = m.decode(8);
            auto const parts = dense.table.of_layers();
            std::vector<any_csr> beside;
            for (std::size_t i = 0; i < parts.size(); ++i)
                beside.push_back(m.matrices[i].sparse);
            auto loss = with_beside(loss_of_layers(dense, run.text, workers), parts, beside);
            auto origin = run.origin;
            origin.add(std::span(dense.w)).say("scales ", t.rate, " ", t.batch, " ", t.seed, " ", t.steps);
            for (unsigned const bits : t.widths)
                origin.say(bits);
            for (unsigned const bits : t.widths)
            {
                std::vector<tunable> all;
                for (std::size_t i = 0; i < parts.size(); ++i)
                    all.emplace_back(matrix_of(dense.w.data(), parts, i), read_at<S>(parents[i], bits), clip{},
                                     jackplane::tunable_options{.name = parts[i].name});
                auto const name = text("scales at ", bits, " bits");
                jackplane::tune_options options{
                    .learn_offsets = false, .batch = t.batch, .seed = t.seed, .tell = run.tell, .name = name};
                auto store = run.kept.run(text("scales.", bits), origin.text_of() + storage_suffix<S>());
                options.checkpoints = store.serve(save_every);
                auto const done = std::visit(
                    [&](auto rule)
                    {
                        return jackplane::tune(std::span(all), std::span(&loss, 1),
                                               jackplane::objective{{{bits, 1}}, rule},
                                               jackplane::cosine{t.rate, t.steps}, jackplane::adam{}, options, workers);
                    },
                    m.slice);
                found.push_back({bits, done.before, done.after, done.losses});
                for (std::size_t i = 0; i < parts.size(); ++i)
                {
                    auto const& now = all[i].result();
                    auto const was = jackplane::leading(parents[i], bits).scales;
                    for (std::size_t at = 0; at < was.size(); ++at) // what is 0 stays 0
                        JACKPLANE_EXPECTS(to_float(was[at]) == 0 || (to_float(now.scales[at]) != 0 &&
                                                                     jackplane::holds<S>(to_float(now.scales[at]))),
                                          jackplane::value_error, parts[i].name, ": scale ", at, " became ",
                                          to_float(now.scales[at]), ", which its storage type does not hold");
                    bool const of_all = t.widths.size() == 1 && std::same_as<Book, uniform<8>>;
                    parents[i] = of_all ? jackplane::pack<jackplane::bit_planes>(now, workers)
                                        : with_scales(parents[i], bits, now);
                }
            }
            for (std::size_t i = 0; i < parts.size(); ++i)
                m.matrices[i].packed = std::move(parents[i]);
            return found;
        }
    }

    width_reports train_scales(packed_model& m, scheme range, scale_settings const& t, training_run const& run)
    {
        return with_scheme(range,
                           [&]<class P>(P)
                           {
                               using Z = typename P::zero_type;
                               return in_half_or_wider(
                                   [&]<class S>(S)
                                   {
                                       return overlaps(m.matrices[0].packed)
                                                  ? train_scales_as<jackplane::overlapping<8>, S, Z>(m, t, run)
                                                  : train_scales_as<uniform<8>, S, Z>(m, t, run);
                                   });
                           });
    }

    tuned_matrices train_weights(model const& m, code_settings const& codes, tuning_settings const& t,
                                 training_run const& run)
    {
        bool const joint = t.widths.size() > 1;
        tuned_matrices out;
        auto const train_in = [&]<unsigned Bits>(auto const& clip, auto const& goal)
        { return in_half_or_wider([&]<class S>(S) { return train_as<Bits, S>(m, codes.group, t, clip, goal, run); }); };
        auto const train = [&]<class Z>(any_clipping<Z> const& clip)
        {
            if (joint)
                out = std::visit([&](auto const& goal) { return train_in.template operator()<8>(clip, goal); },
                                 objective_of(t, codes.slice));
            else
                with_width(t.widths[0], [&](auto bits)
                           { out = train_in.template operator()<bits>(clip, jackplane::one_width(bits)); });
        };
        with_scheme(codes.range,
                    [&]<class P>(P)
                    {
                        using Z = typename P::zero_type;
                        any_scale<Z> const own{jackplane::parent_scale<P>{{}, true}};
                        train(any_clipping<Z>{jackplane::clip_range<any_scale<Z>>{own}});
                    });
        return out;
    }
}
