// SPDX-License-Identifier: BSD-3-Clause
#include "quantize_model.hpp"
#include "layer_balancer.hpp"
#include "../keep/layer_store.hpp"
#include "../tune/layer_tuner.hpp"
#include "../measure/loss.hpp"
#include "../pack/nested_model.hpp"
#include "../keep/run_origin.hpp"
#include "../pack/storage.hpp"
#include "../tokenize/tokenizer.hpp"
#include "../tune/weight_trainer.hpp"
#include "widths.hpp"
#include <jackplane/core/parallel.hpp>
#include <jackplane/detach/detach.hpp>
#include <jackplane/integrate/taylor.hpp>
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/matryoshka.hpp>
#include <jackplane/quantize/quantize.hpp>
#include <jackplane/quantize/row_table.hpp>
#include <algorithm>
#include <optional>
#include <string_view>

namespace engine
{
    namespace
    {
        // One matrix in planes of L; order: null for every weight on its own.
        template <jackplane::code_layout L>
        jackplane::any_packed quantize_in(jackplane::matrix_view<float const> const w, quantize_settings const& s,
                                          jackplane::feedback const* order, std::string_view name)
        {
            auto const with = [&]<class Policy>(Policy policy) -> jackplane::any_packed
            {
                auto const run = [&](auto p, auto const& sweep)
                {
                    return in_half_or_wider(
                        [&]<class S>(S) -> jackplane::any_packed
                        {
                            jackplane::uniform<L::bits> const book{};
                            jackplane::threads const all{};
                            auto const q = jackplane::quantize<S>(w, book, p, s.group, jackplane::nearest{}, sweep,
                                                                  {{}, name}, all);
                            return jackplane::pack<L>(q, all);
                        });
                };
                jackplane::independent const alone;
                if (order)
                    return s.search_scale ? run(jackplane::mse_search{policy}, *order) : run(policy, *order);
                return s.how == method::mse ? run(jackplane::mse_search{policy}, alone) : run(policy, alone);
            };
            return with_scheme(s.range, with);
        }

        // Codes of 8 bits, each the best for what it means at all widths.
        jackplane::any_packed quantize_for_widths(jackplane::matrix_view<float const> const w,
                                                  quantize_settings const& s, jackplane::feedback const& order,
                                                  std::string_view name)
        {
            auto const& t = s.tuning;
            std::vector<float> const even(t.widths.size(), 1.0f);
            auto const book =
                std::visit([&](auto const& rule)
                           { return jackplane::matryoshka(t.widths, t.lambdas.empty() ? even : t.lambdas, rule); },
                           s.slice);
            auto const run = [&]<class P>(P policy) -> jackplane::any_packed
            {
                return in_half_or_wider(
                    [&]<class S>(S) -> jackplane::any_packed
                    {
                        jackplane::threads const all{};
                        auto q = jackplane::quantize<S>(w, book, policy, s.group, jackplane::nearest{}, order,
                                                        {{}, name}, all);
                        return jackplane::pack<jackplane::bit_planes>(
                            jackplane::quantized<jackplane::uniform<8>, S, typename P::zero_type>{{},
                                                                                                  q.rows,
                                                                                                  q.cols,
                                                                                                  q.grid,
                                                                                                  std::move(q.codes),
                                                                                                  std::move(q.scales),
                                                                                                  std::move(q.zeros)},
                            all);
                    });
            };
            return with_scheme(s.range,
                               [&](auto policy)
                               {
                                   jackplane::parent_scale const parent{policy};
                                   return s.search_scale ? run(jackplane::mse_search{parent}) : run(parent);
                               });
        }

        // w becomes what is left of it.
        void decode_in_place(jackplane::any_packed const& m, any_csr const& beside, jackplane::matrix_view<float> w)
        {
            std::visit([&](auto const& a) { dequantize(a, w, jackplane::threads{}); }, m);
            put_back(beside, w);
        }

        jackplane::any_packed quantize_matrix(jackplane::matrix_view<float const> w, quantize_settings const& s,
                                              jackplane::feedback const* order, std::string_view name)
        {
            if (s.how == method::matgptq && order)
                return quantize_for_widths(w, s, *order, name);
            switch (s.bits)
            {
            case 8:
                return quantize_in<jackplane::bit_planes>(w, s, order, name);
            case 4:
                return quantize_in<jackplane::planes<4>>(w, s, order, name);
            case 3:
                return quantize_in<jackplane::planes<2, 1>>(w, s, order, name);
            case 2:
                return quantize_in<jackplane::planes<2>>(w, s, order, name);
            default:
                jackplane::fail<jackplane::width_error>(
                    text("no parent of ", s.bits, " bits; there are 8, 4, 3 and 2"));
            }
        }

        // To 2, 3 or 4 bits. information: of each weight; those that are 0 (or stand beside) decide nothing, as in
        // SqueezeLLM.
        jackplane::any_packed quantize_to_tables(jackplane::matrix_view<float const> w,
                                                 std::span<float const> information, unsigned bits,
                                                 std::string_view name)
        {
            std::vector<float> matters(information.begin(), information.end());
            for (std::size_t i = 0; i < matters.size(); ++i)
                matters[i] = w.data[i] == 0 ? 0 : matters[i];
            auto const with = [&]<unsigned B, class L>(jackplane::row_table<B> book, L) -> jackplane::any_packed
            {
                return in_half_or_wider(
                    [&]<class S>(S) -> jackplane::any_packed
                    {
                        jackplane::threads const all{};
                        auto const q = jackplane::quantize<S>(w, book, {{matters.data(), w.rows, w.cols}, name}, all);
                        return jackplane::pack<L>(q, all);
                    });
            };
            if (bits == 4)
                return with(jackplane::row_table<4>{}, jackplane::planes<4>{});
            if (bits == 3)
                return with(jackplane::row_table<3>{}, jackplane::planes<2, 1>{});
            return with(jackplane::row_table<2>{}, jackplane::planes<2>{});
        }

        // What all methods share: the files, the table, the model that grows.
        struct job
        {
            quantize_settings const& s;
            config const& c;
            checkpoint_files const& files;
            packed_model& m;
            jackplane::progress const& tell;
            model* dense; // gets the weights as the method sees them; or nullptr

            std::span<parameter const> parts_of(std::size_t layer) const { return m.table.of_layer(layer); }
            // The matrices of a layer, one after the other -> w
            void read_layer(std::size_t layer, jackplane::aligned_vector<float>& w) const
            {
                auto const parts = parts_of(layer);
                w.resize(size_of(parts));
                for (parameter p : parts)
                {
                    p.offset -= parts[0].offset;
                    read_parameter(files, p, w);
                }
            }
            // The dense weights of a layer, balanced if they shall be.
            void seen(std::size_t layer, std::span<float const> w) const
            {
                if (dense)
                    std::copy(w.begin(), w.end(),
                              dense->w.begin() + static_cast<std::ptrdiff_t>(parts_of(layer)[0].offset));
            }
            // The weights of matrix i that stand beside its planes; in w they become 0.
            any_csr detached(std::size_t i, jackplane::matrix_view<float> w) const
            {
                std::string const& name = m.table.parameters()[i].name;
                return s.beside.empty() ? any_csr{} : any_csr::detach(w, s.beside[i], name);
            }
            void told(std::size_t i) const
            {
                if (tell)
                    tell(m.table.parameters()[i].name, i + 1, m.matrices.size());
            }
            // Matrix i is there; its weights become what is left of them where somebody reads them again.
            void made(std::size_t i, jackplane::any_packed packed, any_csr beside, float* weights,
                      bool read_again) const
            {
                parameter const& p = m.table.parameters()[i];
                m.matrices[i] = {std::move(packed), true, {}, std::move(beside)};
                if (read_again)
                    decode_in_place(m.matrices[i].packed, m.matrices[i].sparse, {weights, p.rows, p.cols});
                told(i);
            }
        };

        // Of a job that asks for one.
        std::optional<layer_balancer> balancer_of(job const& j)
        {
            std::optional<layer_balancer> balancer;
            if (balances(j.s))
                balancer.emplace(j.c, j.m.rest.data(), j.s);
            return balancer;
        }

        // rtn, mse, awq, gptq, matgptq; and squeezellm, whose information is there
        void quantize_in_stages(job const& j, parameter_view<float> const& rest, std::span<float const> information)
        {
            auto const& all = j.m.table.parameters();
            auto balancer = balancer_of(j);
            std::optional<calibration_stream> stream;
            if (j.s.how == method::gptq || j.s.how == method::matgptq)
                stream.emplace(j.c, j.m.rest.data(), j.s.calibration); // the embedding stands first
            jackplane::aligned_vector<float> w;
            for (std::size_t layer = 0; layer < j.c.layers; ++layer)
            {
                std::size_t const first = j.m.table.first_of_layer(layer), begin = all[first].offset;
                j.read_layer(layer, w);
                if (balancer)
                    balancer->balance(rest.layer(layer, w.data()), j.parts_of(layer));
                j.seen(layer, w);
                layer_view<float const> const view = rest.layer(layer, w.data());
                for (layer_stage const& part : stages_of(j.c, view.kind))
                {
                    std::optional<jackplane::feedback> order;
                    if (stream)
                    {
                        auto const gram = stream->gram(view, part);
                        std::size_t const size = stream->size_of(view, part);
                        order.emplace(jackplane::matrix_view<float const>{gram.data(), size, size},
                                      jackplane::feedback_options{.by_activation = j.s.by_activation,
                                                                  .name = all[first + part.first].name});
                    }
                    for (std::size_t i = first + part.first; i < first + part.last; ++i)
                    {
                        jackplane::matrix_view<float> const weights{w.data() + (all[i].offset - begin), all[i].rows,
                                                                    all[i].cols};
                        auto beside = j.detached(i, weights);
                        auto packed =
                            information.empty()
                                ? quantize_matrix(weights, j.s, order ? &*order : nullptr, all[i].name)
                                : quantize_to_tables(weights, information.subspan(all[i].offset, all[i].size()),
                                                     j.s.bits, all[i].name);
                        j.made(i, std::move(packed), std::move(beside), weights.data, stream.has_value());
                    }
                }
                if (stream)
                    stream->advance(view);
            }
        }

        // The matrices of a file of the same model.
        std::vector<packed_model::matrix> matrices_inside(job const& j)
        {
            packed_model const& m = j.m;
            std::filesystem::path const& path = j.s.tuning.inside;
            packed_model inside = load_nested(path);
            std::string const other = difference(m.sizes, inside.sizes);
            JACKPLANE_EXPECTS(other.empty(), jackplane::value_error, path.string(), ": another model (", other, ")");
            JACKPLANE_EXPECTS(
                std::equal(m.rest.begin(), m.rest.end(), inside.rest.begin(), inside.rest.end(), same_but_for_half),
                jackplane::value_error, path.string(), ": another model, or the same after balancing");
            for (std::size_t i = m.table.of_layers().size(); i < inside.matrices.size(); ++i) // an untied lm_head
                if (!inside.matrices[i].is_packed)
                {
                    parameter p = m.table.parameters()[i];
                    p.offset = 0;
                    jackplane::aligned_vector<float> w(p.size());
                    read_parameter(j.files, p, w);
                    JACKPLANE_EXPECTS(
                        std::equal(w.begin(), w.end(), inside.matrices[i].dense.begin(), same_but_for_half),
                        jackplane::value_error, path.string(), ": another model, by its ", p.name);
                }
            for (std::size_t i = 0; i < inside.matrices.size(); ++i)
                JACKPLANE_EXPECTS(inside.matrices[i].sparse.nonzeros() == 0, jackplane::value_error, path.string(),
                                  ": ", inside.table.parameters()[i].name, " has weights beside its planes");
            return std::move(inside.matrices);
        }

        // Methods that learn: a whole layer at once.
        void tune_layers(job const& j, parameter_view<float> const& rest, std::vector<width_report>* widths)
        {
            auto balancer = balancer_of(j);
            layer_tuner tuner(j.c, j.m.rest.data(), j.s);
            layer_store const store(j.s.resume);
            std::vector<packed_model::matrix> inside;
            if (!j.s.tuning.inside.empty())
                inside = matrices_inside(j);
            run_origin origin(j.c, j.s);
            origin.add(std::span<float const>(j.m.rest));
            jackplane::aligned_vector<float> w;
            for (std::size_t layer = 0; layer < j.c.layers; ++layer)
            {
                auto const parts = j.parts_of(layer);
                std::size_t const first = j.m.table.first_of_layer(layer);
                j.read_layer(layer, w);
                if (balancer)
                    balancer->balance(rest.layer(layer, w.data()), parts);
                origin.add(std::span<float const>(w));
                j.seen(layer, w);
                std::vector<any_csr> beside;
                auto left = w;
                for (std::size_t i = 0; i < parts.size(); ++i)
                    beside.push_back(j.detached(first + i, matrix_of(left.data(), parts, i)));
                auto const within = std::span<packed_model::matrix const>(inside).subspan(
                    inside.empty() ? 0 : first, inside.empty() ? 0 : parts.size());
                dense_layer const dense{rest.layer(layer, w.data()), rest.layer(layer, left.data()), parts, beside,
                                        within};
                auto done = j.s.resume.empty() ? std::nullopt : store.find(layer, origin.text_of(), parts);
                if (done)
                    tuner.pass(dense, done->matrices);
                else
                {
                    done.emplace();
                    done->matrices = tuner.tune(layer, dense, &done->losses);
                    if (!j.s.resume.empty())
                        done = store.keep(layer, origin.text_of(), parts, *done);
                }
                if (widths)
                    widths->insert(widths->end(), done->losses.begin(), done->losses.end());
                for (std::size_t i = 0; i < parts.size(); ++i)
                    j.made(first + i, std::move(done->matrices[i]), std::move(beside[i]),
                           matrix_of(left.data(), parts, i).data, false);
            }
        }

        // The whole model at once.
        void train_all(job const& j, std::filesystem::path const& folder, std::vector<width_report>* widths)
        {
            model dense = load_model(folder);
            auto trained = train_weights(dense, j.s, widths, j.tell);
            for (std::size_t i = 0; i < trained.size(); ++i)
                j.made(i, std::move(trained[i]), {}, dense.w.data() + j.m.table.parameters()[i].offset, false);
        }
    }

    void expect_possible(quantize_settings const& s)
    {
        JACKPLANE_EXPECTS(!needs_calibration(s) || !s.calibration.tokens.empty(), jackplane::value_error,
                          "a method that looks at activations needs a calibration text");
        JACKPLANE_EXPECTS(!(needs_parents(s.how) || s.tuning.scale_steps > 0) || s.bits == 8, jackplane::width_error,
                          "what is learned is a parent of 8 bits, not ", s.bits);
        JACKPLANE_EXPECTS(std::holds_alternative<jackplane::truncate_centred>(s.slice) || s.bits == 8,
                          jackplane::width_error, "a slice is of a parent of 8 bits: codes of ", s.bits,
                          " are read as they are, not by ", slice_name(s.slice));
        JACKPLANE_EXPECTS(s.how != method::squeezellm || (2 <= s.bits && s.bits <= 4), jackplane::width_error,
                          "values of each row's own are for 4, 3 or 2 bits, not ", s.bits);
        JACKPLANE_EXPECTS(!s.balance || (calibrates(s.how) && s.how != method::qat && s.how != method::squeezellm),
                          jackplane::value_error,
                          "balancing goes with methods that look at activations layer by layer");
        JACKPLANE_EXPECTS(s.beside.empty() || s.how != method::qat, jackplane::value_error,
                          "weights leave before the others are quantized where layers are, one by one; not in qat");
        if (learns(s.how) || s.tuning.scale_steps > 0)
            expect_widths(s);
    }

    std::vector<float> information_of(model const& dense, calibration_text const& text, jackplane::progress const& tell)
    {
        language_model_loss loss(dense, text.tokens, text.length, jackplane::team{});
        return jackplane::fisher_information(loss, dense.tuned(), {.tell = tell, .name = "Fisher"});
    }

    packed_model quantize_model(std::filesystem::path const& folder, quantize_settings const& s,
                                jackplane::progress const& tell, std::vector<width_report>* widths, model* dense)
    {
        config const c = read_config(folder / "config.json");
        checkpoint_files const files(folder);
        check_tensors(files, c);
        expect_possible(s);
        packed_model m(c);
        JACKPLANE_EXPECTS(s.beside.empty() || s.beside.size() == m.table.of_layers().size(), jackplane::shape_error,
                          "weights beside ", s.beside.size(), " matrices, the layers have ",
                          m.table.of_layers().size());
        m.slice = s.slice;
        JACKPLANE_EXPECTS(s.information.empty() || s.information.size() == m.table.tuned_size(), jackplane::shape_error,
                          "information of ", s.information.size(), " weights, there are ", m.table.tuned_size());
        auto const& all = m.table.parameters();
        m.rest.resize(m.table.size() - m.table.tuned_size());
        for (std::size_t i = m.matrices.size(); i < all.size(); ++i)
        {
            parameter p = all[i];
            p.offset -= m.table.tuned_size();
            read_parameter(files, p, m.rest);
        }
        job const j{s, c, files, m, tell, dense};
        parameter_view<float> const rest(c, nullptr, m.rest.data());
        if (s.how == method::qat)
            train_all(j, folder, widths);
        else if (learns(s.how))
            tune_layers(j, rest, widths);
        else
        {
            std::vector<float> taken;
            std::span<float const> information;
            if (s.how == method::squeezellm)
            {
                if (s.information.empty())
                    taken = information_of(load_model(folder), s.calibration, tell);
                information = s.information.empty() ? taken : s.information;
            }
            quantize_in_stages(j, rest, information);
        }
        for (std::size_t i = m.table.of_layers().size(); i < m.matrices.size(); ++i) // an untied lm_head
        {
            parameter p = all[i];
            p.offset = 0;
            jackplane::aligned_vector<float> w(p.size());
            read_parameter(files, p, w);
            if (dense)
                std::copy(w.begin(), w.end(), dense->w.begin() + static_cast<std::ptrdiff_t>(all[i].offset));
            if (s.include_lm_head)
                j.made(i, quantize_matrix({w.data(), p.rows, p.cols}, s, nullptr, p.name), {}, w.data(), false);
            else
            {
                m.matrices[i].dense = std::move(w);
                j.told(i);
            }
        }
        if (dense) // norms of balanced layers
            std::copy(m.rest.begin(), m.rest.end(),
                      dense->w.begin() + static_cast<std::ptrdiff_t>(m.table.tuned_size()));
        if (s.tuning.scale_steps > 0)
            train_scales(m, s, widths, tell);
        if (auto const words = tokenizer::file_in(folder); !words.empty())
            m.tokenizer = settings_file::contents(words);
        if (auto const settings = folder / "tokenizer_config.json"; is_there(settings))
            m.tokenizer_settings = settings_file::contents(settings);
        return m;
    }
}
