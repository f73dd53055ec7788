// SPDX-License-Identifier: BSD-3-Clause
#include "cache.hpp"
#include "math/elementwise.hpp"
#include <jackplane/multiply/dispatch.hpp>
#include <algorithm>
#include <concepts>
#include <random>
#include <type_traits>
#if defined(__F16C__)
#include <immintrin.h>
#endif

namespace engine
{
    namespace
    {
        // By eight, where this unit is compiled for machines that convert 16 bits.
        void widen(jackplane::half const* from, std::size_t n, float* to) noexcept
        {
            std::size_t i = 0;
#if defined(__F16C__)
            for (; i + 8 <= n; i += 8)
                _mm256_storeu_ps(to + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<__m128i const*>(from + i))));
#endif
            for (; i < n; ++i)
                to[i] = jackplane::to_float(from[i]);
        }

        // Scores x [end] of one query, of which it sees `seen` from `begin` on -> softmax, zeros where it does not see.
        void weigh_scores(float* x, std::size_t begin, std::size_t seen, std::size_t end, float cap)
        {
            float* const s = x + begin;
            if (cap > 0)
                soften(s, seen, cap);
            scale(s, seen, 1 / exponentiate(s, seen, maximum(s, seen)));
            std::fill(x, s, 0.0f);
            std::fill(s + seen, x + end, 0.0f);
        }

        activation of_attention(activation const& how)
        {
            return std::visit(
                []<class A>(A const&) -> activation
                {
                    if constexpr (std::same_as<A, jackplane::bf16>)
                        return {};
                    else
                        return A{};
                },
                how);
        }
    }

    kv_cache::kv_cache(config const& c, std::size_t room, unsigned bits, activation const& how)
        : _sizes(&c), _room(room), _bits(bits), _how(of_attention(how))
    {
        JACKPLANE_EXPECTS(bits == 32 || bits == 16 || (bits >= 1 && bits <= 8), jackplane::value_error,
                          "keys and values of ", bits, " bits; there are 32, 16 and 8 to 1");
        std::size_t const numbers = c.layers * room * c.kv_width();
        if (bits == 32)
            _keys.resize(numbers), _values.resize(numbers);
        else if (bits == 16)
            _half_keys.resize(numbers), _half_values.resize(numbers);
        else
            for (std::size_t i = 0; i < c.layers * c.kv_heads; ++i)
            {
                _plane_keys.emplace_back(room, c.head_dim);
                _plane_values.emplace_back(room, c.head_dim);
            }
    }

    void kv_cache::keep(std::size_t layer, std::size_t head, std::size_t position,
                        jackplane::matrix_view<float const> keys, jackplane::matrix_view<float const> values)
    {
        config const& c = *_sizes;
        if (_bits <= 8)
        {
            auto const put = [&](auto& cache, jackplane::matrix_view<float const> v)
            {
                cache.truncate(std::min(cache.size(), position));
                cache.append(v);
            };
            put(_plane_keys[layer * c.kv_heads + head], keys);
            return put(_plane_values[layer * c.kv_heads + head], values);
        }
        for (std::size_t t = 0; t < keys.rows; ++t)
        {
            std::size_t const at = (layer * _room + position + t) * c.kv_width() + head * c.head_dim;
            auto const put = [&](auto& to, jackplane::matrix_view<float const> v)
            {
                std::transform(v.row(t).begin(), v.row(t).end(), to.data() + at,
                               [](float x)
                               { return jackplane::from_float<typename std::decay_t<decltype(to)>::value_type>(x); });
            };
            _bits == 32 ? put(_keys, keys) : put(_half_keys, keys);
            _bits == 32 ? put(_values, values) : put(_half_values, values);
        }
    }

    void kv_cache::attend(std::size_t layer, layer_kind const& kind, std::size_t head, head_queries const& of,
                          attention_room& room) const
    {
        _bits == 16 ? attend_halves(layer, kind, head, of, room) : attend_planes(layer, kind, head, of, room);
    }

    // Some positions at a time are widened, and stay in a cache until all queries have read them.
    void kv_cache::attend_halves(std::size_t layer, layer_kind const& kind, std::size_t head, head_queries const& of,
                                 attention_room& room) const
    {
        constexpr std::size_t at_once = 64, few = 16; // positions; queries that are no work for gemm
        config const& c = *_sizes;
        std::size_t const begin = first_seen(kind, of.first), seen = of.end() - begin, n = c.head_dim;
        std::size_t const at = (layer * _room + begin) * c.kv_width() + head * n;
        float const factor = score_scale<float>(c);
        room.scores.resize(std::max(room.scores.size(), of.count * seen));
        room.widened.resize(at_once * n);
        float *const p = room.scores.data(), *const wide = room.widened.data();
        auto const chunks = [&](std::vector<jackplane::half> const& from, auto const& body)
        {
            for (std::size_t s = 0; s < seen; s += at_once)
            {
                std::size_t const rows = std::min(at_once, seen - s);
                for (std::size_t r = 0; r < rows; ++r)
                    widen(from.data() + at + (s + r) * c.kv_width(), n, wide + r * n);
                body(s, rows);
            }
        };
        chunks(
            _half_keys,
            [&](std::size_t s, std::size_t rows)
            {
                if (of.count > few)
                    return gemm(of.count, rows, n, factor, of.q, transpose(operand<float>{wide, n}), 0.0f, p + s, seen);
                for (std::size_t i = 0; i < of.count; ++i)
                    for (std::size_t r = 0; r < rows; ++r)
                        p[i * seen + s + r] = factor * dot(of.q.data + i * of.q.stride, wide + r * n, n);
            });
        for (std::size_t i = 0; i < of.count; ++i)
        {
            std::size_t const first = first_seen(kind, of.position(i)), last = of.position(i) + 1;
            weigh_scores(p + i * seen, first - begin, last - first, seen, static_cast<float>(c.block.score_cap));
            std::fill_n(of.y + i * of.y_stride, n, 0.0f);
        }
        chunks(_half_values,
               [&](std::size_t s, std::size_t rows)
               {
                   if (of.count > few)
                       return gemm(of.count, n, rows, 1.0f, operand<float>{p + s, seen}, operand<float>{wide, n}, 1.0f,
                                   of.y, of.y_stride);
                   for (std::size_t i = 0; i < of.count; ++i)
                       for (std::size_t r = 0; r < rows; ++r)
                           for (std::size_t j = 0; j < n; ++j)
                               of.y[i * of.y_stride + j] += p[i * seen + s + r] * wide[r * n + j];
               });
    }

    void kv_cache::attend_planes(std::size_t layer, layer_kind const& kind, std::size_t head, head_queries const& of,
                                 attention_room& room) const
    {
        using kernels = jackplane::dispatched;
        config const& c = *_sizes;
        auto const& keys = _plane_keys[layer * c.kv_heads + head];
        auto const& values = _plane_values[layer * c.kv_heads + head];
        std::size_t const begin = first_seen(kind, of.first) / 32 * 32, seen = of.end() - begin; // at a whole block
        std::size_t const last = std::min(keys.size(), jackplane::round_up(of.end(), 16)), stride = last - begin;
        room.scores.resize(std::max(room.scores.size(), of.count * stride));
        float* const p = room.scores.data();
        auto const by = [&]<class A>(A const& how)
        {
            using room_type = detail::plane_room<A>;
            if (!std::holds_alternative<room_type>(room.planes))
                room.planes.template emplace<room_type>();
            auto& with = std::get<room_type>(room.planes);
            jackplane::matrix_view<float const> const q{of.q.data, of.count, c.head_dim, of.q.stride};
            how.template prepare<kernels>(q, with.query);
            multiply<kernels>(keys.prefix(_bits).rows(begin, last), with.query,
                              jackplane::matrix_view<float>{p, of.count, stride});
            for (std::size_t i = 0; i < of.count; ++i)
            {
                std::size_t const first = first_seen(kind, of.position(i)), end = of.position(i) + 1;
                scale(p + i * stride + (first - begin), end - first, score_scale<float>(c));
                weigh_scores(p + i * stride, first - begin, end - first, seen, static_cast<float>(c.block.score_cap));
            }
            sum_columns<kernels>(values, _bits, jackplane::matrix_view<float const>{p, of.count, seen, stride}, begin,
                                 jackplane::matrix_view<float>{of.y, of.count, c.head_dim, of.y_stride}, how,
                                 with.weights);
        };
        std::visit(by, _how);
    }

    void kv_cache::fill(std::size_t end, unsigned seed)
    {
        config const& c = *_sizes;
        std::minstd_rand draw(seed);
        std::vector<float> v(end * c.head_dim);
        for (std::size_t layer = 0; layer < c.layers; ++layer)
            for (std::size_t head = 0; head < c.kv_heads; ++head)
            {
                for (float& x : v) // about as large as a norm leaves them
                    x = static_cast<float>(draw() % 2048) / 512 - 2;
                jackplane::matrix_view<float const> const all{v.data(), end, c.head_dim};
                keep(layer, head, 0, all, all);
            }
    }
}
