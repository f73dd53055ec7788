// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "math/blas.hpp"
#include "math/elementwise.hpp"
#include "../describe/config.hpp"
#include <algorithm>
#include <cmath>
#include <cstddef>

namespace engine
{
    inline constexpr std::size_t attention_rows = 64; // queries at a time: skips most of the masked half

    // What q k^T is multiplied by.
    template <class T>
    T score_scale(config const& c) noexcept
    {
        return c.block.score_scale > 0 ? static_cast<T>(c.block.score_scale)
                                       : T{1} / std::sqrt(static_cast<T>(c.head_dim));
    }

    // The first position that a query sees.
    inline std::size_t first_seen(layer_kind const& kind, std::size_t position) noexcept
    {
        return kind.window != 0 && position + 1 > kind.window ? position + 1 - kind.window : 0;
    }

    // Causal attention of one head, as many queries as one block has: q [rows, head_dim] at the positions [first, end),
    // k and v [end, head_dim] of all positions up to theirs. Leaves softmax(scale q k^T) in p [rows, stride], zeros
    // where a query does not see, and the scores that a cap has softened in `capped`, if not null and if there is one.
    template <class T>
    void attend(config const& c, layer_kind const& kind, std::size_t first, std::size_t end, operand<T> q, operand<T> k,
                operand<T> v, T* p, std::size_t stride, T* capped, T* y, std::size_t y_stride)
    {
        T const cap = static_cast<T>(c.block.score_cap);
        std::size_t const rows = end - first;
        gemm(rows, end, c.head_dim, score_scale<T>(c), q, transpose(k), T{0}, p, stride);
        for (std::size_t i = 0; i < rows; ++i)
        {
            std::size_t const begin = first_seen(kind, first + i), seen = first + i + 1 - begin;
            T* const x = p + i * stride + begin;
            if (cap > 0)
            {
                soften(x, seen, cap);
                if (capped)
                    std::copy_n(x, seen, capped + (x - p));
            }
            scale(x, seen, T{1} / exponentiate(x, seen, maximum(x, seen)));
            std::fill(x - begin, x, T{0});
            std::fill(x + seen, x - begin + end, T{0});
        }
        gemm(rows, c.head_dim, end, T{1}, operand<T>{p, stride}, v, T{0}, y, y_stride);
    }
}
