// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "math/blas.hpp"
#include "../describe/config.hpp"
#include "math/elementwise.hpp"
#include "../read/weights.hpp"
#include "workspace.hpp"
#include <algorithm>
#include <cstddef>

// The MLP of a layer: one, or experts that a router picks. Tokens are grouped by expert, so that each expert's weights
// are read once; what a token's experts give is added in the order of the experts.
namespace engine
{
    // Which experts x [n, hidden] goes to. A token with a NaN among its products goes to the first ones, with weights
    // that are NaN.
    template <class T>
    void route(config const& c, T const* router, T const* x, std::size_t n, routing<T>& r)
    {
        expert_description const& e = c.block.experts;
        for (std::size_t t = 0; t < n; ++t) // not by BLAS, which may sum in another order where tokens are more
            for (std::size_t j = 0; j < e.count; ++j)
                r.probabilities[t * e.count + j] = dot(router + j * c.hidden, x + t * c.hidden, c.hidden);
        std::fill(r.first.begin(), r.first.end(), std::size_t{0});
        for (std::size_t t = 0; t < n; ++t)
        {
            T* const p = r.probabilities.data() + t * e.count;
            scale(p, e.count, T{1} / exponentiate(p, e.count, maximum(p, e.count)));
            std::fill(r.taken.begin(), r.taken.end(), false);
            T sum = 0;
            for (std::size_t k = 0; k < e.used; ++k)
            {
                std::size_t best = e.count;
                for (std::size_t j = 0; j < e.count; ++j)
                    if (!r.taken[j] && (best == e.count || p[j] > p[best]))
                        best = j;
                r.taken[best] = true;
                sum += p[best];
            }
            std::size_t at = t * e.used;
            for (std::size_t j = 0; j < e.count; ++j)
                if (r.taken[j])
                {
                    r.experts[at] = j;
                    r.weights[at++] = e.normalized ? p[j] / sum : p[j];
                    ++r.first[j + 1];
                }
        }
        for (std::size_t j = 0; j < e.count; ++j)
            r.first[j + 1] += r.first[j];
        r.next.assign(r.first.begin(), r.first.end());
        for (std::size_t at = 0; at < n * e.used; ++at)
        {
            r.rows[at] = r.next[r.experts[at]]++;
            r.tokens[r.rows[at]] = at / e.used;
        }
    }

    // Rows of tokens, as their experts read them: x [n, hidden] -> out [rows, hidden], those of [n used, hidden] from
    // `first` on.
    template <class T>
    void gather(routing<T> const& r, T const* x, T* out, std::size_t first, std::size_t rows, std::size_t hidden)
    {
        for (std::size_t row = 0; row < rows; ++row)
            std::copy_n(x + r.tokens[first + row] * hidden, hidden, out + row * hidden);
    }

    // y [n, hidden] += sum over the experts of a token of weight(at) times its row of x [n used, hidden]
    template <class T, class Weight>
    void add_rows(config const& c, routing<T> const& r, T const* x, T* y, std::size_t n, Weight const& weight)
    {
        for (std::size_t at = 0; at < n * c.block.experts.used; ++at)
        {
            T const* const from = x + r.rows[at] * c.hidden;
            T* const to = y + at / c.block.experts.used * c.hidden;
            for (std::size_t j = 0; j < c.hidden; ++j)
                to[j] += weight(at) * from[j];
        }
    }

    // y [n, hidden] = sum over the experts of a token of weight times what it gave [n used, hidden]
    template <class T>
    void combine(config const& c, routing<T> const& r, T const* given, T* y, std::size_t n)
    {
        std::fill_n(y, n * c.hidden, T{0});
        add_rows(c, r, given, y, n, [&](std::size_t at) { return r.weights[at]; });
    }

    // body(expert, first row, rows) for every expert that some token goes to
    template <class T, class Body>
    void for_each_expert(routing<T> const& r, Body&& body)
    {
        for (std::size_t e = 0; e + 1 < r.first.size(); ++e)
            if (std::size_t const rows = r.first[e + 1] - r.first[e]; rows != 0)
                body(e, r.first[e], rows);
    }

    // x [rows, hidden] -> y [rows, hidden]; gate_up [rows, 2 inner] and active [rows, inner] stay for the way back.
    template <class T>
    void one_mlp(config const& c, layer_view<T const> const& w, T const* x, T* gate_up, T* active, T* y,
                 std::size_t rows)
    {
        std::size_t const inner = c.inner(w.kind);
        linear(x, w.gate_up, gate_up, rows, c.hidden, 2 * inner);
        add_bias(w.gate_up_bias, gate_up, rows, 2 * inner);
        gate(c.block.gate, gate_up, active, rows, inner);
        linear(active, w.down, y, rows, inner, c.hidden);
        add_bias(w.down_bias, y, rows, c.hidden);
    }

    // dy -> dx; gate_up becomes its own gradient, d_active [rows, inner] is used.
    template <class T>
    void one_mlp_backward(config const& c, layer_view<T const> const& w, T const* x, T* gate_up, T const* active,
                          T const* dy, T* d_active, T* dx, layer_view<T> const& g, std::size_t rows)
    {
        std::size_t const inner = c.inner(w.kind);
        bias_backward(dy, g.down_bias, rows, c.hidden);
        linear_weight_gradient(dy, active, g.down, rows, inner, c.hidden);
        linear_input_gradient(dy, w.down, d_active, rows, inner, c.hidden);
        gate_backward(c.block.gate, gate_up, d_active, rows, inner);
        bias_backward(gate_up, g.gate_up_bias, rows, 2 * inner);
        linear_weight_gradient(gate_up, x, g.gate_up, rows, c.hidden, 2 * inner);
        linear_input_gradient(gate_up, w.gate_up, dx, rows, c.hidden, 2 * inner);
    }

    // s.mlp_normed -> out, both [n, hidden].
    template <class T>
    void mlp(config const& c, layer_view<T const> const& w, layer_state<T>& s, std::size_t n, T* out)
    {
        if (!w.kind.experts)
            return one_mlp(c, w, s.mlp_normed.data(), s.gate_up.data(), s.active.data(), out, n);
        std::size_t const inner = c.inner(w.kind);
        route(c, w.router, s.mlp_normed.data(), n, s.routes);
        gather(s.routes, s.mlp_normed.data(), s.routed.data(), 0, n * c.block.experts.used, c.hidden);
        for_each_expert(s.routes,
                        [&](std::size_t e, std::size_t first, std::size_t rows)
                        {
                            one_mlp(c, w.with_expert(c, e), s.routed.data() + first * c.hidden,
                                    s.gate_up.data() + 2 * first * inner, s.active.data() + first * inner,
                                    s.given.data() + first * c.hidden, rows);
                        });
        combine(c, s.routes, s.given.data(), out, n);
    }

    // With y the sum of weight times given, and z the products of the router, of which the weights are a softmax over
    // all experts or over the chosen:
    //     d given = weight dy,  d weight = given dy,  dz = weight (d weight - sum(weight d weight))
    // dz stands in s.routes.probabilities then, d given in s.given.
    template <class T>
    void routing_backward(config const& c, layer_state<T>& s, T const* dy, std::size_t n)
    {
        expert_description const& e = c.block.experts;
        routing<T>& r = s.routes;
        for (std::size_t t = 0; t < n; ++t, dy += c.hidden)
        {
            T* const dz = r.probabilities.data() + t * e.count;
            T mean = 0;
            for (std::size_t at = t * e.used; at < (t + 1) * e.used; ++at)
            {
                T* const given = s.given.data() + r.rows[at] * c.hidden;
                r.slopes[at] = dot(given, dy, c.hidden);
                mean += r.weights[at] * r.slopes[at];
                for (std::size_t j = 0; j < c.hidden; ++j)
                    given[j] = r.weights[at] * dy[j];
            }
            for (std::size_t j = 0; j < e.count; ++j)
                dz[j] = e.normalized ? T{0} : -dz[j] * mean;
            for (std::size_t at = t * e.used; at < (t + 1) * e.used; ++at)
                dz[r.experts[at]] = r.weights[at] * (r.slopes[at] - mean);
        }
    }

    // The way back through mlp(): dy -> dx, both [n, hidden]. What s keeps is used up.
    template <class T>
    void mlp_backward(config const& c, layer_view<T const> const& w, layer_state<T>& s, T const* dy,
                      std::vector<T>& d_active, T* dx, layer_view<T> const& g, std::size_t n)
    {
        if (!w.kind.experts)
            return one_mlp_backward(c, w, s.mlp_normed.data(), s.gate_up.data(), s.active.data(), dy, d_active.data(),
                                    dx, g, n);
        std::size_t const inner = c.inner(w.kind), count = c.block.experts.count;
        routing_backward(c, s, dy, n);
        for_each_expert(s.routes,
                        [&](std::size_t e, std::size_t first, std::size_t rows)
                        {
                            T* const x = s.routed.data() + first * c.hidden; // becomes its gradient
                            one_mlp_backward(c, w.with_expert(c, e), x, s.gate_up.data() + 2 * first * inner,
                                             s.active.data() + first * inner, s.given.data() + first * c.hidden,
                                             d_active.data(), x, g.with_expert(c, e), rows);
                        });
        T* const dz = s.routes.probabilities.data();
        if (g.router)
            linear_weight_gradient(dz, s.mlp_normed.data(), g.router, n, c.hidden, count);
        linear_input_gradient(dz, w.router, dx, n, c.hidden, count);
        add_rows(c, s.routes, s.routed.data(), dx, n, [](std::size_t) { return T{1}; });
    }
}
