// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/check.hpp>
#include <jackplane/core/team.hpp>
#include "../run/forward.hpp"
#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <span>
#include <vector>

namespace engine
{
    // The windows that a loss is asked for, worked on side by side. They are cut into a fixed number of parts, and the
    // sums and gradients of the parts added in a fixed order: the same result for any number of threads.
    class window_batch
    {
    public:
        struct part
        {
            workspace<float> work; // room for one window, and the way back
            std::vector<float> gradient;
        };

        // samples: windows there are; weights: of the gradient. All windows are asked for at first.
        window_batch(config const& c, std::size_t samples, std::size_t length, std::size_t weights,
                     jackplane::team const& workers)
            : _samples(samples), _workers(workers), _asked(samples)
        {
            std::iota(_asked.begin(), _asked.end(), std::size_t{0});
            for (std::size_t i = 0; i < parts; ++i)
                _parts.push_back({workspace<float>(c, 1, length, true), std::vector<float>(weights)});
        }

        std::size_t samples() const noexcept { return _samples; }
        std::size_t size() const noexcept { return _asked.size(); } // windows asked for

        // Throws shape_error.
        void ask(std::span<std::size_t const> windows)
        {
            for (std::size_t const window : windows)
                JACKPLANE_EXPECTS(window < _samples, jackplane::shape_error, "window ", window, " of ", _samples);
            _asked.assign(windows.begin(), windows.end());
        }

        // of_window(part, window) -> its part of the sum; it adds its gradient to that of the part, unless g is empty.
        // g becomes the gradient of the sum.
        template <class OfWindow>
        double sum(std::span<float> g, OfWindow&& of_window)
        {
            std::array<double, parts> sums{};
            _workers(parts,
                     [&](std::size_t first, std::size_t end)
                     {
                         for (std::size_t i = first; i < end; ++i)
                         {
                             if (!g.empty())
                                 std::fill(_parts[i].gradient.begin(), _parts[i].gradient.end(), 0.0f);
                             for (std::size_t n = size() * i / parts; n < size() * (i + 1) / parts; ++n)
                                 sums[i] += of_window(_parts[i], _asked[n]);
                         }
                     });
            _workers(g.size(),
                     [&](std::size_t first, std::size_t end)
                     {
                         for (std::size_t i = first; i < end; ++i)
                             g[i] = (_parts[0].gradient[i] + _parts[1].gradient[i]) +
                                    (_parts[2].gradient[i] + _parts[3].gradient[i]);
                     });
            return ((sums[0] + sums[1]) + sums[2]) + sums[3];
        }

    private:
        static constexpr std::size_t parts = 4;

        std::size_t _samples;
        jackplane::team _workers;
        std::vector<std::size_t> _asked;
        std::vector<part> _parts;
    };
}
