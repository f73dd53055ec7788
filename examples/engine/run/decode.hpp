// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/number.hpp>
#include <jackplane/core/team.hpp>
#include "activation.hpp"
#include "attention.hpp"
#include "cache.hpp"
#include "forward.hpp"
#include "../pack/packed_model.hpp"
#include "products.hpp"
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <span>
#include <utility>
#include <vector>

namespace engine
{
    // The kernels that this machine runs.
    char const* kernels_name();
    // Packed matrices that read x as fp32 though limbs are asked for: where groups are no multiple of 32 columns, codes
    // are numbers in a table, or this machine multiplies no such integers (jackplane::takes_integers).
    std::size_t matrices_in_fp32(packed_model const& m, activation const& how);

    // Decoding on packed weights at one width, with a key-value cache: token by token, or several at once (a prompt, a
    // text to score), which share each look at the weights. The logits are the same but for rounding: products of
    // several vectors, and attention of several queries, sum in another order than those of one. A sparse part's
    // residuals at that width are formed when it is opened (jackplane::dense_sparse). Allocates nothing after the first
    // batch, but where keys and values have fewer than 32 bits what a longer text needs. The model must outlive it. The
    // team shares all work; the logits do not depend on its size.
    class decoder
    {
    public:
        static constexpr std::size_t together = 128; // tokens: each shares a look at the weights

        // Throws width_error when some matrix of a layer has no such width; the head is read at head_beside(bits).
        // room: the most tokens of one text. kv_bits: how keys and values are kept (kv_cache).
        decoder(packed_model const& m, unsigned bits, std::size_t room, activation const& how = {},
                jackplane::team team = jackplane::team(1), unsigned kv_bits = 32)
            : decoder(m, m.mix(bits), room, how, std::move(team), kv_bits)
        {
        }
        // bits: one for each matrix (packed_model::mix).
        decoder(packed_model const& m, std::vector<unsigned> bits, std::size_t room, activation const& how = {},
                jackplane::team team = jackplane::team(1), unsigned kv_bits = 32)
            : _model(&m),
              _bits(std::move(bits)),
              _how(fitted(how, m)),
              _team(std::move(team)),
              _room(room),
              _weights(vectors_of(m)),
              _cache(m.sizes, room, kv_bits, how)
        {
            for (rotation const& r : m.sizes.rotations())
                _rotary.emplace_back(room, m.sizes.head_dim, r);
            open_widths();
        }

        std::size_t position() const noexcept { return _position; }
        bool has_room() const noexcept { return _position < _room; }
        void restart() noexcept { _position = 0; }
        // A text of so many tokens with random keys and values stands in the cache, for measuring what follows.
        void pretend(std::size_t tokens, unsigned seed = 1);

        // Takes the next token of the text; returns the logits of the one behind it [vocabulary].
        std::span<float const> operator()(token t) { return (*this)(std::span<token const>(&t, 1)); }

        // The same for the next tokens, one or more: the logits of the one behind them all.
        std::span<float const> operator()(std::span<token const> tokens)
        {
            expect(tokens);
            for (; tokens.size() > together; tokens = tokens.subspan(together))
                pass(tokens.first(together));
            pass(tokens);
            output(tokens.size() - 1, 1);
            return _logits;
        }

        // Takes at most `together` tokens; returns the logits behind each [tokens, vocabulary].
        std::span<float const> each(std::span<token const> tokens)
        {
            expect(tokens);
            JACKPLANE_EXPECTS(tokens.size() <= together, jackplane::shape_error, tokens.size(), " tokens, at most ",
                              together, " at once");
            pass(tokens);
            output(0, tokens.size());
            return _logits;
        }

    private:
        void open_widths(); // -> _residuals; throws where a matrix has no such width
        static activation fitted(activation how, packed_model const& m); // its group divides those of the matrices
        void prepare(jackplane::matrix_view<float const> x, std::size_t nth = 0); // -> _prepared[nth]
        // y = the matrix times one of the x that are prepared, and the bias, of all in the list at once
        void multiply(std::initializer_list<matrix_product> list) { multiply(std::span(list.begin(), list.size())); }
        void multiply(std::span<matrix_product const> list);
        bool adds_bias_at_once(matrix_product const& p) const;

        // All tokens are there and have room, before the first is taken.
        void expect(std::span<token const> tokens) const
        {
            JACKPLANE_EXPECTS(!tokens.empty(), jackplane::shape_error, "no tokens to decode");
            JACKPLANE_EXPECTS(tokens.size() <= _room - _position, jackplane::shape_error, "the text has ", _position,
                              " tokens and ", tokens.size(), " more, the cache room for ", _room);
            for (token const t : tokens)
                JACKPLANE_EXPECTS(t < _model->sizes.vocabulary, jackplane::value_error, "token ", t,
                                  " of a vocabulary of ", _model->sizes.vocabulary);
        }

        // body(t) for n tokens, on the team: what is done for a token looks at no other.
        template <class Body>
        void for_tokens(std::size_t n, Body const& body) const
        {
            auto const part = [&](std::size_t t, std::size_t last)
            {
                for (; t < last; ++t)
                    body(t);
            };
            _team(n, part);
        }

        // Room for the states of a batch.
        void make_room(std::size_t n)
        {
            config const& c = _model->sizes;
            if (_stream.size() >= n * c.hidden)
                return;
            _inverse.resize(n * (c.heads + c.kv_heads));
            for (std::vector<float>* const x : {&_stream, &_normed, &_branch})
                x->resize(n * c.hidden);
            _qkv.resize(n * c.qkv_width());
            _attended.resize(n * c.query_width());
            _gate_up.resize(2 * inner_numbers(c, n));
            _active.resize(_gate_up.size() / 2);
            _routes = routing<float>(c.block.experts, n);
            _routed.resize(n * c.block.experts.used * c.hidden);
            _given.resize(_routed.size());
        }

        // Columns [from, from + cols) of x [n, width].
        static jackplane::matrix_view<float> part(float* x, std::size_t n, std::size_t width, std::size_t from,
                                                  std::size_t cols)
        {
            return {x + from, n, cols, width};
        }
        static jackplane::matrix_view<float> whole(float* x, std::size_t n, std::size_t width)
        {
            return {x, n, width, width};
        }

        // Rows of x [.., hidden] that go through the matrices from `first` on, gate up down.
        struct mlp_part
        {
            std::size_t first, row, rows;
        };

        // x [.., hidden] -> y, each part by its own matrices, gate and up of all parts at once; threads share them all.
        // one_x: of one row, which every part reads. _gate_up, _active are used.
        void mlps(std::span<mlp_part const> parts, layer_view<float const> const& w, float* x, bool one_x, float* y);
        // _normed -> _branch, by the MLP whose matrices begin at `first`, or by experts, whose begin there.
        void mlp(std::size_t first, layer_view<float const> const& w, std::size_t n);

        void embedding_row(token t, float* to) const
        {
            config const& c = _model->sizes;
            if (c.tied && _model->head_is_packed())
                return _model->decode_row(_model->head(), _bits[_model->head()], t, {to, c.hidden});
            std::copy_n(_model->rest.data() + t * c.hidden, c.hidden, to);
        }
        static parameter_view<float const> vectors_of(packed_model const& m)
        {
            float const* const rest = m.rest.data();
            if (m.sizes.tied && m.head_is_packed()) // the embedding is none of the rest
                return {m.sizes, nullptr, nullptr, rest};
            return {m.sizes, nullptr, rest};
        }

        // All layers, on at most `together` tokens -> _stream.
        void pass(std::span<token const> tokens)
        {
            config const& c = _model->sizes;
            std::size_t const n = tokens.size();
            make_room(n);
            embed_by(
                c, [this](token t, float* to) { embedding_row(t, to); }, tokens, _stream.data());
            for (std::size_t layer = 0; layer < c.layers; ++layer)
            {
                std::size_t const first = _model->table.first_of_layer(layer), q = c.query_width(), kv = c.kv_width();
                auto const w = _weights.vectors(layer);
                norm_stream(w.attention_norm, n);
                prepare(whole(_normed.data(), n, c.hidden));
                multiply({{first, part(_qkv.data(), n, c.qkv_width(), 0, q)},
                          {first + 1, part(_qkv.data(), n, c.qkv_width(), q, kv)},
                          {first + 2, part(_qkv.data(), n, c.qkv_width(), q + kv, kv)}});
                turn(layer, w, n);
                if (_cache.bits() == 32)
                    n == 1 ? attend_alone(layer, w.kind) : attend_together(layer, w.kind, n);
                else
                    attend_cached(layer, w.kind, n);
                prepare(whole(_attended.data(), n, q));
                multiply({{first + 3, whole(_branch.data(), n, c.hidden), 0, w.output_bias}});
                add_to_stream(w.attention_post, n);

                norm_stream(w.mlp_norm, n);
                mlp(first + 4, w, n);
                add_to_stream(w.mlp_post, n);
            }
            _position += n;
        }

        // _logits [count, vocabulary] behind the tokens [first, first + count) of the last batch
        void output(std::size_t first, std::size_t count)
        {
            config const& c = _model->sizes;
            float const* const stream = _stream.data() + first * c.hidden;
            norm(c, stream, _weights.ends().norm, _normed.data(), _inverse.data(), count);
            _logits.resize(count * c.vocabulary);
            std::size_t const head = _model->head();
            if (!_model->head_is_packed())
                return logits_of<float>(c, _normed.data(), _model->dense_values(head).data, _logits.data(), count);
            prepare({_normed.data(), count, c.hidden});
            multiply({{head, {_logits.data(), count, c.vocabulary}}});
            cap_logits(c, _logits.data(), count);
        }

        void norm_stream(float const* weight, std::size_t n) // _inverse: what only a backward pass needs
        {
            config const& c = _model->sizes;
            auto const body = [&](std::size_t t)
            {
                std::size_t const at = t * c.hidden;
                norm(c, _stream.data() + at, weight, _normed.data() + at, _inverse.data() + t, 1);
            };
            for_tokens(n, body);
        }
        void add_to_stream(float const* post_norm, std::size_t n)
        {
            config const& c = _model->sizes;
            auto const body = [&](std::size_t t)
            {
                float *const branch = _branch.data() + t * c.hidden, *const stream = _stream.data() + t * c.hidden;
                if (post_norm)
                    norm(c, branch, post_norm, branch, _inverse.data() + t, 1);
                for (std::size_t j = 0; j < c.hidden; ++j)
                    stream[j] += branch[j];
            };
            for_tokens(n, body);
        }

        // Queries and keys of n tokens turn; keys and values stay, those of fp32 at once.
        void turn(std::size_t layer, layer_view<float const> const& w, std::size_t n);
        // Keys and values of one head, those of `count` tokens of the batch.
        void keep(std::size_t layer, std::size_t head, std::size_t first, std::size_t count);

        // softmax(scale q K^T) V over what a token sees of the text up to itself: of one, of n.
        void attend_alone(std::size_t layer, layer_kind const& kind);
        void attend_together(std::size_t layer, layer_kind const& kind, std::size_t n);
        void attend_cached(std::size_t layer, layer_kind const& kind, std::size_t n); // half and planes
        template <class Unit> // unit(i, thread) for i < count; every thread takes the next that is left
        void share(std::size_t count, std::size_t threads, Unit const& unit);

        packed_model const* _model;
        std::vector<unsigned> _bits;           // of every matrix
        std::vector<any_residuals> _residuals; // of every matrix: its sparse part at its width
        activation _how;
        std::vector<prepared_x> _prepared;
        std::vector<any_job> _jobs;
        std::vector<matrix_product> _products;
        std::vector<mlp_part> _parts;
        std::vector<jackplane::bfloat16> _rounded; // x of bf16
        jackplane::team _team;
        std::size_t _room, _position = 0;
        parameter_view<float const> _weights;     // all but the matrices
        std::vector<rotary_table<float>> _rotary; // as many as the model has rotations
        kv_cache _cache;
        std::vector<attention_room> _rooms; // of the threads
        std::vector<float> _scores;         // [heads, room] of a token, [threads, attention_rows, room] of more
        std::vector<float> _stream, _normed, _inverse, _qkv, _attended, _branch, _gate_up, _active; // of a batch
        routing<float> _routes;
        std::vector<float> _routed, _given; // [tokens * used, hidden]: what experts read and give
        std::vector<float> _logits;
    };
}
