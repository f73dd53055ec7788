// SPDX-License-Identifier: BSD-3-Clause
#include "layer_balancer.hpp"
#include "../../tune/layer_loss.hpp"
#include "../../pack/format/storage.hpp"
#include <jackplane/quantize/balance.hpp>
#include <jackplane/quantize/clip.hpp>
#include <jackplane/quantize/quantize.hpp>
#include <algorithm>

namespace engine
{
    namespace
    {
        constexpr std::size_t v = 2; // of the matrices of a layer

        // Experts read what one norm makes: its scales are those of all of them.
        std::vector<layer_stage> balanced_stages(config const& c, layer_kind const& of)
        {
            auto all = stages_of(c, of);
            std::erase_if(all, [](layer_stage const& s) { return s.input == layer_input::mlp && s.expert != 0; });
            for (layer_stage& stage : all)
                if (stage.input == layer_input::mlp)
                    stage.expert = layer_stage::every_expert;
            return all;
        }
        // The matrices that read what a stage scales.
        std::vector<std::size_t> readers(layer_stage const& stage, std::size_t matrices)
        {
            bool const every = stage.expert == layer_stage::every_expert;
            std::vector<std::size_t> all;
            for (std::size_t i = stage.first; i < matrices; ++i)
                if (i < stage.last || (every && (i - stage.first) % 3 < 2)) // gate up, not down
                    all.push_back(i);
            return all;
        }

        // The row of v that makes input `column` of o: several heads share one.
        std::size_t row_of_v(config const& c, std::size_t column)
        {
            return column / c.head_dim / (c.heads / c.kv_heads) * c.head_dim + column % c.head_dim;
        }
    }

    layer_balancer::layer_balancer(config const& c, float const* embedding, code_settings const& codes,
                                   calibration_text const& text, unsigned bits, bool clips)
        : _config(c), _codes(codes), _bits(bits), _clips(clips), _stream(c, embedding, text)
    {
    }

    // body(codebook, scale policy) of the width that matters most
    template <class Body>
    void layer_balancer::with_quantizer(Body&& body) const
    {
        with_scheme(
            _codes.range, [&](auto policy)
            { with_width(_bits, [&](auto width) { body(jackplane::uniform<decltype(width)::value>{}, policy); }); });
    }

    // Inputs of o are made by the rows of v, each for several heads: [query_width] -> [kv_width], the means.
    std::vector<float> layer_balancer::made_by(layer_input which, std::vector<float> magnitudes) const
    {
        if (which != layer_input::attended)
            return magnitudes;
        std::vector<float> means(_config.kv_width());
        for (std::size_t i = 0; i < magnitudes.size(); ++i)
            means[row_of_v(_config, i)] += magnitudes[i] / static_cast<float>(_config.heads / _config.kv_heads);
        return means;
    }
    // The inverse: one scale for each column. [kv_width] -> [query_width]
    std::vector<float> layer_balancer::read_by(layer_input which, std::span<float const> scales) const
    {
        if (which != layer_input::attended)
            return {scales.begin(), scales.end()};
        std::vector<float> columns(_config.query_width());
        for (std::size_t i = 0; i < columns.size(); ++i)
            columns[i] = scales[row_of_v(_config, i)];
        return columns;
    }

    // Columns of a stage times the scales, and what makes its inputs divided by them.
    void layer_balancer::fold(layer_stage const& stage, std::vector<float> scales, layer_view<float> const& w,
                              std::span<parameter const> parts) const
    {
        auto const fold_norm = [&](float* norm)
        {
            float const shift = norm_shift<float>(_config);
            for (std::size_t i = 0; i < scales.size(); ++i)
            {
                float const factor = norm[i] + shift, exact = factor / scales[i] - shift;
                float const in_half = to_float(jackplane::from_float<jackplane::half>(exact));
                float const held = in_half != 0 && jackplane::holds<jackplane::half>(in_half) ? in_half : exact;
                bool const exists = held + shift != 0 && jackplane::is_finite(held);
                scales[i] = exists ? factor / (held + shift) : 1.0f; // what rounding takes goes to the columns
                norm[i] = exists ? held : norm[i];
            }
        };
        auto const divide = [&](float* bias, std::size_t first)
        {
            for (std::size_t i = 0; bias && i < scales.size(); ++i)
                bias[first + i] /= scales[i];
        };
        switch (stage.input)
        {
        case layer_input::attention:
            fold_norm(w.attention_norm);
            break;
        case layer_input::attended:
            jackplane::divide_rows(matrix_of(w.qkv, parts, v), scales);
            divide(w.qkv_bias, _config.query_width() + _config.kv_width());
            break;
        case layer_input::mlp:
            fold_norm(w.mlp_norm);
            if (w.router)
                jackplane::multiply_columns({w.router, _config.block.experts.count, _config.hidden}, scales);
            break;
        case layer_input::active:
            jackplane::divide_rows(matrix_of(w.qkv, parts, stage.first - 1), scales); // up
            divide(w.gate_up_bias, _config.intermediate);
        }
        auto const columns = read_by(stage.input, scales);
        for (std::size_t const i : readers(stage, parts.size()))
            jackplane::multiply_columns(matrix_of(w.qkv, parts, i), columns);
    }

    void layer_balancer::balance(layer_view<float> const& w, std::span<parameter const> parts)
    {
        layer_view<float const> const now = w;
        calibration_stream behind = _stream;
        behind.advance(now, _workers);
        layer_loss loss(_config, now, _stream.input(), behind.input(), _stream.length(), _workers);
        constexpr std::size_t enough = 32; // windows, evenly spread: each of 80 trials runs the layer on all of them
        std::vector<std::size_t> some;
        for (std::size_t n = 0, count = std::min(enough, loss.samples()); n < count; ++n)
            some.push_back(n * loss.samples() / count);
        loss.at(some);
        std::vector<float> trial(loss.size());
        for (layer_stage const& stage : balanced_stages(_config, w.kind))
        {
            auto const magnitudes = made_by(stage.input, _stream.mean_magnitudes(now, stage, _workers));
            auto const best = jackplane::balance(
                magnitudes,
                [&](std::span<float const> scales)
                {
                    auto const columns = read_by(stage.input, scales);
                    std::vector<float> back(columns.size());
                    std::transform(columns.begin(), columns.end(), back.begin(), [](float s) { return 1 / s; });
                    std::copy_n(w.qkv, trial.size(), trial.begin());
                    for (std::size_t const i : readers(stage, parts.size()))
                    {
                        auto const m = matrix_of(trial.data(), parts, i);
                        jackplane::multiply_columns(m, columns);
                        with_quantizer(
                            [&](auto book, auto policy)
                            {
                                in_half_or_wider(
                                    [&]<class S>(S)
                                    {
                                        auto const q = jackplane::quantize<S>(
                                            m, book, policy, _codes.group, jackplane::nearest{},
                                            jackplane::independent{}, {{}, parts[i].name}, _workers);
                                        dequantize(q, m);
                                    });
                            });
                        jackplane::multiply_columns(m, back);
                    }
                    return loss(trial, {});
                });
            if (best.ratio > 0)
                fold(stage, best.scales, w, parts);
        }
        if (_clips)
        {
            std::vector<std::vector<float>> grams; // of the layer before any clipping
            auto const stages = stages_of(_config, w.kind);
            for (layer_stage const& stage : stages)
                grams.push_back(_stream.gram(now, stage, _workers));
            for (std::size_t n = 0; n < grams.size(); ++n)
                for (std::size_t i = std::max<std::size_t>(stages[n].first, v); i < stages[n].last; ++i)
                {
                    auto const m = matrix_of(w.qkv, parts, i); // q and k stay: rotation makes them delicate
                    with_quantizer(
                        [&](auto book, auto policy)
                        {
                            in_half_or_wider(
                                [&]<class S>(S)
                                {
                                    std::vector<float> clipped(m.data, m.data + m.rows * m.cols);
                                    jackplane::clip<S>({clipped.data(), m.rows, m.cols},
                                                       {grams[n].data(), m.cols, m.cols}, book, policy, _codes.group,
                                                       {.name = parts[i].name}, _workers);
                                    std::copy(clipped.begin(), clipped.end(), m.data);
                                });
                        });
                }
        }
        _stream = std::move(behind);
    }
}
