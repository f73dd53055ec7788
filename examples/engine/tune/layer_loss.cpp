// SPDX-License-Identifier: BSD-3-Clause
#include "layer_loss.hpp"
#include "../run/backward.hpp"
#include <algorithm>

namespace engine
{
    namespace
    {
        config one_layer_of(config c, layer_kind const& kind)
        {
            c.layers = 1;
            c.block.layers = {kind};
            return c;
        }
        std::size_t windows_of(std::span<float const> input, std::span<float const> target, std::size_t window)
        {
            JACKPLANE_EXPECTS(input.size() == target.size() && input.size() % window == 0 && !input.empty(),
                              jackplane::shape_error, "inputs of ", input.size(), " and outputs of ", target.size(),
                              " numbers in windows of ", window);
            return input.size() / window;
        }
    }

    layer_loss::layer_loss(config const& c, layer_view<float const> const& norms, std::span<float const> input,
                           std::span<float const> target, std::size_t length, jackplane::team const& workers)
        : _config(one_layer_of(c, norms.kind)),
          _norms(norms),
          _input(input),
          _target(target),
          _length(length),
          _window(length * c.hidden),
          _size(c.layer_size(norms.kind)),
          _batch(_config, windows_of(input, target, _window), length, _size, workers)
    {
    }

    // Leaves the gradient by the layer's output, times the size of the batch / 2, in the stream of the way back.
    double layer_loss::of_window(window_batch::part& p, layer_view<float const> const& w, std::size_t window,
                                 bool gradient)
    {
        layer_state<float>& s = p.work.state(0);
        std::copy_n(_input.data() + window * _window, _window, s.input.data());
        float* const output = p.work.last.data();
        std::vector<float> taught;
        if (!_teacher.empty())
        {
            taught.resize(_window);
            forward_layer(_config, _norms.with_matrices(_config, _teacher.data()), s, _length, _length, p.work,
                          taught.data());
        }
        forward_layer(_config, w, s, _length, _length, p.work, output);
        float const* const wanted = taught.empty() ? _target.data() + window * _window : taught.data();
        for (std::size_t i = 0; i < _window; ++i)
            output[i] -= wanted[i];
        if (_suppress)
        {
            std::size_t const outliers = std::max<std::size_t>(1, _window / 1000);
            std::vector<float> size(_window);
            std::transform(output, output + _window, size.begin(), [](float x) { return std::abs(x); });
            auto const least = size.end() - static_cast<std::ptrdiff_t>(outliers);
            std::nth_element(size.begin(), least, size.end());
            for (std::size_t i = 0; i < _window; ++i)
                output[i] = std::abs(output[i]) >= *least ? 0.0f : output[i];
        }
        double sum = 0;
        for (std::size_t at = 0; at < _window; at += _config.hidden)
            sum += static_cast<double>(dot(output + at, output + at, _config.hidden));
        if (gradient)
        {
            auto const factor = 2 / static_cast<float>(_batch.size() * _window);
            std::transform(output, output + _window, p.work.d_stream.data(), [=](float x) { return factor * x; });
            parameter_view<float> const g(_config, p.gradient.data(), nullptr);
            backward_layer<float>(_config, w, s, _length, _length, p.work, g.layer(0), {}, 0, false);
        }
        return sum;
    }

    double layer_loss::operator()(std::span<float const> w, std::span<float> g)
    {
        JACKPLANE_EXPECTS(w.size() == _size && (g.empty() || g.size() == _size), jackplane::shape_error, w.size(),
                          " weights and ", g.size(), " gradients, the layer has ", _size);
        auto const view = _norms.with_matrices(_config, w.data());
        double const sum = _batch.sum(g, [&](window_batch::part& p, std::size_t window)
                                      { return of_window(p, view, window, !g.empty()); });
        return sum / static_cast<double>(_batch.size() * _window);
    }
}
