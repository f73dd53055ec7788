// SPDX-License-Identifier: BSD-3-Clause
#include "calibration.hpp"
#include <jackplane/core/check.hpp>
#include <algorithm>
#include <random>

namespace llama
{
    calibration_text calibration_text::of(std::span<token const> text, std::size_t samples, std::size_t length,
                                          std::uint64_t seed)
    {
        JACKPLANE_EXPECTS(length >= 2 && samples >= 1, jackplane::shape_error, "calibration with ", samples,
                          " samples of ", length, " tokens");
        std::size_t const windows = text.size() / length;
        JACKPLANE_EXPECTS(windows >= 1, jackplane::shape_error, "a calibration text of ", text.size(),
                          " tokens is shorter than one sample of ", length);
        // Selection sampling: each window is taken with the probability that is left for it.
        std::mt19937_64 random(seed);
        std::size_t left = std::min(samples, windows);
        calibration_text t{{}, length};
        for (std::size_t i = 0; i < windows && left > 0; ++i)
            if (random() % (windows - i) < left)
            {
                auto const window = text.subspan(i * length, length);
                t.tokens.insert(t.tokens.end(), window.begin(), window.end());
                --left;
            }
        return t;
    }

    calibration_stream::calibration_stream(config const& c, float const* embedding, calibration_text text)
        : _config(c), _text(std::move(text)), _stream(_text.tokens.size() * c.hidden)
    {
        embed(c, embedding, std::span<token const>(_text.tokens), _stream.data());
    }

    std::size_t calibration_stream::size_of(layer_input which) const noexcept
    {
        switch (which)
        {
        case layer_input::attended:
            return _config.query_width();
        case layer_input::active:
            return _config.intermediate;
        default:
            return _config.hidden;
        }
    }

    // body(layer state, output of the layer, place of the window's first number in the stream) for windows [first, end)
    template <class Body>
    void calibration_stream::for_each_window(layer_view<float const> const& w, std::size_t first, std::size_t end,
                                             Body&& body)
    {
        std::size_t const size = _text.length * _config.hidden;
        workspace<float> work(_config, 1, _text.length, false);
        for (std::size_t window = first; window < end; ++window)
        {
            layer_state<float>& s = work.state(0);
            std::copy_n(_stream.data() + window * size, size, s.input.data());
            forward_layer(_config, w, s, _text.length, _text.length, work, work.last.data());
            body(s, work.last.data(), window * size);
        }
    }

    std::vector<float> calibration_stream::gram(layer_view<float const> const& w, layer_input which)
    {
        std::size_t const size = size_of(which), n = _text.length;
        std::vector<float> part(size * size), out(size * size);
        std::vector<double> sum(size * size);
        for_each_window(w, 0, windows(),
                        [&](layer_state<float> const& s, float const*, std::size_t)
                        {
                            auto const& x = which == layer_input::attention  ? s.attention_normed
                                            : which == layer_input::attended ? s.attended
                                            : which == layer_input::mlp      ? s.mlp_normed
                                                                             : s.active;
                            gemm(size, size, n, 1.0f, transpose(operand<float>{x.data(), size}),
                                 operand<float>{x.data(), size}, 0.0f, part.data(), size);
                            std::transform(part.begin(), part.end(), sum.begin(), sum.begin(),
                                           [](float a, double b) { return static_cast<double>(a) + b; });
                        });
        std::transform(sum.begin(), sum.end(), out.begin(), [](double x) { return static_cast<float>(x); });
        return out;
    }

    void calibration_stream::advance(layer_view<float const> const& w, jackplane::team const& workers)
    {
        workers(windows(),
                [&](std::size_t first, std::size_t end)
                {
                    for_each_window(w, first, end,
                                    [&](layer_state<float> const&, float const* output, std::size_t at)
                                    { std::copy_n(output, _text.length * _config.hidden, _stream.data() + at); });
                });
    }
}
