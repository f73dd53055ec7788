// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/team.hpp>
#include <jackplane/tune/tune.hpp>
#include "any_clipping.hpp"
#include "../measure/calibration.hpp"
#include "layer_loss.hpp"
#include "../pack/packed_model.hpp"
#include "../quantize/quantize_model.hpp"
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace engine
{
    // A dense decoder layer, and the weights that will stand beside its planes.
    struct dense_layer
    {
        layer_view<float const> w, left;                   // left: what the planes have to hold, 0 for those weights
        std::span<parameter const> parts;                  // lie one after the other from qkv on
        std::span<any_csr const> beside;                   // of each of them
        std::span<packed_model::matrix const> inside = {}; // of each, whose codes stay at the first width; or none
    };

    // Tunes the matrices of one decoder layer after the other into parents of 8 bits, block by block: each layer shall
    // give what the dense model gives there, from what the quantized layers before it give, at every tuned width (so
    // each has a stream of its own). SignRound (arXiv 2309.05516) with coarse-to-fine stages, or the joint
    // Matryoshka objective (arXiv 2502.06786).
    class layer_tuner
    {
    public:
        layer_tuner(config const& c, float const* embedding, quantize_settings const& s);

        // After it the streams stand behind this layer.
        std::vector<jackplane::any_packed> tune(std::size_t number, dense_layer const& layer,
                                                std::vector<width_report>* report = nullptr);
        // The same movement of the streams for a layer that was tuned before.
        void pass(dense_layer const& layer, std::span<jackplane::any_packed const> tuned);

    private:
        std::span<float const> input_of(std::size_t width) const; // of the layer at hand, when it learns
        jackplane::linear_decay signround_rate(std::size_t steps) const;
        layer_view<float const> view_of(std::vector<float> const& weights, layer_view<float const> const& w) const;
        void advance(dense_layer const& layer, std::span<jackplane::any_packed const> tuned);
        // S, Z: what the scales and zeros of the parents are stored as
        template <jackplane::scale_number S, jackplane::zero_number Z>
        std::vector<jackplane::any_packed> tune_as(dense_layer const& layer, any_clipping<Z> const& clip,
                                                   any_step const& step,
                                                   std::function<any_rate(std::size_t)> const& rate,
                                                   jackplane::tune_options options, std::vector<width_report>* report);
        template <jackplane::scale_number S, jackplane::zero_number Z>
        std::vector<jackplane::any_packed>
        tune_layer_wise(dense_layer const& layer, any_scale<Z> const& policy, any_clipping<Z> const& clipped,
                        jackplane::tune_options options, std::vector<width_report>* report);

        config _config;
        quantize_settings _settings;
        jackplane::team _workers;
        calibration_stream _dense;
        std::vector<calibration_stream> _streams; // one for each tuned width, narrowest first
        std::vector<float> _dense_input;          // where layers learn from that
    };
}
