// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// A matrix to tune, with the loss of its layer.
#include "../laws/weights.hpp"
#include <jackplane/loss/layer.hpp>
#include <jackplane/tune/tune.hpp>
#include <span>
#include <vector>

namespace
{
    using namespace jackplane;

    struct problem
    {
        laws::sample w = laws::weights(24, 100, 1), gram = laws::correlated(100, 2);
        layer<> loss{w.view(), gram.view()};

        template <class M>
        double of(M const& matrix)
        {
            std::vector<float> decoded(w.data.size());
            dequantize(matrix, {decoded.data(), w.rows, w.cols});
            return loss(decoded, {});
        }
        template <class T, slice Slice = truncate_centred>
        tune_report tuned(T& m, objective<Slice> const& goal, tune_options const& options = {},
                          linear_decay rate = signround_rate(200))
        {
            return tune(std::span(&m, 1), std::span(&loss, 1), goal, rate, sign_step{}, options);
        }
    };
}
