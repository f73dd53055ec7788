// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/team.hpp>
#include "../read/source.hpp"
#include "calibration.hpp"
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace engine
{
    // Takes a calibration text through a dense model, of which one layer is in memory at a time: body(number of the
    // layer, its weights, the stream before it). What comes back is the stream behind the last layer.
    template <class Body>
    calibration_stream walk(model_source const& source, calibration_text text, jackplane::team const& workers,
                            Body&& body)
    {
        config const& c = source.sizes();
        parameter_table const& table = source.table();
        std::vector<float> rest(table.size() - table.tuned_size()), w;
        source.read(std::span(table.parameters()).subspan(table.tuned_parameters()), rest.data());
        parameter_view<float const> const view(c, nullptr, rest.data());
        calibration_stream stream(c, view.ends().embedding, std::move(text));
        for (std::size_t i = 0; i < c.layers; ++i)
        {
            w.resize(size_of(table.of_layer(i)));
            source.read(table.of_layer(i), w.data());
            auto const layer = view.layer(i, w.data());
            body(i, layer, std::as_const(stream));
            stream.advance(layer, workers);
        }
        return stream;
    }
}
