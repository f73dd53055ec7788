// SPDX-License-Identifier: BSD-3-Clause
#include "block_tuner.hpp"
#include "layer_loss.hpp"
#include <jackplane/tune/tunable_codes.hpp>
#include <jackplane/tune/tune.hpp>
#include <algorithm>
#include <vector>

namespace engine
{
    namespace
    {
        // A matrix without levels, of which nothing is learned: each number is the offset of a group of its own.
        jackplane::tunable_codes fixed(block_matrix const& m, std::string_view name)
        {
            std::size_t const size = m.rows * m.cols;
            jackplane::aligned_vector<float> values(size);
            m.decode({values.data(), m.rows, m.cols});
            jackplane::given_levels const by({0, 1}, 1, jackplane::aligned_vector<float>(size), values);
            return {{values.data(), m.rows, m.cols}, by, jackplane::aligned_vector<jackplane::code>(size), 0, name};
        }
        double moved(std::span<jackplane::tunable_codes const> all,
                     std::vector<jackplane::aligned_vector<jackplane::code>> const& from)
        {
            std::size_t moved = 0, weights = 0;
            for (std::size_t i = 0; i < all.size(); ++i)
                for (std::size_t k = 0; k < from[i].size(); ++k, ++weights)
                    moved += all[i].codes()[k] != from[i][k];
            return static_cast<double>(moved) / static_cast<double>(std::max<std::size_t>(weights, 1));
        }
    }

    block_tuner::block_tuner(config const& c, float const* embedding, tuning_settings const& t,
                             calibration_text const& text)
        : _config(c), _settings(t), _dense(c, embedding, text), _stream(c, embedding, text)
    {
    }

    width_report block_tuner::tune(std::size_t number, layer_view<float const> const& w,
                                   std::span<parameter const> parts, std::span<block_matrix> matrices,
                                   any_rate const& rate)
    {
        std::string const name = text("layer ", number);
        std::vector<float> dense_input;
        if (_settings.dense_inputs)
            dense_input.assign(_dense.input().begin(), _dense.input().end());
        _dense.advance(w, _workers); // to what the layer shall give
        std::vector<jackplane::tunable_codes> all;
        std::vector<jackplane::aligned_vector<jackplane::code>> from;
        for (std::size_t i = 0; i < parts.size(); ++i)
        {
            block_matrix const& m = matrices[i];
            if (m.has_levels())
                all.emplace_back(matrix_of(w.qkv, parts, i), m.levels(), m.codes(), 0.5f, parts[i].name);
            else
                all.push_back(fixed(m, parts[i].name));
            from.push_back(all.back().codes());
        }
        layer_loss loss(_config, w, _settings.dense_inputs ? std::span<float const>(dense_input) : _stream.input(),
                        _dense.input(), _dense.length(), _workers);
        loss.suppress_outliers(_settings.suppress_outliers);
        auto const done = jackplane::tune(std::span(all), std::span(&loss, 1), jackplane::one_width(8), rate,
                                          jackplane::sign_step{}, options_of(_settings, number, name), _workers);
        for (std::size_t i = 0; i < parts.size(); ++i)
            if (matrices[i].has_levels())
                matrices[i].put_codes(all[i].codes());
        advance(w, parts, matrices);
        return {0, done.before, done.after, done.losses, moved(all, from)};
    }

    void block_tuner::pass(layer_view<float const> const& w, std::span<parameter const> parts,
                           std::span<block_matrix const> tuned)
    {
        _dense.advance(w, _workers);
        advance(w, parts, tuned);
    }

    void block_tuner::advance(layer_view<float const> const& w, std::span<parameter const> parts,
                              std::span<block_matrix const> tuned)
    {
        std::vector<float> decoded(size_of(parts));
        for (std::size_t i = 0; i < parts.size(); ++i)
            tuned[i].decode(matrix_of(decoded.data(), parts, i));
        _stream.advance(w.with_matrices(_config, decoded.data()), _workers);
    }
}
