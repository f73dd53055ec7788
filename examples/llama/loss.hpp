// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/check.hpp>
#include "backward.hpp"
#include "forward.hpp"
#include "model.hpp"
#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace llama
{
    // The loss of a model as a function of its tuned weights, all in one array (parameter_table says where each lies):
    //     f(w, g) -> mean of -log p(token | the tokens before it in its window), in nats
    // over every token of the batch but the first of each window. g becomes the gradient; an empty g asks for none.
    // Embeddings and norms stay as the model has them. One object serves one thread; make several to run side by side.
    class language_model_loss
    {
    public:
        // `text` is cut into windows of `length` tokens (a shorter rest is left out), `per_batch` of them a batch, of
        // which the last may be smaller; `at_once` of them are in memory at a time.
        language_model_loss(model const& m, std::vector<token> text, std::size_t length, std::size_t per_batch,
                            std::size_t at_once = 2)
            : _model(&m), _text(std::move(text)), _length(length), _per_batch(per_batch)
        {
            JACKPLANE_EXPECTS(length >= 2 && per_batch >= 1 && at_once >= 1, jackplane::shape_error, per_batch,
                              " windows a batch of ", length, " tokens, ", at_once,
                              " at once: expected at least 1 of 2");
            JACKPLANE_EXPECTS(_text.size() >= length, jackplane::shape_error, "a text of ", _text.size(),
                              " tokens holds no window of ", length);
            _work.emplace_back(m.sizes, std::min(at_once, per_batch), length, true);
        }

        std::size_t size() const noexcept { return _model->table.tuned_size(); }
        std::size_t batches() const noexcept { return (_text.size() / _length + _per_batch - 1) / _per_batch; }

        language_model_loss& at(std::size_t batch)
        {
            JACKPLANE_EXPECTS(batch < batches(), jackplane::shape_error, "batch ", batch, " of ", batches());
            _batch = batch;
            return *this;
        }

        double operator()(std::span<float const> w, std::span<float> g = {})
        {
            JACKPLANE_EXPECTS(w.size() == size() && (g.empty() || g.size() == size()), jackplane::shape_error, w.size(),
                              " weights and ", g.size(), " gradients, the model tunes ", size());
            config const& c = _model->sizes;
            workspace<float>& work = _work.front();
            std::size_t const windows = std::min(_per_batch, _text.size() / _length - _batch * _per_batch);
            auto const scored = static_cast<double>(windows * (_length - 1));
            auto const batch = std::span<token const>(_text).subspan(_batch * _per_batch * _length, windows * _length);
            auto const view = _model->view(w);
            auto const layers = [&](std::size_t i) { return view.layer(i); };
            parameter_view<float> const gradient(c, g.data(), nullptr);
            std::fill(g.begin(), g.end(), 0.0f);
            double total = 0.0;
            for (std::size_t at = 0; at < batch.size(); at += work.capacity)
            {
                auto const part = batch.subspan(at, std::min(work.capacity, batch.size() - at));
                forward(c, layers, view.ends(), part, _length, work);
                if (g.empty())
                {
                    total += negative_log_likelihood(c, view.ends(), part, _length, work);
                    continue;
                }
                auto const weight = static_cast<float>(1.0 / scored);
                total += negative_log_likelihood_backward(c, view.ends(), part, _length, weight, work,
                                                          gradient.ends().output);
                backward(
                    c, layers, view.ends(), part, _length, work, [&](std::size_t i) { return gradient.layer(i); },
                    gradient.ends());
            }
            return total / scored;
        }

    private:
        model const* _model;
        std::vector<token> _text;
        std::size_t _length, _per_batch, _batch = 0;
        std::vector<workspace<float>> _work; // one; a vector so that the object stays movable
    };
}
