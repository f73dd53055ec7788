// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/team.hpp>
#include <jackplane/tune/tune.hpp>
#include "../keep/layer_store.hpp"
#include "../measure/calibration.hpp"
#include "../pack/packed_model.hpp"
#include "any_clipping.hpp"
#include "layer_loss.hpp"
#include "settings.hpp"
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace engine
{
    // A dense decoder layer, and the weights that will stand beside its planes.
    struct dense_layer
    {
        layer_view<float const> w, left;                   // left: what the planes have to hold, 0 for those weights
        std::span<parameter const> parts;                  // its matrices, which lie one after the other from qkv on
        std::span<any_csr const> beside;                   // of each of them
        std::span<packed_model::matrix const> inside = {}; // of each, whose codes stay at the first width; or none
    };

    // What of a layer learns, and how.
    struct learning
    {
        enum class of_groups
        {
            range,           // as parts of it; of searched scales, these as parts of what they are
            logits_of_range, // of such parts
            scale_and_zero
        };
        of_groups groups = of_groups::range;
        jackplane::learns what = jackplane::learns::offsets;
        bool weights_learn = true; // or their offsets; else what is of groups alone
        float clip_rate = 1;       // of what is of groups, in parts of the other
        any_step step{};
        std::function<any_rate(std::size_t steps)> rate{};
    };
    // Matrix after matrix, from the Gram matrices of what each reads.
    struct matrix_learning
    {
        bool feedback;                                     // start from codes that make up for the errors before them
        std::function<any_rate(std::size_t steps)> rate{}; // of offsets and ranges; none: these codes stay
    };

    // Tunes the matrices of one decoder layer after the other into parents of 8 bits, block by block: each layer shall
    // give what the dense model gives there, from what the quantized layers before it give, at every tuned width (so
    // each has a stream of its own). Coarse-to-fine stages, or the joint Matryoshka objective (arXiv 2502.06786).
    class layer_tuner
    {
    public:
        layer_tuner(config const& c, float const* embedding, code_settings const& codes, tuning_settings const& t,
                    calibration_text const& text);

        // After these the streams stand behind this layer.
        tuned_matrices tune(std::size_t number, dense_layer const& layer, learning const& how);
        tuned_matrices tune(std::size_t number, dense_layer const& layer, matrix_learning const& how);
        // The same movement of the streams for a layer that was tuned before.
        void pass(dense_layer const& layer, std::span<jackplane::any_packed const> tuned);

    private:
        std::span<float const> input_of(std::size_t width) const; // of the layer at hand, when it learns
        layer_view<float const> view_of(std::vector<float> const& weights, layer_view<float const> const& w) const;
        void advance(dense_layer const& layer, std::span<jackplane::any_packed const> tuned);
        // S, Z: what the scales and zeros of the parents are stored as
        template <jackplane::scale_number S, jackplane::zero_number Z>
        tuned_matrices tune_as(dense_layer const& layer, any_clipping<Z> const& clip, learning const& how,
                               jackplane::tune_options options);
        template <jackplane::scale_number S, jackplane::zero_number Z>
        tuned_matrices tune_matrices_as(dense_layer const& layer, any_scale<Z> const& policy,
                                        any_clipping<Z> const& clipped, matrix_learning const& how,
                                        jackplane::tune_options options);

        config _config;
        code_settings _codes;
        tuning_settings _settings;
        jackplane::team _workers;
        calibration_stream _dense;
        std::vector<calibration_stream> _streams; // one for each tuned width, narrowest first
        std::vector<float> _dense_input;          // where layers learn from that
    };
}
