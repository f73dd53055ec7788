// SPDX-License-Identifier: BSD-3-Clause
#include "layer_loss.hpp"
#include "backward.hpp"
#include <algorithm>
#include <numeric>

namespace llama
{
    namespace
    {
        config one_layer_of(config c)
        {
            c.layers = 1;
            return c;
        }
    }

    layer_loss::layer_loss(config const& c, layer_view<float const> const& norms, std::span<float const> input,
                           std::span<float const> target, std::size_t length, jackplane::team const& workers)
        : _config(one_layer_of(c)),
          _norms(norms),
          _input(input),
          _target(target),
          _length(length),
          _window(length * c.hidden),
          _size((c.qkv_width() + c.query_width() + 3 * c.intermediate) * c.hidden),
          _workers(workers)
    {
        JACKPLANE_EXPECTS(input.size() == target.size() && input.size() % _window == 0 && !input.empty(),
                          jackplane::shape_error, "inputs of ", input.size(), " and outputs of ", target.size(),
                          " numbers in windows of ", _window);
        for (std::size_t i = 0; i < parts; ++i)
            _parts.push_back({workspace<float>(_config, 1, length, true), std::vector<float>(_size)});
        _batch.resize(samples());
        std::iota(_batch.begin(), _batch.end(), std::size_t{0});
    }

    void layer_loss::at(std::span<std::size_t const> windows)
    {
        for (std::size_t const window : windows)
            JACKPLANE_EXPECTS(window < samples(), jackplane::shape_error, "window ", window, " of ", samples());
        _batch.assign(windows.begin(), windows.end());
    }

    // Leaves the gradient by the layer's output, times the size of the batch / 2, in the stream of the way back.
    double layer_loss::of_window(part& p, layer_view<float const> const& w, std::size_t window, bool gradient)
    {
        layer_state<float>& s = p.work.state(0);
        std::copy_n(_input.data() + window * _window, _window, s.input.data());
        float* const output = p.work.last.data();
        forward_layer(_config, w, s, _length, _length, p.work, output);
        float const* const wanted = _target.data() + window * _window;
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
            backward_layer<float>(_config, w, s, _length, _length, p.work, g.layer(0));
        }
        return sum;
    }

    double layer_loss::operator()(std::span<float const> w, std::span<float> g)
    {
        JACKPLANE_EXPECTS(w.size() == _size && (g.empty() || g.size() == _size), jackplane::shape_error, w.size(),
                          " weights and ", g.size(), " gradients, the layer has ", _size);
        layer_view<float const> view = parameter_view<float const>(_config, w.data(), nullptr).layer(0);
        view.attention_norm = _norms.attention_norm;
        view.mlp_norm = _norms.mlp_norm;
        _workers(parts,
                 [&](std::size_t first, std::size_t end)
                 {
                     for (std::size_t i = first; i < end; ++i)
                     {
                         part& p = _parts[i];
                         p.sum = 0;
                         std::fill(p.gradient.begin(), p.gradient.end(), 0.0f);
                         for (std::size_t n = _batch.size() * i / parts; n < _batch.size() * (i + 1) / parts; ++n)
                             p.sum += of_window(p, view, _batch[n], !g.empty());
                     }
                 });
        double sum = 0;
        for (part const& p : _parts)
            sum += p.sum;
        if (!g.empty())
            _workers(_size,
                     [&](std::size_t first, std::size_t end)
                     {
                         for (std::size_t i = first; i < end; ++i)
                             g[i] = ((_parts[0].gradient[i] + _parts[1].gradient[i]) +
                                     (_parts[2].gradient[i] + _parts[3].gradient[i]));
                     });
        return sum / static_cast<double>(_batch.size() * _window);
    }
}
