// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/team.hpp>
#include "../keep/width_report.hpp"
#include "../measure/calibration.hpp"
#include "../read/gguf/block_matrix.hpp"
#include "../read/table.hpp"
#include "any_clipping.hpp"
#include "settings.hpp"
#include <cstddef>
#include <span>

namespace engine
{
    // Learns the rounding of matrices in blocks of a GGUF file, one decoder layer after the other: each shall give what
    // the dense model gives there, from what the layers before it give in blocks. Scales and offsets stay as they are
    // stored (SignRound, arXiv 2309.05516, without its clipping).
    class block_tuner
    {
    public:
        block_tuner(config const& c, float const* embedding, tuning_settings const& t, calibration_text const& text);

        // The codes of a layer's matrices change. w: the dense layer; parts: its matrices. The stream then stands
        // behind this layer.
        width_report tune(std::size_t number, layer_view<float const> const& w, std::span<parameter const> parts,
                          std::span<block_matrix> matrices, any_rate const& rate);
        // The same movement of the streams for a layer that was tuned before.
        void pass(layer_view<float const> const& w, std::span<parameter const> parts,
                  std::span<block_matrix const> tuned);

    private:
        void advance(layer_view<float const> const& w, std::span<parameter const> parts,
                     std::span<block_matrix const> tuned);

        config _config;
        tuning_settings _settings;
        jackplane::team _workers;
        calibration_stream _dense, _stream;
    };
}
