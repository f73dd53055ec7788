// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/check.hpp>
#include <jackplane/core/concepts.hpp>
#include "../run/backward.hpp"
#include "../run/forward.hpp"
#include "../read/model.hpp"
#include "window_batch.hpp"
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace engine
{
    // The loss of a model as a function of its tuned weights, all in one array (parameter_table says where each lies):
    //     f(w, g) -> mean of -log p(token | the tokens before it in its window), in nats
    // over every token but the first of each window of the last at(). g becomes the gradient; an empty g asks for none.
    // Embeddings and norms stay as the model has them. Taught by other weights it is how far what the model says of
    // each next token is from what it says with those: mean Kullback-Leibler divergence, nats.
    class language_model_loss
    {
    public:
        // `text` is cut into windows of `length` tokens (a shorter rest is left out). m must outlive it.
        language_model_loss(model const& m, std::vector<token> text, std::size_t length,
                            jackplane::team const& workers = jackplane::team(1))
            : _model(&m),
              _text(std::move(text)),
              _length(length),
              _batch(m.sizes, windows_of(_text, length), length, m.table.tuned_size(), workers)
        {
        }

        std::size_t size() const noexcept { return _model->table.tuned_size(); }
        std::size_t samples() const noexcept { return _batch.samples(); } // windows
        void at(std::span<std::size_t const> windows) { _batch.ask(windows); }

        // None: the text teaches again.
        void teach(std::span<float const> w)
        {
            JACKPLANE_EXPECTS(w.empty() || w.size() == size(), jackplane::shape_error, w.size(),
                              " weights to learn from, the model tunes ", size());
            _teacher.assign(w.begin(), w.end());
        }

        double operator()(std::span<float const> w, std::span<float> g = {})
        {
            JACKPLANE_EXPECTS(w.size() == size() && (g.empty() || g.size() == size()), jackplane::shape_error, w.size(),
                              " weights and ", g.size(), " gradients, the model tunes ", size());
            auto const view = _model->view(w);
            auto const scored = static_cast<double>(_batch.size() * (_length - 1));
            return _batch.sum(g, [&](window_batch::part& p, std::size_t window)
                              { return of_window(p, view, window, !g.empty(), scored); }) /
                   scored;
        }

    private:
        static std::size_t windows_of(std::span<token const> text, std::size_t length)
        {
            JACKPLANE_EXPECTS(length >= 2, jackplane::shape_error, "windows of ", length, " tokens score none");
            JACKPLANE_EXPECTS(text.size() >= length, jackplane::shape_error, "a text of ", text.size(),
                              " tokens holds no window of ", length);
            return text.size() / length;
        }

        double of_window(window_batch::part& p, parameter_view<float const> const& view, std::size_t window,
                         bool wants_gradient, double scored) const
        {
            config const& c = _model->sizes;
            auto const tokens = std::span<token const>(_text).subspan(window * _length, _length);
            auto const forward_of = [&](parameter_view<float const> const& w)
            {
                forward(
                    c, [&](std::size_t layer) { return w.layer(layer); }, w.ends(), tokens, _length, p.work);
            };
            std::vector<float> taught; // logits
            if (!_teacher.empty())
            {
                forward_of(_model->view(_teacher));
                taught.resize(_length * c.vocabulary);
                logits_of(c, p.work.hidden.data(), view.ends().output, taught.data(), _length);
            }
            forward_of(view);
            if (!wants_gradient && taught.empty())
                return negative_log_likelihood(c, view.ends(), tokens, _length, p.work);
            parameter_view<float> const gradient(c, p.gradient.data(), nullptr);
            auto const weight = static_cast<float>(1.0 / scored);
            float* const d_output = wants_gradient ? gradient.ends().output : nullptr;
            double const sum =
                taught.empty()
                    ? negative_log_likelihood_backward(c, view.ends(), tokens, _length, weight, p.work, d_output)
                    : divergence_backward<float>(c, view.ends(), taught, _length, weight, p.work, d_output);
            if (wants_gradient)
                backward(
                    c, [&](std::size_t layer) { return view.layer(layer); }, view.ends(), tokens, _length, p.work,
                    [&](std::size_t layer) { return gradient.layer(layer); }, gradient.ends());
            return sum;
        }

        model const* _model;
        std::vector<token> _text;
        std::size_t _length;
        window_batch _batch;
        std::vector<float> _teacher; // weights, or nothing
    };
    static_assert(jackplane::teachable_loss<language_model_loss>);
}
