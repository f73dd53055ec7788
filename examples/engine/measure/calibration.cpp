// SPDX-License-Identifier: BSD-3-Clause
#include "calibration.hpp"
#include <jackplane/core/check.hpp>
#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
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

    std::size_t calibration_stream::size_of(layer_view<float const> const& w, layer_stage const& which) const noexcept
    {
        switch (which.input)
        {
        case layer_input::attended:
            return _config.query_width();
        case layer_input::active:
            return _config.inner(w.kind);
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
        // What the linear layers of a stage read: [rows, size], a row for each of n tokens, or for those of an expert.
        struct stage_input
        {
            float const* x;
            std::size_t rows;
        };
        stage_input input_of(config const& c, layer_view<float const> const& w, layer_state<float> const& s,
                             layer_stage const& which, std::size_t n)
        {
            bool const routed = w.kind.experts && which.expert != layer_stage::every_expert;
            std::size_t const first = routed ? s.routes.first[which.expert] : 0,
                              rows = routed ? s.routes.first[which.expert + 1] - first : n;
            switch (which.input)
            {
            case layer_input::attention:
                return {s.attention_normed.data(), n};
            case layer_input::attended:
                return {s.attended.data(), n};
            case layer_input::mlp:
                return {routed ? s.routed.data() + first * c.hidden : s.mlp_normed.data(), rows};
            default:
                return {s.active.data() + first * c.inner(w.kind), rows};
            }
        }
        // The same of the tokens that go to the expert in `where`, wherever they go in s.
        std::vector<float> input_like(config const& c, layer_view<float const> const& w, layer_state<float> const& s,
                                      layer_stage const& which, std::size_t n, layer_state<float> const& where,
                                      std::size_t size)
        {
            if (!w.kind.experts || which.input == layer_input::attention || which.input == layer_input::attended)
            {
                float const* const x = input_of(c, w, s, which, n).x;
                return {x, x + n * size};
            }
            std::size_t const first = where.routes.first[which.expert],
                              rows = where.routes.first[which.expert + 1] - first, inner = c.inner(w.kind);
            std::vector<float> x(rows * c.hidden), gate_up(rows * 2 * inner), active(rows * inner), y(x.size());
            gather(where.routes, s.mlp_normed.data(), x.data(), first, rows, c.hidden);
            if (which.input == layer_input::mlp || rows == 0)
                return x;
            one_mlp(c, w.with_expert(c, which.expert), x.data(), gate_up.data(), active.data(), y.data(), rows);
            return active;
        }
    }

    // sum over all tokens of a x^T; left(window, state, x [rows, size]) gives a [rows, size]. A window is added in
    // float, the windows of each of the parts in double.
    template <class Left>
    std::vector<float> calibration_stream::sum_of_products(layer_view<float const> const& w, layer_stage const& which,
                                                           jackplane::team const& workers, Left&& left) const
    {
        std::size_t const size = size_of(w, which), n = _text.length;
        std::vector<std::vector<double>> sums(parts, std::vector<double>(size * size));
        workers(parts,
                [&](std::size_t first, std::size_t end)
                {
                    std::vector<float> product(size * size);
                    for (std::size_t p = first; p < end; ++p)
                        for_each_window(w, windows() * p / parts, windows() * (p + 1) / parts,
                                        [&](layer_state<float> const& s, float const*, std::size_t window)
                                        {
                                            auto const [x, rows] = input_of(_config, w, s, which, n);
                                            if (rows == 0)
                                                return;
                                            auto const& a = left(window, s, std::span(x, rows * size));
                                            gemm(size, size, rows, 1.0f, transpose(operand<float>{a.data(), size}),
                                                 operand<float>{x, size}, 0.0f, product.data(), size);
                                            for (std::size_t i = 0; i < product.size(); ++i)
                                                sums[p][i] += static_cast<double>(product[i]);
                                        });
                });
        std::vector<float> out(size * size);
        for (std::size_t i = 0; i < out.size(); ++i)
            out[i] = static_cast<float>((sums[0][i] + sums[1][i]) + (sums[2][i] + sums[3][i]));
        return out;
    }

    std::vector<float> calibration_stream::gram(layer_view<float const> const& w, layer_stage const& which,
                                                jackplane::team const& workers) const
    {
        return sum_of_products(w, which, workers,
                               [](std::size_t, layer_state<float> const&, std::span<float const> x) { return x; });
    }

    std::vector<float> calibration_stream::drift(layer_view<float const> const& w, layer_stage const& which,
                                                 calibration_stream const& other, layer_view<float const> const& v,
                                                 jackplane::team const& workers) const
    {
        std::size_t const n = _text.length, size = size_of(w, which);
        return sum_of_products(w, which, workers,
                               [&](std::size_t window, layer_state<float> const& here, std::span<float const> x)
                               {
                                   std::vector<float> off(x.begin(), x.end());
                                   other.for_each_window(v, window, window + 1,
                                                         [&](layer_state<float> const& s, float const*, std::size_t)
                                                         {
                                                             auto const y =
                                                                 input_like(_config, v, s, which, n, here, size);
                                                             for (std::size_t i = 0; i < off.size(); ++i)
                                                                 off[i] -= y[i];
                                                         });
                                   return off;
                               });
    }

    std::vector<float> calibration_stream::mean_magnitudes(layer_view<float const> const& w, layer_stage const& which,
                                                           jackplane::team const& workers) const
    {
        std::size_t const size = size_of(w, which);
        std::vector<std::vector<double>> sums(windows(), std::vector<double>(size));
        std::vector<std::size_t> counts(windows()); // of tokens
        workers(windows(),
                [&](std::size_t first, std::size_t end)
                {
                    for_each_window(w, first, end,
                                    [&](layer_state<float> const& s, float const*, std::size_t window)
                                    {
                                        auto const [x, rows] = input_of(_config, w, s, which, _text.length);
                                        for (std::size_t i = 0; i < rows * size; ++i)
                                            sums[window][i % size] += std::abs(static_cast<double>(x[i]));
                                        counts[window] = rows;
                                    });
                });
        auto const tokens = std::max(std::accumulate(counts.begin(), counts.end(), std::size_t{0}), std::size_t{1});
        std::vector<float> means(size);
        for (std::size_t i = 0; i < size; ++i)
        {
            double sum = 0;
            for (auto const& of_window : sums)
                sum += of_window[i];
            means[i] = static_cast<float>(sum / static_cast<double>(tokens));
        }
        return means;
    }

    std::vector<input_squares> calibration_stream::squares(layer_view<float const> const& w,
                                                           jackplane::team const& workers) const
    {
        auto const stages = stages_of(_config, w.kind);
        std::vector<input_squares> none;
        for (layer_stage const& stage : stages)
            none.push_back({std::vector<double>(size_of(w, stage)), 0});
        std::vector<std::vector<input_squares>> of_parts(parts, none);
        auto const add_window = [&](layer_state<float> const& s, std::vector<input_squares>& to)
        {
            for (std::size_t i = 0; i < stages.size(); ++i)
            {
                auto const [x, rows] = input_of(_config, w, s, stages[i], _text.length);
                std::size_t const size = to[i].sums.size();
                for (std::size_t at = 0; at < rows * size; ++at)
                    to[i].sums[at % size] += static_cast<double>(x[at]) * static_cast<double>(x[at]);
                to[i].tokens += rows;
            }
        };
        workers(parts,
                [&](std::size_t first, std::size_t end)
                {
                    for (std::size_t p = first; p < end; ++p)
                        for_each_window(w, windows() * p / parts, windows() * (p + 1) / parts,
                                        [&](layer_state<float> const& s, float const*, std::size_t)
                                        { add_window(s, of_parts[p]); });
                });
        for (std::size_t p = 1; p < parts; ++p)
            for (std::size_t i = 0; i < stages.size(); ++i)
            {
                auto& all = of_parts[0][i];
                std::transform(all.sums.begin(), all.sums.end(), of_parts[p][i].sums.begin(), all.sums.begin(),
                               std::plus<>{});
                all.tokens += of_parts[p][i].tokens;
            }
        return std::move(of_parts[0]);
    }

    std::vector<std::size_t> calibration_stream::tokens_of_experts(layer_view<float const> const& w,
                                                                   jackplane::team const& workers) const
    {
        std::size_t const experts = w.kind.experts ? _config.block.experts.count : 0;
        std::vector<std::vector<std::size_t>> counts(windows(), std::vector<std::size_t>(experts));
        workers(windows(),
                [&](std::size_t first, std::size_t end)
                {
                    for_each_window(w, first, end,
                                    [&](layer_state<float> const& s, float const*, std::size_t window)
                                    {
                                        for (std::size_t e = 0; e < experts; ++e)
                                            counts[window][e] = s.routes.first[e + 1] - s.routes.first[e];
                                    });
                });
        std::vector<std::size_t> all(experts);
        for (auto const& of_window : counts)
            std::transform(all.begin(), all.end(), of_window.begin(), all.begin(), std::plus<>{});
        return all;
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
