// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/check.hpp>
#include <jackplane/core/team.hpp>
#include "backward.hpp"
#include "forward.hpp"
#include "model.hpp"
#include <algorithm>
#include <cstddef>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace llama
{
    // The loss of a model as a function of its tuned weights, all in one array (parameter_table says where each lies):
    //     f(w, g) -> mean of -log p(token | the tokens before it in its window), in nats
    // over every token but the first of each window of the last at(). g becomes the gradient; an empty g asks for none.
    // Embeddings and norms stay as the model has them.
    class language_model_loss
    {
    public:
        // `text` is cut into windows of `length` tokens (a shorter rest is left out). m must outlive it.
        language_model_loss(model const& m, std::vector<token> text, std::size_t length,
                            jackplane::team const& workers = jackplane::team(1))
            : _model(&m), _text(std::move(text)), _length(length), _workers(workers)
        {
            JACKPLANE_EXPECTS(length >= 2, jackplane::shape_error, "windows of ", length, " tokens score none");
            JACKPLANE_EXPECTS(_text.size() >= length, jackplane::shape_error, "a text of ", _text.size(),
                              " tokens holds no window of ", length);
            for (std::size_t i = 0; i < std::min(most_parts, samples()); ++i)
                _parts.push_back({workspace<float>(m.sizes, 1, length, true), std::vector<float>(size())});
            _batch.resize(samples());
            std::iota(_batch.begin(), _batch.end(), std::size_t{0});
        }

        std::size_t size() const noexcept { return _model->table.tuned_size(); }
        std::size_t samples() const noexcept { return _text.size() / _length; } // windows
        void at(std::span<std::size_t const> windows)
        {
            for (std::size_t const window : windows)
                JACKPLANE_EXPECTS(window < samples(), jackplane::shape_error, "window ", window, " of ", samples());
            _batch.assign(windows.begin(), windows.end());
        }

        double operator()(std::span<float const> w, std::span<float> g = {})
        {
            JACKPLANE_EXPECTS(w.size() == size() && (g.empty() || g.size() == size()), jackplane::shape_error, w.size(),
                              " weights and ", g.size(), " gradients, the model tunes ", size());
            _workers(_parts.size(),
                     [&](std::size_t first, std::size_t end)
                     {
                         for (std::size_t i = first; i < end; ++i)
                             of_part(i, w, !g.empty());
                     });
            double sum = 0;
            for (part const& p : _parts)
                sum += p.sum;
            if (!g.empty())
                _workers(size(),
                         [&](std::size_t first, std::size_t end)
                         {
                             for (std::size_t i = first; i < end; ++i)
                             {
                                 g[i] = 0;
                                 for (part const& p : _parts)
                                     g[i] += p.gradient[i];
                             }
                         });
            return sum / scored();
        }

    private:
        // The windows of a batch are cut into so many parts, whatever the number of threads, and their gradients added
        // in that order.
        static constexpr std::size_t most_parts = 4;
        struct part
        {
            workspace<float> work;
            std::vector<float> gradient;
            double sum = 0;
        };
        double scored() const noexcept { return static_cast<double>(_batch.size() * (_length - 1)); }

        void of_part(std::size_t i, std::span<float const> w, bool wants_gradient)
        {
            part& p = _parts[i];
            config const& c = _model->sizes;
            auto const view = _model->view(w);
            auto const layers = [&](std::size_t layer) { return view.layer(layer); };
            parameter_view<float> const gradient(c, p.gradient.data(), nullptr);
            auto const weight = static_cast<float>(1.0 / scored());
            p.sum = 0;
            if (wants_gradient)
                std::fill(p.gradient.begin(), p.gradient.end(), 0.0f);
            for (std::size_t n = _batch.size() * i / _parts.size(); n < _batch.size() * (i + 1) / _parts.size(); ++n)
            {
                auto const window = std::span<token const>(_text).subspan(_batch[n] * _length, _length);
                forward(c, layers, view.ends(), window, _length, p.work);
                if (!wants_gradient)
                {
                    p.sum += negative_log_likelihood(c, view.ends(), window, _length, p.work);
                    continue;
                }
                p.sum += negative_log_likelihood_backward(c, view.ends(), window, _length, weight, p.work,
                                                          gradient.ends().output);
                backward(
                    c, layers, view.ends(), window, _length, p.work,
                    [&](std::size_t layer) { return gradient.layer(layer); }, gradient.ends());
            }
        }

        model const* _model;
        std::vector<token> _text;
        std::size_t _length;
        jackplane::team _workers;
        std::vector<std::size_t> _batch;
        std::vector<part> _parts;
    };
}
