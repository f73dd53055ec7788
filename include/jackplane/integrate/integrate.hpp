// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <limits>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>
#include "../core/checkpoint.hpp"
#include "../core/progress.hpp"
#include "quadrature.hpp"

// The Post-quantization Integral (Hu et al., "Identifying Sensitive Weights via Post-quantization Integral", arXiv
// 2503.01901): along the straight path from the weights to the quantized ones the change of a loss is the sum over the
// weights of what each contributes,
//     F(w~) - F(w) = sum_i dF_i,    dF_i = (w~_i - w_i) * integral over t in [0, 1] of dF/dw_i at w + t (w~ - w)
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // What each weight contributes to the change of the loss.
    struct sensitivity
    {
        std::vector<float> change;    // [weights] dF_i, signed
        std::vector<float> magnitude; // [weights] mean over the samples of |dF_i of the sample|; if asked for
        double predicted = 0;         // sum of all dF_i
    };

    // Which samples of the loss are asked for at once, what is told and kept on the way.
    struct integrate_options
    {
        // Of a batched_loss, which is the mean over its samples. batch: samples of one gradient (0: all).
        std::size_t batch = 0;
        bool each_sample = false; // gives magnitude, too; samples one by one
        progress tell{};          // after every gradient
        std::string_view name = "integrate";
        checkpoint checkpoints{}; // a step is a gradient
    };

    // The integral by `rule`; a path_rule that is no quadrature_rule gives Taylor's terms (taylor.hpp). Points of the
    // path are formed in fp32; memory: a point, its gradient, and the sums. Throws shape_error when w and w~ differ in
    // size, value_error when the loss or its derivative along the path is not finite (names the point).
    template <loss F, path_rule Rule>
    sensitivity integrate(F& f, std::span<float const> w, std::span<float const> w_tilde, Rule const& rule,
                          integrate_options const& options = {});

    // The trapezoid of first, 2 first, 4 first ... intervals, until it changes by less than the tolerance allows.
    struct adaptive
    {
        double tolerance = 1e-3; // of the predicted change
        std::size_t first = 4, most = 64;
    };
    struct adaptive_sensitivity : sensitivity
    {
        double error = 0; // estimated, of predicted: a third of the last change
        std::size_t intervals = 0;
    };
    // Every gradient is used; `error` says whether the tolerance was reached. Keeps no checkpoints, gives no magnitude.
    template <loss F>
    adaptive_sensitivity integrate(F& f, std::span<float const> w, std::span<float const> w_tilde, adaptive const& rule,
                                   integrate_options const& options = {});

    // ---- implementation

    namespace detail
    {
        inline void expect_path(std::span<float const> w, std::span<float const> w_tilde, std::string_view name)
        {
            JACKPLANE_EXPECTS(w.size() == w_tilde.size(), shape_error, name, ": ", w.size(), " weights become ",
                              w_tilde.size());
        }

        template <class F>
        std::size_t samples_of(F const& f)
        {
            if constexpr (batched_loss<F>)
                return f.samples();
            else
                return 1;
        }

        // The samples that are computed together.
        struct sample_batches
        {
            std::size_t samples, size;

            std::size_t count() const noexcept { return (samples + size - 1) / size; }
            std::vector<std::size_t> at(std::size_t batch) const
            {
                std::vector<std::size_t> which(std::min(size, samples - batch * size));
                std::iota(which.begin(), which.end(), batch * size);
                return which;
            }
        };
    }

    template <loss F, path_rule Rule>
    sensitivity integrate(F& f, std::span<float const> w, std::span<float const> w_tilde, Rule const& rule,
                          integrate_options const& options)
    {
        detail::expect_path(w, w_tilde, options.name);
        std::size_t const samples = detail::samples_of(f);
        JACKPLANE_EXPECTS(samples > 0, shape_error, options.name, ": a loss of no samples");
        std::size_t const batch = options.each_sample ? 1 : options.batch == 0 ? samples : options.batch;
        detail::sample_batches const batches{samples, batch};
        std::size_t const points = rule.size(), steps = batches.count() * points, done = options.checkpoints.done();

        sensitivity s{std::vector<float>(w.size()), std::vector<float>(options.each_sample ? w.size() : 0), 0};
        std::vector<float> of_sample(s.magnitude.size()), at(w.size()), g(w.size());
        std::vector<float>* const all[]{&s.change, &s.magnitude, &of_sample};
        if (done > 0)
        {
            run_state const& from = *options.checkpoints.from;
            JACKPLANE_EXPECTS(done <= steps && from.numbers.size() == 1 && from.arrays.size() == std::size(all),
                              shape_error, options.name, ": resumes after gradient ", done, " of ", steps);
            s.predicted = from.numbers[0];
            for (std::size_t i = 0; i < std::size(all); ++i)
            {
                JACKPLANE_EXPECTS(from.arrays[i].size() == all[i]->size(), shape_error, options.name, ": resumes with ",
                                  from.arrays[i].size(), " numbers, not ", all[i]->size());
                *all[i] = from.arrays[i];
            }
        }
        for (std::size_t step = done; step < steps; ++step)
        {
            std::size_t const k = step % points;
            double const t = rule.node(k);
            auto const which = batches.at(step / points);
            if constexpr (batched_loss<F>)
                f.at(std::span<std::size_t const>(which));
            for (std::size_t i = 0; i < w.size(); ++i)
                at[i] = w[i] + static_cast<float>(t) * (w_tilde[i] - w[i]);
            double const value = f(std::span<float const>(at), std::span<float>(g));
            JACKPLANE_EXPECTS(std::isfinite(value), value_error, options.name, ": the loss at point ", k + 1, " of ",
                              points, ", t = ", t, ", is ", value);
            double const part = rule.weight(k) * static_cast<double>(which.size()) / static_cast<double>(samples);
            auto& sums = options.each_sample ? of_sample : s.change;
            double slope = 0;
            for (std::size_t i = 0; i < w.size(); ++i)
            {
                float const along = g[i] * (w_tilde[i] - w[i]);
                slope += static_cast<double>(along);
                sums[i] += static_cast<float>(part) * along;
            }
            JACKPLANE_EXPECTS(std::isfinite(slope), value_error, options.name, ": the derivative at point ", k + 1,
                              " of ", points, ", t = ", t, ", is ", slope);
            s.predicted += part * slope;
            if (options.each_sample && k + 1 == points)
                for (std::size_t i = 0; i < w.size(); ++i)
                {
                    s.change[i] += of_sample[i];
                    s.magnitude[i] += std::abs(std::exchange(of_sample[i], 0.0f));
                }
            if (options.checkpoints.due(step + 1))
                options.checkpoints.save({step + 1, {s.predicted}, {s.change, s.magnitude, of_sample}});
            if (options.tell)
                options.tell(options.name, step + 1, steps);
        }
        return s;
    }

    template <loss F>
    adaptive_sensitivity integrate(F& f, std::span<float const> w, std::span<float const> w_tilde, adaptive const& rule,
                                   integrate_options const& options)
    {
        JACKPLANE_EXPECTS(!options.each_sample && !options.checkpoints.save && !options.checkpoints.from, value_error,
                          options.name, ": an adaptive rule keeps no checkpoints and gives no magnitude");
        adaptive_sensitivity s{integrate(f, w, w_tilde, trapezoid(rule.first), options)};
        s.error = std::numeric_limits<double>::infinity();
        for (s.intervals = rule.first; 2 * s.intervals <= rule.most; s.intervals *= 2)
        {
            auto const between = integrate(f, w, w_tilde, midpoint(s.intervals), options);
            for (std::size_t i = 0; i < w.size(); ++i)
                s.change[i] = (s.change[i] + between.change[i]) / 2;
            double const finer = (s.predicted + between.predicted) / 2;
            s.error = std::abs(finer - s.predicted) / 3;
            s.predicted = finer;
            if (s.error <= rule.tolerance * std::abs(finer))
            {
                s.intervals *= 2;
                break;
            }
        }
        return s;
    }
}
