// SPDX-License-Identifier: BSD-3-Clause
// A layer of experts (MoE): several tokens, each goes to two of four experts. All gates and all ups are one parallel
// region, all downs another; every expert's rows are shared by all threads, its tokens are read where they lie.
#include <jackplane/jackplane.hpp>
#include <algorithm>
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
    std::vector<std::size_t> router(tokens * used); // [tokens, used]
    for (std::size_t i = 0; i < router.size(); ++i)
        router[i] = chosen(i / used, i % used);
    auto const rows = [](std::vector<float>& of, std::size_t count, std::size_t cols)
    { return jp::matrix_view<float>{of.data(), count, cols}; };

    jp::team const workers;
    jp::limbs<3> const how{64};
    auto const at = [](matrices const& all, unsigned bits) // every expert, read at so many bits
    {
        std::vector<decltype(all[0].prefix(bits))> some;
        for (auto const& each : all)
            some.push_back(each.prefix(bits));
        return some;
    };
    auto const gates = at(gate, 4), ups = at(up, 4), downs = at(down, 4);
//! [readme]
    jp::expert_choice choice; // keep their memory from one batch to the next
    jp::expert_x<jp::limbs<3>> ready;
    choice.sort({router.data(), tokens, used}, experts);          // who reads what: once for gate, up and down
    ready.prepare(how, rows(x, tokens, hidden), choice, workers); // rows of x, without a copy of yours
    jp::multiply_experts(workers, choice, ready, jp::expert_stack{gates, rows(g, tokens * used, inner)},
                         jp::expert_stack{ups, rows(u, tokens * used, inner)}); // all threads share each matrix
    for (std::size_t i = 0; i < g.size(); ++i)
        g[i] = act(g[i], u[i]);
    ready.prepare(how, rows(g, tokens * used, inner), choice, workers); // here each choice has a row of its own
    jp::multiply_experts(workers, choice, ready, jp::expert_stack{downs, rows(given, tokens * used, hidden)});
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
        std::printf("expert %zu: %td tokens\n", e, std::count(router.begin(), router.end(), e));
    std::printf("of single products: %s\n", most < 1e-5 ? "the same" : "other numbers");
}
