// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../measure/window_batch.hpp"
#include <cstddef>
#include <span>
#include <vector>

namespace engine
{
    // How far the output of one decoder layer with quantized weights is from what the dense model has there: the mean
    // squared difference over the windows of the last at(). Weights: q k v o gate up down, one after the other, as the
    // parameter table has them. SignRound's block-wise loss.
    class layer_loss
    {
    public:
        // input, target [tokens, hidden]: what the layer reads and should give, in windows of `length`; they and the
        // norms of `w` must outlive it. Throws shape_error.
        layer_loss(config const& c, layer_view<float const> const& norms, std::span<float const> input,
                   std::span<float const> target, std::size_t length, jackplane::team const& workers);

        std::size_t size() const noexcept { return _size; }
        std::size_t samples() const noexcept { return _batch.samples(); }
        void at(std::span<std::size_t const> windows) { _batch.ask(windows); }

        // Differences among the largest thousandth of a window count as 0: AutoRound's loss below 4 bits.
        void suppress_outliers(bool yes) noexcept { _suppress = yes; }

        // The output of a layer with these weights becomes the target; none: that of the constructor again.
        void teach(std::span<float const> w) { _teacher.assign(w.begin(), w.end()); }

        double operator()(std::span<float const> w, std::span<float> g);

    private:
        double of_window(window_batch::part& p, layer_view<float const> const& w, std::size_t window, bool gradient);

        config _config;
        layer_view<float const> _norms;
        std::span<float const> _input, _target;
        std::size_t _length, _window, _size;
        window_batch _batch;
        std::vector<float> _teacher; // weights, or nothing
        bool _suppress = false;
    };
}
