// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/check.hpp>
#include "../engine/run/backward.hpp"
#include "adamw.hpp"
#include "checkpoint.hpp"
#include "sampler.hpp"
#include "team.hpp"
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>
#include <vector>

namespace engine
{
    // Trains a dense model on two workers, each with a workspace and a gradient of its own: gradients are summed in a
    // fixed order, clipped to norm 1 and applied by AdamW.
    class trainer
    {
    public:
        trainer(config const& c, std::size_t windows, std::size_t length) // windows a worker takes at a time
            : _config(c),
              _table(c),
              _windows(windows),
              _length(length),
              _work(team::size, workspace<float>(c, windows, length, true)),
              _gradient(team::size, std::vector<float>(_table.size()))
        {
        }

        parameter_table const& table() const noexcept { return _table; }

        // Normal weights of deviation 0.02, those that end a branch smaller by sqrt(2 layers); norms 1.
        void initialize(std::span<float> w, std::uint64_t seed) const
        {
            for (parameter const& p : _table.parameters())
            {
                bool const ends_branch =
                    p.name.find("o_proj") != p.name.npos || p.name.find("down_proj") != p.name.npos;
                double const deviation =
                    ends_branch ? 0.02 / std::sqrt(2.0 * static_cast<double>(_config.layers)) : 0.02;
                for (std::size_t i = p.offset; i < p.offset + p.size(); ++i)
                    w[i] = p.norm ? 1.0f : static_cast<float>(deviation * normal(mix(seed, i)));
            }
        }

        // One step from `state`; `tokens` holds its windows, of which each worker takes one half. Returns the mean loss
        // in nats per scored token.
        double step(std::span<token const> tokens, checkpoint& state, float rate, float dropout_rate,
                    std::uint64_t seed)
        {
            std::size_t const share = tokens.size() / team::size, chunk = _windows * _length;
            JACKPLANE_EXPECTS(tokens.size() % (team::size * _length) == 0, jackplane::shape_error,
                              tokens.size() / _length, " windows a step cannot be shared by ", team::size, " workers");
            auto const scored = static_cast<double>(tokens.size() / _length * (_length - 1));
            std::array<double, team::size> loss{}, square{};
            parameter_view<float const> const w(_config, state.w.data(), state.w.data() + _table.tuned_size());
            _team.run(
                [&](std::size_t r)
                {
                    auto& g = _gradient[r];
                    std::fill(g.begin(), g.end(), 0.0f);
                    parameter_view<float> const gradient(_config, g.data(), g.data() + _table.tuned_size());
                    for (std::size_t at = r * share; at < (r + 1) * share; at += chunk)
                    {
                        auto const part = tokens.subspan(at, std::min(chunk, (r + 1) * share - at));
                        dropout const drop{dropout_rate, static_cast<std::uint32_t>(mix(seed ^ state.step, at))};
                        loss[r] += pass(w, gradient, part, static_cast<float>(1.0 / scored), _work[r], drop);
                    }
                    _team.meet();
                    // From here each worker owns one half of the parameters.
                    std::size_t const half = _table.size() / 2, first = r * half, end = r == 0 ? half : _table.size();
                    square[r] = sum_gradients(first, end);
                    _team.meet();
                    double const norm = std::sqrt(square[0] + square[1]);
                    update(state, first, end, static_cast<float>(std::min(1.0, 1.0 / norm)), rate);
                });
            return (loss[0] + loss[1]) / scored;
        }

        struct score
        {
            double nll = 0.0;       // sum, nats
            std::size_t tokens = 0; // scored: every token but the first of each window

            double mean() const noexcept { return nll / static_cast<double>(tokens); }
        };

        // Windows of the length, none overlapping, the last one kept if it has 2 tokens or more.
        score evaluate(std::span<token const> text, std::span<float const> w)
        {
            parameter_view<float const> const view(_config, w.data(), w.data() + _table.tuned_size());
            std::size_t const whole = text.size() / _length, half = (whole + 1) / 2;
            std::array<score, team::size> part{};
            auto add = [&](std::size_t r, std::span<token const> tokens, std::size_t length)
            {
                forward(
                    _config, [&](std::size_t i) { return view.layer(i); }, view.ends(), tokens, length, _work[r]);
                part[r].nll += negative_log_likelihood(_config, view.ends(), tokens, length, _work[r]);
                part[r].tokens += tokens.size() / length * (length - 1);
            };
            _team.run(
                [&](std::size_t r)
                {
                    std::size_t const end = r ? whole : half;
                    for (std::size_t i = r * half; i < end; i += _windows)
                        add(r, text.subspan(i * _length, std::min(_windows, end - i) * _length), _length);
                    if (std::size_t const rest = text.size() - whole * _length; r == 1 && rest > 1)
                        add(r, text.last(rest), rest);
                });
            return {part[0].nll + part[1].nll, part[0].tokens + part[1].tokens};
        }

    private:
        static constexpr std::size_t block = 4096; // summed in float; blocks in double

        double pass(parameter_view<float const> const& w, parameter_view<float> const& g, std::span<token const> tokens,
                    float weight, workspace<float>& work, dropout const& drop) const
        {
            auto const layers = [&](std::size_t i) { return w.layer(i); };
            forward(_config, layers, w.ends(), tokens, _length, work, drop);
            double const nll =
                negative_log_likelihood_backward(_config, w.ends(), tokens, _length, weight, work, g.ends().output);
            backward(
                _config, layers, w.ends(), tokens, _length, work, [&](std::size_t i) { return g.layer(i); }, g.ends(),
                drop);
            return nll;
        }

        // Sums both workers' gradients into the first; returns the sum of squares.
        double sum_gradients(std::size_t first, std::size_t end)
        {
            double squares = 0.0;
            for (std::size_t i = first; i < end; ++i)
                _gradient[0][i] += _gradient[1][i];
            for (std::size_t i = first; i < end; i += block)
            {
                float const* const g = _gradient[0].data() + i;
                squares += static_cast<double>(dot(g, g, std::min(block, end - i)));
            }
            return squares;
        }

        // AdamW on the parameters [first, end); norms do not decay.
        void update(checkpoint& state, std::size_t first, std::size_t end, float clip, float rate) const
        {
            for (parameter const& p : _table.parameters())
            {
                std::size_t const a = std::max(p.offset, first), b = std::min(p.offset + p.size(), end);
                if (a < b)
                    _optimizer.update(state.w.data() + a, state.m.data() + a, state.v.data() + a,
                                      _gradient[0].data() + a, b - a, clip, rate, !p.norm, state.step + 1);
            }
        }

        // A normal number of 64 random bits (Box and Muller).
        static double normal(std::uint64_t bits) noexcept
        {
            double const a = (static_cast<double>(bits >> 32) + 0.5) / 4294967296.0;
            double const b = static_cast<double>(bits & 0xffffffffu) / 4294967296.0;
            return std::sqrt(-2.0 * std::log(a)) * std::cos(2.0 * std::numbers::pi * b);
        }

        config _config;
        parameter_table _table;
        std::size_t _windows, _length;
        std::vector<workspace<float>> _work;
        std::vector<std::vector<float>> _gradient;
        adamw _optimizer;
        team _team;
    };
}
