// SPDX-License-Identifier: BSD-3-Clause
#include "decode.hpp"
#include <jackplane/detach/detach.hpp>
#include <jackplane/multiply/dispatch.hpp>
#include <jackplane/multiply/sparse.hpp>
#include "../pack/format/formats.hpp"
#include <algorithm>
#include <atomic>
#include <concepts>
#include <functional>
#include <variant>

namespace engine
{
    namespace
    {
        using kernels = jackplane::dispatched;

        jackplane::exact_view floats_of(prepared_x const& x)
        {
            return std::visit([](auto const& ready) { return ready.floats(); }, x);
        }

        // A matrix whose weights can be read: what reads them is compiled once, not for each format.
        struct weights_of
        {
            std::size_t row_count, col_count;
            std::function<float(std::size_t, std::size_t)> weight;

            std::size_t rows() const { return row_count; }
            std::size_t cols() const { return col_count; }
            float at(std::size_t row, std::size_t col) const { return weight(row, col); }
        };

        // Columns of one group; 0 when a row is one.
        std::size_t group_of(jackplane::any_packed const& a)
        {
            return std::visit([](auto const& m) { return m.view().groups == 1 ? 0 : m.view().group; }, a);
        }
    }

    char const* kernels_name() { return kernels::name(); }

    std::size_t matrices_in_fp32(packed_model const& m, activation const& how)
    {
        auto const count = [&]<class A>(A const&)
        {
            auto const reads_fp32 = []<class M>(M const& a)
            {
                if constexpr (common_format<M>)
                    return !jackplane::takes_integers<kernels>(a, typename A::prepared{});
                return true;
            };
            std::size_t sum = 0;
            if constexpr (requires { A::count; })
                for (packed_model::matrix const& each : m.matrices)
                    sum += each.is_packed && std::visit(reads_fp32, each.packed) ? 1 : 0;
            return sum;
        };
        return std::visit(count, how);
    }

    void decoder::open_widths()
    {
        JACKPLANE_EXPECTS(_bits.size() == _model->matrices.size(), jackplane::shape_error, _bits.size(), " widths for ",
                          _model->matrices.size(), " matrices");
        for (std::size_t i = 0; i < _bits.size(); ++i)
        {
            packed_model::matrix const& m = _model->matrices[i];
            any_residuals beside;
            auto const by = [&](auto const& a) -> weights_of
            {
                auto const dense = a.prefix(_bits[i]); // or an error
                return {dense.rows(), dense.cols(), [=](auto row, auto col) { return dense.at(row, col); }};
            };
            if (m.is_packed)
                if (auto const dense = std::visit(by, m.packed); m.sparse.nonzeros() != 0)
                    beside = m.sparse.visit([&](auto const& of) -> any_residuals { return residuals(of, dense); });
            _residuals.push_back(std::move(beside));
        }
    }

    activation decoder::fitted(activation how, packed_model const& m)
    {
        auto const fit = [&](auto& a)
        {
            if constexpr (requires { a.group; })
                for (packed_model::matrix const& matrix : m.matrices)
                    if (matrix.is_packed && group_of(matrix.packed) % 32 == 0) // others are read with fp32 x
                        while (group_of(matrix.packed) % a.group != 0)
                            a.group /= 2;
        };
        std::visit(fit, how);
        return how;
    }

    // bfloat16 is rounded here: machines that do not multiply pairs of them shall read the same x as those that do.
    void decoder::prepare(jackplane::matrix_view<float const> x, std::size_t nth)
    {
        if (_prepared.size() <= nth)
            _prepared.resize(nth + 1);
        prepared_x& into = _prepared[nth];
        auto const by = [&]<class A>(A const& how)
        {
            using ready = typename A::prepared;
            if (!std::holds_alternative<ready>(into))
                into.emplace<ready>();
            if constexpr (std::same_as<A, jackplane::bf16>)
            {
                _rounded.resize(x.rows * x.cols);
                std::transform(x.data, x.data + _rounded.size(), _rounded.begin(),
                               [](float v) { return jackplane::from_float<jackplane::bfloat16>(v); });
                jackplane::matrix_view<jackplane::bfloat16 const> const rounded{_rounded.data(), x.rows, x.cols};
                how.template prepare<kernels>(rounded, std::get<ready>(into), _team);
            }
            else
                how.template prepare<kernels>(x, std::get<ready>(into), _team);
        };
        std::visit(by, _how);
    }

    // Whether the product with the matrix ends where its job does.
    bool decoder::adds_bias_at_once(matrix_product const& p) const
    {
        auto const is_common = []<class M>(M const&) { return common_format<M>; };
        auto const is_empty = [](auto const& beside) { return beside.nonzeros() == 0; };
        return p.bias != nullptr && std::visit(is_common, _model->matrices[p.matrix].packed) &&
               std::visit(is_empty, _residuals[p.matrix]);
    }

    // The matrices of common formats in one parallel region, with their biases; then what stands beside them, before
    // the biases of those that have such a part or another format.
    void decoder::multiply(std::span<matrix_product const> list)
    {
        _jobs.clear();
        for (matrix_product const& p : list)
        {
            packed_model::matrix const& m = _model->matrices[p.matrix];
            unsigned const bits = _bits[p.matrix];
            prepared_x const& x = _prepared[p.x];
            std::span<float const> const bias(p.bias, adds_bias_at_once(p) ? p.y.cols : 0);
            auto const add = [&]<class M>(M const& a)
            {
                if constexpr (common_format<M>)
                    std::visit([&](auto const& ready)
                               { _jobs.push_back(jackplane::job{a.prefix(bits), ready, p.y, {.bias = bias}}); },
                               x);
                else
                    multiply_other(m.packed, bits, floats_of(x), p.y, _team);
            };
            std::visit(add, m.packed);
        }
        multiply_each<kernels>(_team, _jobs);
        for (matrix_product const& p : list)
        {
            auto const add = [&](auto const& beside, auto const& ready)
            {
                if (beside.nonzeros() != 0)
                    multiply_add<kernels>(beside, ready, p.y, _team);
            };
            std::visit(add, _residuals[p.matrix], _prepared[p.x]);
            if (!adds_bias_at_once(p))
                for (std::size_t t = 0; t < p.y.rows; ++t)
                    add_bias(p.bias, p.y.row(t).data(), 1, p.y.cols);
        }
    }

    void decoder::mlps(std::span<mlp_part const> parts, layer_view<float const> const& w, float* x, bool one_x,
                       float* y)
    {
        config const& c = _model->sizes;
        std::size_t const inner = c.inner(w.kind);
        std::size_t const all = parts.back().row + parts.back().rows; // they follow each other
        float const* const up_bias = w.gate_up_bias == nullptr ? nullptr : w.gate_up_bias + inner;
        _products.clear();
        if (one_x)
            prepare(whole(x, 1, c.hidden));
        for (std::size_t nth = 0; nth < parts.size(); ++nth)
        {
            auto const [first, row, rows] = parts[nth];
            float* const both = _gate_up.data() + 2 * row * inner;
            if (!one_x)
                prepare(whole(x + row * c.hidden, rows, c.hidden), nth);
            std::size_t const of = one_x ? 0 : nth;
            _products.push_back({first, part(both, rows, 2 * inner, 0, inner), of, w.gate_up_bias});
            _products.push_back({first + 1, part(both, rows, 2 * inner, inner, inner), of, up_bias});
        }
        multiply(_products);
        for_tokens(all, [&](std::size_t t)
                   { gate(c.block.gate, _gate_up.data() + 2 * t * inner, _active.data() + t * inner, 1, inner); });
        _products.clear();
        for (std::size_t nth = 0; nth < parts.size(); ++nth)
        {
            auto const [first, row, rows] = parts[nth];
            prepare(whole(_active.data() + row * inner, rows, inner), nth);
            _products.push_back({first + 2, whole(y + row * c.hidden, rows, c.hidden), nth, w.down_bias});
        }
        multiply(_products);
    }

    void decoder::mlp(std::size_t first, layer_view<float const> const& w, std::size_t n)
    {
        config const& c = _model->sizes;
        mlp_part const only{first, 0, n};
        if (!w.kind.experts)
            return mlps({&only, 1}, w, _normed.data(), false, _branch.data());
        route(c, w.router, _normed.data(), n, _routes);
        if (n != 1) // all experts of a token alone read it where it lies
            gather(_routes, _normed.data(), _routed.data(), 0, n * c.block.experts.used, c.hidden);
        _parts.clear();
        for_each_expert(_routes,
                        [&](std::size_t e, std::size_t row, std::size_t rows) {
                            _parts.push_back({first + 3 * e, row, rows});
                        });
        mlps(_parts, w, n == 1 ? _normed.data() : _routed.data(), n == 1, _given.data());
        combine(c, _routes, _given.data(), _branch.data(), n);
    }

    void decoder::pretend(std::size_t tokens, unsigned seed)
    {
        JACKPLANE_EXPECTS(tokens <= _room, jackplane::shape_error, tokens, " tokens, the cache has room for ", _room);
        _cache.fill(tokens, seed);
        _position = tokens;
    }

    void decoder::turn(std::size_t layer, layer_view<float const> const& w, std::size_t n)
    {
        config const& c = _model->sizes;
        auto const body = [&](std::size_t t)
        {
            float* const q = _qkv.data() + t * c.qkv_width();
            float* const inverse = _inverse.data() + t * (c.heads + c.kv_heads);
            finish_heads<float>(c, w, q, nullptr, inverse, _rotary[w.kind.rotation], _position + t);
            for (std::size_t head = 0; _cache.bits() == 32 && head < c.kv_heads; ++head)
                keep(layer, head, t, 1);
        };
        for_tokens(n, body);
    }

    void decoder::keep(std::size_t layer, std::size_t head, std::size_t first, std::size_t count)
    {
        config const& c = _model->sizes;
        float const* const k = _qkv.data() + first * c.qkv_width() + c.query_width() + head * c.head_dim;
        auto const part = [&](float const* from)
        { return jackplane::matrix_view<float const>{from, count, c.head_dim, c.qkv_width()}; };
        _cache.keep(layer, head, _position + first, part(k), part(k + c.kv_width()));
    }

    // Heads are shared where they take longer than the call; each is summed alone, whoever does it.
    void decoder::attend_alone(std::size_t layer, layer_kind const& kind)
    {
        config const& c = _model->sizes;
        std::size_t const begin = first_seen(kind, _position), seen = _position + 1 - begin;
        float const *const keys = _cache.keys(layer, begin), *const values = _cache.values(layer, begin);
        float const factor = score_scale<float>(c), cap = static_cast<float>(c.block.score_cap);
        std::size_t const group = c.heads / c.kv_heads;
        _scores.resize(std::max(_scores.size(), c.heads * _room));
        auto const heads = [&](std::size_t h, std::size_t last)
        {
            for (; h < last; ++h)
            {
                std::size_t const at = h / group * c.head_dim;
                float const* const q = _qkv.data() + h * c.head_dim;
                float* const scores = _scores.data() + h * _room;
                for (std::size_t s = 0; s < seen; ++s)
                    scores[s] = factor * dot(q, keys + s * c.kv_width() + at, c.head_dim);
                if (cap > 0)
                    soften(scores, seen, cap);
                scale(scores, seen, 1 / exponentiate(scores, seen, maximum(scores, seen)));
                float* const y = _attended.data() + h * c.head_dim;
                std::fill_n(y, c.head_dim, 0.0f);
                for (std::size_t s = 0; s < seen; ++s)
                    for (std::size_t j = 0; j < c.head_dim; ++j)
                        y[j] += scores[s] * values[s * c.kv_width() + at + j];
            }
        };
        constexpr std::size_t short_text = std::size_t{1} << 17; // products: about 10 us
        if (seen * c.query_width() < short_text)
            heads(0, c.heads);
        else
            _team(c.heads, heads);
    }

    template <class Unit>
    void decoder::share(std::size_t count, std::size_t threads, Unit const& unit)
    {
        std::atomic<std::size_t> next = 0;
        _team(threads,
              [&](std::size_t thread, std::size_t last)
              {
                  for (; thread < last; ++thread)
                      for (std::size_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;)
                          unit(i, thread);
              });
    }

    // A unit of work is a block of queries of one head. Every thread has scores of its own; no more threads than
    // OpenBLAS has buffers for.
    void decoder::attend_together(std::size_t layer, layer_kind const& kind, std::size_t n)
    {
        config const& c = _model->sizes;
        std::size_t const group = c.heads / c.kv_heads, blocks = jackplane::ceil_div(n, attention_rows);
        std::size_t const threads = std::min<std::size_t>({_team.size(), jackplane::threads{}.count, c.heads * blocks});
        _scores.resize(std::max(_scores.size(), threads * attention_rows * _room));
        share(c.heads * blocks, threads,
              [&](std::size_t unit, std::size_t thread)
              {
                  std::size_t const h = unit / blocks, at = h / group * c.head_dim;
                  std::size_t const t = (blocks - 1 - unit % blocks) * attention_rows; // those that see most come first
                  std::size_t const first = _position + t, end = std::min(first + attention_rows, _position + n);
                  std::size_t const begin = first_seen(kind, first); // of all that the block sees; the rest is as if
                                                                     // the text began there
                  attend<float>(c, kind, first - begin, end - begin,
                                {_qkv.data() + t * c.qkv_width() + h * c.head_dim, c.qkv_width()},
                                {_cache.keys(layer, begin) + at, c.kv_width()},
                                {_cache.values(layer, begin) + at, c.kv_width()},
                                _scores.data() + thread * attention_rows * _room, end - begin, nullptr,
                                _attended.data() + t * c.query_width() + h * c.head_dim, c.query_width());
              });
    }

    // Of one token a unit of work is all heads that share keys, which are decoded once for them; of more a block of
    // queries of one head.
    void decoder::attend_cached(std::size_t layer, layer_kind const& kind, std::size_t n)
    {
        config const& c = _model->sizes;
        std::size_t const group = c.heads / c.kv_heads, blocks = jackplane::ceil_div(n, attention_rows);
        std::size_t const units = n == 1 ? c.kv_heads : c.heads * blocks;
        std::size_t const threads = std::min<std::size_t>({_team.size(), jackplane::threads{}.count, units});
        _rooms.resize(std::max(_rooms.size(), threads));
        if (n == 1)
            return share(
                units, threads,
                [&](std::size_t head, std::size_t thread)
                {
                    keep(layer, head, 0, 1);
                    std::size_t const at = head * group * c.head_dim;
                    _cache.attend(
                        layer, kind, head,
                        {{_qkv.data() + at, c.head_dim}, group, _position, 0, _attended.data() + at, c.head_dim},
                        _rooms[thread]);
                });
        share(c.kv_heads, std::min(threads, c.kv_heads),
              [&](std::size_t head, std::size_t) { keep(layer, head, 0, n); });
        share(units, threads,
              [&](std::size_t unit, std::size_t thread)
              {
                  std::size_t const h = unit / blocks, t = (blocks - 1 - unit % blocks) * attention_rows;
                  _cache.attend(layer, kind, h / group,
                                {{_qkv.data() + t * c.qkv_width() + h * c.head_dim, c.qkv_width()},
                                 std::min(attention_rows, n - t),
                                 _position + t,
                                 1,
                                 _attended.data() + t * c.query_width() + h * c.head_dim,
                                 c.query_width()},
                                _rooms[thread]);
              });
    }
}
