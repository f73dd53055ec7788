// SPDX-License-Identifier: BSD-3-Clause
#include "calibration.hpp"
#include <jackplane/core/check.hpp>
#include <algorithm>
#include <cmath>
#include <random>

namespace engine
{
    calibration_text calibration_text::of(std::span<token const> text, std::size_t samples, std::size_t length,
                                          std::uint64_t seed, std::string const& name)
    {
        JACKPLANE_EXPECTS(length >= 2 && samples >= 1, jackplane::shape_error, name, ": ", samples, " samples of ",
                          length, " tokens");
        std::size_t const windows = text.size() / length;
        JACKPLANE_EXPECTS(windows >= 1, jackplane::shape_error, name, ": ", text.size(),
                          " tokens, fewer than one sample of ", length);
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

    // body(layer state, output of the layer, window) for windows [first, end)
    template <class Body>
    void calibration_stream::for_each_window(layer_view<float const> const& w, std::size_t first, std::size_t end,
                                             Body&& body) const
    {
        std::size_t const size = _text.length * _config.hidden;
        workspace<float> work(_config, 1, _text.length, false);
        for (std::size_t window = first; window < end; ++window)
        {
            layer_state<float>& s = work.state(0);
            std::copy_n(_stream.data() + window * size, size, s.input.data());
            forward_layer(_config, w, s, _text.length, _text.length, work, work.last.data());
            body(s, work.last.data(), window);
        }
    }

    namespace
    {
        std::vector<float> const& input_of(layer_state<float> const& s, layer_input which)
        {
            return which == layer_input::attention  ? s.attention_normed
                   : which == layer_input::attended ? s.attended
                   : which == layer_input::mlp      ? s.mlp_normed
                                                    : s.active;
        }
    }

    // sum over all tokens of a x^T; left(window, x [length, size]) gives a [length, size]. A window is added in float,
    // the windows of each of a fixed number of parts in double, and then the parts: the same for any number of threads.
    template <class Left>
    std::vector<float> calibration_stream::sum_of_products(layer_view<float const> const& w, layer_input which,
                                                           jackplane::team const& workers, Left&& left) const
    {
        constexpr std::size_t parts = 4;
        std::size_t const size = size_of(which), n = _text.length;
        std::vector<std::vector<double>> sums(parts, std::vector<double>(size * size));
        workers(parts,
                [&](std::size_t first, std::size_t end)
                {
                    std::vector<float> product(size * size);
                    for (std::size_t p = first; p < end; ++p)
                        for_each_window(w, windows() * p / parts, windows() * (p + 1) / parts,
                                        [&](layer_state<float> const& s, float const*, std::size_t window)
                                        {
                                            auto const& x = input_of(s, which);
                                            auto const& a = left(window, x);
                                            gemm(size, size, n, 1.0f, transpose(operand<float>{a.data(), size}),
                                                 operand<float>{x.data(), size}, 0.0f, product.data(), size);
                                            for (std::size_t i = 0; i < product.size(); ++i)
                                                sums[p][i] += static_cast<double>(product[i]);
                                        });
                });
        std::vector<float> out(size * size);
        for (std::size_t i = 0; i < out.size(); ++i)
            out[i] = static_cast<float>((sums[0][i] + sums[1][i]) + (sums[2][i] + sums[3][i]));
        return out;
    }

    std::vector<float> calibration_stream::gram(layer_view<float const> const& w, layer_input which,
                                                jackplane::team const& workers) const
    {
        return sum_of_products(w, which, workers,
                               [](std::size_t, std::vector<float> const& x) -> std::vector<float> const& { return x; });
    }

    std::vector<float> calibration_stream::drift(layer_view<float const> const& w, layer_input which,
                                                 calibration_stream const& other, layer_view<float const> const& v,
                                                 jackplane::team const& workers) const
    {
        return sum_of_products(w, which, workers,
                               [&](std::size_t window, std::vector<float> const& x)
                               {
                                   std::vector<float> off = x;
                                   other.for_each_window(v, window, window + 1,
                                                         [&](layer_state<float> const& s, float const*, std::size_t)
                                                         {
                                                             auto const& y = input_of(s, which);
                                                             for (std::size_t i = 0; i < off.size(); ++i)
                                                                 off[i] -= y[i];
                                                         });
                                   return off;
                               });
    }

    std::vector<float> calibration_stream::mean_magnitudes(layer_view<float const> const& w, layer_input which,
                                                           jackplane::team const& workers) const
    {
        std::size_t const size = size_of(which);
        std::vector<std::vector<double>> sums(windows(), std::vector<double>(size));
        workers(windows(),
                [&](std::size_t first, std::size_t end)
                {
                    for_each_window(w, first, end,
                                    [&](layer_state<float> const& s, float const*, std::size_t window)
                                    {
                                        auto const& x = input_of(s, which);
                                        for (std::size_t i = 0; i < _text.length * size; ++i)
                                            sums[window][i % size] += std::abs(static_cast<double>(x[i]));
                                    });
                });
        std::vector<float> means(size);
        for (std::size_t i = 0; i < size; ++i)
        {
            double sum = 0;
            for (auto const& of_window : sums)
                sum += of_window[i];
            means[i] = static_cast<float>(sum / static_cast<double>(_text.tokens.size()));
        }
        return means;
    }

    void calibration_stream::advance(layer_view<float const> const& w, jackplane::team const& workers)
    {
        std::size_t const size = _text.length * _config.hidden;
        workers(windows(),
                [&](std::size_t first, std::size_t end)
                {
                    for_each_window(w, first, end,
                                    [&](layer_state<float> const&, float const* output, std::size_t window)
                                    { std::copy_n(output, size, _stream.data() + window * size); });
                });
    }
}
