// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/number.hpp>
#include <jackplane/multiply/columns.hpp>
#include <jackplane/pack/row_cache.hpp>
#include "activation.hpp"
#include "attention.hpp"
#include <cstddef>
#include <variant>
#include <vector>

namespace engine
{
    namespace detail
    {
        template <class A>
        struct plane_room
        {
            typename A::prepared query;
            jackplane::scaled_weights<A> weights;
        };
        template <class... A>
        std::variant<plane_room<A>...> rooms_of(std::variant<A...> const&);
    }

    // What a thread needs for attention; keeps its memory.
    struct attention_room
    {
        decltype(detail::rooms_of(activation{})) planes;
        std::vector<float> scores;
        std::vector<float> widened; // some keys or values of 16 bits
    };

    // Queries of one head, or of all heads that share keys, and what they see.
    struct head_queries
    {
        operand<float> q;               // [count, head_dim]
        std::size_t count, first, step; // query i stands at position first + step i
        float* y;                       // [count, y_stride]
        std::size_t y_stride;

        std::size_t position(std::size_t i) const noexcept { return first + step * i; }
        std::size_t end() const noexcept { return position(count - 1) + 1; } // of what any of them sees
    };

    // Keys and values of a text, of every layer: as fp32 (32 bits), as half (16), or in bit planes of 8 bits, of which
    // attention reads the leading `bits` (8 to 1). In planes 32 numbers of a key, or of a value, share a scale and a
    // zero. Throws value_error for other bits.
    class kv_cache
    {
    public:
        // how: as what attention on planes reads queries and weights; the default for bfloat16.
        kv_cache(config const& c, std::size_t room, unsigned bits, activation const& how);

        unsigned bits() const noexcept { return _bits; }
        // Of 32 bits alone: those of `position` and of all behind it [.., kv_width].
        float const* keys(std::size_t layer, std::size_t position) const noexcept
        {
            return _keys.data() + (layer * _room + position) * _sizes->kv_width();
        }
        float const* values(std::size_t layer, std::size_t position) const noexcept
        {
            return _values.data() + (layer * _room + position) * _sizes->kv_width();
        }

        // Keeps keys and values of one head [tokens, head_dim] from a position on; whatever stood there and behind it
        // is gone. Throws value_error where planes are to keep what is not finite.
        void keep(std::size_t layer, std::size_t head, std::size_t position, jackplane::matrix_view<float const> keys,
                  jackplane::matrix_view<float const> values);

        // y = softmax(scale q K^T) V of a head of half or planes.
        void attend(std::size_t layer, layer_kind const& kind, std::size_t head, head_queries const& of,
                    attention_room& room) const;

        // Random keys and values at the positions before `end`, for measuring.
        void fill(std::size_t end, unsigned seed);

    private:
        void attend_halves(std::size_t layer, layer_kind const& kind, std::size_t head, head_queries const& of,
                           attention_room& room) const;
        void attend_planes(std::size_t layer, layer_kind const& kind, std::size_t head, head_queries const& of,
                           attention_room& room) const;

        config const* _sizes;
        std::size_t _room;
        unsigned _bits;
        activation _how;
        std::vector<float> _keys, _values;                     // [layers, room, kv_width]
        std::vector<jackplane::half> _half_keys, _half_values; // the same
        std::vector<jackplane::row_cache<>> _plane_keys;       // [layers, kv_heads]
        std::vector<jackplane::column_cache<>> _plane_values;  // the same
    };
}
