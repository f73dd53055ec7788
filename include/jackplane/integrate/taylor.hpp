// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "integrate.hpp"

// Used before the integral: the terms of Taylor's series at the weights, dw = w~ - w. All give the share of each
// weight, as integrate does.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // g(w) dw: the gradient at the beginning of the path stands for all of it.
    struct first_order
    {
        static constexpr char const* name() noexcept { return "first_order"; }
        static constexpr std::size_t size() noexcept { return 1; }
        static constexpr double node(std::size_t) noexcept { return 0; }
        static constexpr double weight(std::size_t) noexcept { return 1; }
    };

    // dw (H dw) / 2 with the true Hessian: its product with dw is the difference of two gradients, `step` of the path
    // on either side of w.
    struct second_order
    {
        double step = 0x1p-6;

        static constexpr char const* name() noexcept { return "second_order_hessian"; }
        static constexpr std::size_t size() noexcept { return 2; }
        constexpr double node(std::size_t k) const noexcept { return k == 0 ? -step : step; }
        constexpr double weight(std::size_t k) const noexcept { return (k == 0 ? -1 : 1) / (4 * step); }
    };
    static_assert(path_rule<first_order> && path_rule<second_order>);

    namespace detail
    {
        // body(g) for the gradient g of each sample of f at w.
        template <batched_loss F, class Body>
        void for_each_slope(F& f, std::span<float const> w, integrate_options const& options, Body&& body)
        {
            std::vector<float> g(w.size());
            std::size_t const samples = f.samples();
            for (std::size_t sample = 0; sample < samples; ++sample)
            {
                f.at(std::span(&sample, 1));
                double const value = f(w, std::span<float>(g));
                JACKPLANE_EXPECTS(std::isfinite(value), value_error, options.name, ": the loss of sample ", sample,
                                  " is ", value);
                body(std::span<float const>(g));
                if (options.tell)
                    options.tell(options.name, sample + 1, samples);
            }
        }
    }

    // The empirical Fisher information's diagonal, as SqueezeLLM has it (arXiv 2306.07629): mean over the samples of
    // each gradient's square. -> [size of w]. Throws as integrate does.
    template <batched_loss F>
    std::vector<float> fisher_information(F& f, std::span<float const> w, integrate_options const& options = {})
    {
        std::vector<float> sum(w.size());
        detail::for_each_slope(f, w, options,
                               [&](std::span<float const> g)
                               {
                                   for (std::size_t i = 0; i < g.size(); ++i)
                                       sum[i] += g[i] * g[i];
                               });
        for (float& x : sum)
        {
            x /= static_cast<float>(f.samples());
            JACKPLANE_EXPECTS(std::isfinite(x), value_error, options.name, ": gradients are not finite");
        }
        return sum;
    }

    // dw^2 diag(F) / 2, F the empirical Fisher information: the mean over the samples of each gradient's square. For a
    // loss that is the mean over `tokens_each` tokens of a sample:
    //     samples are tokens, 1                 per token
    //     samples are sequences, their length   per sequence: the square of the sum of its tokens' gradients, per token
    //     samples are sequences, 1              of the mean of its tokens' gradients, as in SqueezeLLM (arXiv
    //                                           2306.07629): smaller than the one before by the length
    // Throws as integrate does.
    template <batched_loss F>
    sensitivity second_order_fisher(F& f, std::span<float const> w, std::span<float const> w_tilde,
                                    double tokens_each = 1, integrate_options const& options = {})
    {
        detail::expect_path(w, w_tilde, options.name);
        sensitivity s{std::vector<float>(w.size()), {}, 0};
        double const part = tokens_each / (2 * static_cast<double>(f.samples()));
        detail::for_each_slope(f, w, options,
                               [&](std::span<float const> g)
                               {
                                   for (std::size_t i = 0; i < g.size(); ++i)
                                   {
                                       float const along = g[i] * (w_tilde[i] - w[i]);
                                       s.change[i] += along * along;
                                   }
                               });
        for (float& x : s.change)
        {
            x *= static_cast<float>(part);
            s.predicted += static_cast<double>(x);
        }
        JACKPLANE_EXPECTS(std::isfinite(s.predicted), value_error, options.name, ": gradients are not finite");
        return s;
    }
}
