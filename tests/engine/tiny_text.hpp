// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// A calibration text for the tiny model, and how far two models are apart on it.
#include <engine/measure/calibration.hpp>
#include "tiny.hpp"

namespace engine::tiny
{
    inline constexpr std::size_t length = 16;

    inline calibration_text text_of(std::size_t windows, std::size_t vocabulary)
    {
        return {random_tokens(windows * length, vocabulary), length};
    }

    // Mean squared difference of the last hidden states of two models on a text.
    inline double difference(model const& a, model const& b, calibration_text const& text)
    {
        workspace<float> first(a.sizes, 1, length, false), second(a.sizes, 1, length, false);
        double sum = 0;
        for (std::size_t at = 0; at < text.tokens.size(); at += length)
        {
            auto const window = std::span(text.tokens).subspan(at, length);
            forward(
                a.sizes, [&](std::size_t i) { return a.view().layer(i); }, a.view().ends(), window, length, first);
            forward(
                b.sizes, [&](std::size_t i) { return b.view().layer(i); }, b.view().ends(), window, length, second);
            for (std::size_t i = 0; i < length * a.sizes.hidden; ++i)
            {
                double const off = static_cast<double>(first.hidden[i]) - static_cast<double>(second.hidden[i]);
                sum += off * off;
            }
        }
        return sum / static_cast<double>(text.tokens.size() * a.sizes.hidden);
    }
}
