// SPDX-License-Identifier: BSD-3-Clause
// A layer of experts (MoE): several tokens, each goes to two of four experts. All gates and all ups are one parallel
// region, all downs another; every expert's rows are shared by all threads, its tokens are read where they lie.
#include <jackplane/jackplane.hpp>
#include <array>
#include <cmath>
#include <cstdio>
#include <vector>

namespace jp = jackplane;

namespace
{
    constexpr std::size_t hidden = 96, inner = 160, experts = 4, tokens = 6, used = 2;

    auto matrix(std::size_t rows, std::size_t cols, std::size_t seed)
    {
        std::vector<float> w(rows * cols);
        for (std::size_t i = 0; i < w.size(); ++i)
            w[i] = std::sin(static_cast<float>(seed * 7919 + i)) / 8;
        return jp::quantize<jp::recipes::nested8<>>(jp::matrix_view<float>{w.data(), rows, cols});
    }
    using matrices = std::vector<decltype(matrix(1, 1, 1))>; // of each expert
    std::size_t chosen(std::size_t token, std::size_t k) { return (token * token + k) % experts; } // by a router

    float act(float gate, float up) { return gate / (1 + std::exp(-gate)) * up; }
}

int main()
{
    matrices gate, up, down;
    for (std::size_t e = 0; e < experts; ++e)
    {
        gate.push_back(matrix(inner, hidden, 3 * e));
        up.push_back(matrix(inner, hidden, 3 * e + 1));
        down.push_back(matrix(hidden, inner, 3 * e + 2));
    }
    std::vector<float> x(tokens * hidden), g(tokens * used * inner), u(g), given(tokens * used * hidden);
    for (std::size_t i = 0; i < x.size(); ++i)
        x[i] = std::cos(static_cast<float>(i * i));
    std::array<std::vector<std::size_t>, experts> from, to; // rows of x that an expert reads; of `given` that it writes
    for (std::size_t t = 0; t < tokens; ++t)
        for (std::size_t k = 0; k < used; ++k)
        {
            from[chosen(t, k)].push_back(t);
            to[chosen(t, k)].push_back(t * used + k);
        }
    auto const rows = [](std::vector<float>& of, std::size_t first, std::size_t count, std::size_t cols)
    { return jp::matrix_view<float>{of.data() + first * cols, count, cols}; };

    jp::team const workers;
    jp::limbs<3> const how{64};
    std::array<jp::limbs<3>::prepared, experts> ready, active;
//! [readme]
    std::vector<jp::job<decltype(gate[0].prefix(4)), jp::limbs<3>::prepared>> gates, ups, downs;
    for (std::size_t e = 0, at = 0; e < experts; at += from[e++].size())
    {
        std::size_t const count = from[e].size();                   // of its tokens; 0 is no work
        how.prepare(rows(x, 0, tokens, hidden), from[e], ready[e]); // those rows of x, without a copy of yours
        gates.push_back({gate[e].prefix(4), ready[e], rows(g, at, count, inner)});
        ups.push_back({up[e].prefix(4), ready[e], rows(u, at, count, inner)});
    }
    jp::multiply_each(workers, gates, ups); // all threads share each matrix, and meet once
    for (std::size_t i = 0; i < g.size(); ++i)
        g[i] = act(g[i], u[i]);
    for (std::size_t e = 0, at = 0; e < experts; at += from[e++].size())
    {
        how.prepare(rows(g, at, from[e].size(), inner), active[e]);
        downs.push_back({down[e].prefix(4), active[e], rows(given, 0, tokens * used, hidden), {.to_rows = to[e]}});
    }
    jp::multiply_each(workers, downs);
//! [readme]

    double most = 0; // one token after the other, by plain loops
    for (std::size_t n = 0; n < tokens * used; ++n)
    {
        std::size_t const e = chosen(n / used, n % used);
        std::vector<float> const token(x.begin() + n / used * hidden, x.begin() + (n / used + 1) * hidden);
        std::vector<float> one(inner), other(inner), y(hidden);
        jp::multiply<jp::scalar>(gate[e].prefix(4), token, one);
        jp::multiply<jp::scalar>(up[e].prefix(4), token, other);
        for (std::size_t i = 0; i < inner; ++i)
            one[i] = act(one[i], other[i]);
        jp::multiply<jp::scalar>(down[e].prefix(4), one, y);
        for (std::size_t i = 0; i < hidden; ++i)
            most = std::fmax(most, std::fabs(double{y[i]} - double{given[n * hidden + i]}));
    }
    for (std::size_t e = 0; e < experts; ++e)
        std::printf("expert %zu: %zu tokens\n", e, from[e].size());
    std::printf("of single products: %s\n", most < 1e-5 ? "the same" : "other numbers");
}
