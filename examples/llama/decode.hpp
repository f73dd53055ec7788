// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/team.hpp>
#include "activation.hpp"
#include "forward.hpp"
#include "packed_model.hpp"
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace llama
{
    // The kernels that this machine runs.
    char const* kernels_name();

    // Token-by-token decoding on packed weights at one width, with a key-value cache. A sparse part's residuals at that
    // width are formed when it is opened (jackplane::dense_sparse). Allocates nothing after the first token. The model
    // must outlive it. The team shares the linear layers; the logits do not depend on its size.
    class decoder
    {
    public:
        // Throws width_error when some matrix has no such width. room: the most tokens of one text.
        decoder(packed_model const& m, unsigned bits, std::size_t room, activation const& how = {},
                jackplane::team team = jackplane::team(1))
            : _model(&m),
              _bits(bits),
              _how(fitted(how, m)),
              _team(std::move(team)),
              _room(room),
              _rotary(room, m.sizes.head_dim, m.sizes.rope_theta),
              _keys(m.sizes.layers * room * m.sizes.kv_width()),
              _values(_keys.size()),
              _stream(m.sizes.hidden),
              _normed(m.sizes.hidden),
              _qkv(m.sizes.qkv_width()),
              _attended(m.sizes.query_width()),
              _branch(m.sizes.hidden),
              _gate_up(2 * m.sizes.intermediate),
              _active(m.sizes.intermediate),
              _scores(room),
              _logits(m.sizes.vocabulary)
        {
            open_width();
        }

        std::size_t position() const noexcept { return _position; }
        bool has_room() const noexcept { return _position < _room; }
        void restart() noexcept { _position = 0; }

        // Takes the next token of the text; returns the logits of the one behind it [vocabulary].
        std::span<float const> operator()(token t)
        {
            config const& c = _model->sizes;
            JACKPLANE_EXPECTS(_position < _room, jackplane::shape_error, "the text has ", _position,
                              " tokens, the cache room for ", _room);
            JACKPLANE_EXPECTS(t < c.vocabulary, jackplane::value_error, "token ", t, " of a vocabulary of ",
                              c.vocabulary);
            std::copy_n(_model->rest.data() + t * c.hidden, c.hidden, _stream.data());
            for (std::size_t layer = 0; layer < c.layers; ++layer)
            {
                float inverse; // of the norm, which only a backward pass needs
                std::size_t const first = layer * per_layer;
                layer_norms const norms = norms_of(layer);
                rms_norm(_stream.data(), norms.attention, _normed.data(), &inverse, 1, c.hidden, c.rms_norm_eps);
                prepare(_normed);
                std::span<float> const qkv(_qkv);
                product(first, qkv.first(c.query_width()));
                product(first + 1, qkv.subspan(c.query_width(), c.kv_width()));
                product(first + 2, qkv.last(c.kv_width()));
                attend(layer);
                product_of(_attended, first + 3, _branch);
                add_to_stream();

                rms_norm(_stream.data(), norms.mlp, _normed.data(), &inverse, 1, c.hidden, c.rms_norm_eps);
                prepare(_normed);
                std::span<float> const gate_up(_gate_up);
                product(first + 4, gate_up.first(c.intermediate));
                product(first + 5, gate_up.last(c.intermediate));
                swiglu(_gate_up.data(), _active.data(), 1, c.intermediate);
                product_of(_active, first + 6, _branch);
                add_to_stream();
            }
            float inverse;
            rms_norm(_stream.data(), _model->rest.data() + c.vocabulary * c.hidden, _normed.data(), &inverse, 1,
                     c.hidden, c.rms_norm_eps);
            ++_position;
            if (c.tied)
                linear(_normed.data(), _model->rest.data(), _logits.data(), 1, c.hidden, c.vocabulary);
            else
                product_of(_normed, c.layers * per_layer, _logits);
            return _logits;
        }

    private:
        static constexpr std::size_t per_layer = 7; // q k v o gate up down, the order of parameter_table

        struct layer_norms
        {
            float const *attention, *mlp; // [hidden]
        };
        layer_norms norms_of(std::size_t layer) const
        {
            config const& c = _model->sizes;
            float const* const norm = _model->rest.data() + (c.vocabulary + 1 + 2 * layer) * c.hidden;
            return {norm, norm + c.hidden};
        }

        void open_width(); // -> _residuals; throws where a matrix has no such width
        static activation fitted(activation how, packed_model const& m); // its group divides those of the matrices
        void prepare(std::span<float const> x);
        void product(std::size_t i, std::span<float> y); // y = matrix i times the prepared x
        void product_of(std::vector<float> const& x, std::size_t i, std::span<float> y)
        {
            prepare(x);
            product(i, y);
        }
        void add_to_stream()
        {
            for (std::size_t j = 0; j < _stream.size(); ++j)
                _stream[j] += _branch[j];
        }

        // softmax(q K^T / sqrt(head_dim)) V over the tokens so far
        void attend(std::size_t layer)
        {
            config const& c = _model->sizes;
            _rotary.rotate(_qkv.data(), c.heads + c.kv_heads, _position);
            float* const keys = _keys.data() + layer * _room * c.kv_width();
            float* const values = _values.data() + layer * _room * c.kv_width();
            std::copy_n(_qkv.data() + c.query_width(), c.kv_width(), keys + _position * c.kv_width());
            std::copy_n(_qkv.data() + c.query_width() + c.kv_width(), c.kv_width(), values + _position * c.kv_width());
            float const factor = 1.0f / std::sqrt(static_cast<float>(c.head_dim));
            std::size_t const seen = _position + 1, group = c.heads / c.kv_heads;
            for (std::size_t h = 0; h < c.heads; ++h)
            {
                std::size_t const at = h / group * c.head_dim;
                for (std::size_t t = 0; t < seen; ++t)
                    _scores[t] = factor * dot(_qkv.data() + h * c.head_dim, keys + t * c.kv_width() + at, c.head_dim);
                float const total = exponentiate(_scores.data(), seen, maximum(_scores.data(), seen));
                float* const y = _attended.data() + h * c.head_dim;
                std::fill_n(y, c.head_dim, 0.0f);
                for (std::size_t t = 0; t < seen; ++t)
                    for (std::size_t j = 0; j < c.head_dim; ++j)
                        y[j] += _scores[t] / total * values[t * c.kv_width() + at + j];
            }
        }

        packed_model const* _model;
        unsigned _bits;
        std::vector<any_residuals> _residuals; // of every matrix: its sparse part at this width
        activation _how;
        prepared_x _prepared;
        jackplane::team _team;
        std::size_t _room, _position = 0;
        rotary_table<float> _rotary;
        std::vector<float> _keys, _values; // [layers, room, kv_width]
        std::vector<float> _stream, _normed, _qkv, _attended, _branch, _gate_up, _active, _scores, _logits;
    };
}
