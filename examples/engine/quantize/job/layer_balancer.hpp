// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/team.hpp>
#include "../../measure/calibration.hpp"
#include "../../pack/format/scheme.hpp"
#include "../../read/weights.hpp"
#include <cstddef>
#include <span>
#include <vector>

namespace engine
{
    // AWQ's two searches (arXiv 2306.00978), one dense layer after the other: columns that read large inputs are scaled
    // up, the norm or matrix that makes the inputs down by as much, and then, if asked, weights are clipped. What comes
    // out is an equivalent dense layer (but for the clipping), for any method to quantize. Inputs are those of the
    // dense model; the error that the scales are chosen by is that of the output of the whole layer.
    class layer_balancer
    {
    public:
        // bits: of the codes that matter most; clips: weights are clipped, too.
        layer_balancer(config const& c, float const* embedding, code_settings const& codes,
                       calibration_text const& text, unsigned bits, bool clips);

        // The matrices of `parts` lie one after the other from w.qkv on. They, the norms and the biases of v and up
        // change; new norms are fp16 numbers where those hold them, as in files.
        void balance(layer_view<float> const& w, std::span<parameter const> parts);

    private:
        std::vector<float> made_by(layer_input which, std::vector<float> magnitudes) const;
        std::vector<float> read_by(layer_input which, std::span<float const> scales) const;
        void fold(layer_stage const& stage, std::vector<float> scales, layer_view<float> const& w,
                  std::span<parameter const> parts) const;
        template <class Body>
        void with_quantizer(Body&& body) const;

        config _config;
        code_settings _codes;
        unsigned _bits;
        bool _clips;
        jackplane::team _workers;
        calibration_stream _stream;
    };
}
