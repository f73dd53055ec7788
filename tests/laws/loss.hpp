// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <doctest/doctest.h>
#include <jackplane/loss/difference.hpp>
#include "weights.hpp"

namespace laws
{
    // The gradient of f at w along a few directions is the central difference there, relative to the gradient's length;
    // the value is the same with and without a gradient, and when asked again.
    //     tolerance: error of the difference, of order step^2 (third derivative) + eps f / (step |gradient|)
    template <jackplane::loss F>
    void check_loss(F& f, std::span<float const> w, float step, double tolerance)
    {
        std::vector<float> g(w.size()), again(w.size());
        double const value = f(w, std::span<float>(g));
        CHECK(f(w, std::span<float>()) == value);
        CHECK(f(w, std::span<float>(again)) == value);
        CHECK(g == again);
        double length = 0;
        for (float const x : g)
            length += double{x} * x;
        length = std::sqrt(length);
        for (unsigned seed = 1; seed <= 3; ++seed)
        {
            std::vector<float> direction(w.size());
            sequence next{seed};
            double along = 0, size = 0;
            for (std::size_t i = 0; i < w.size(); ++i)
            {
                // with a part of the gradient itself: a random direction alone may have next to no slope
                direction[i] = next.bell() + static_cast<float>(g[i] / length * std::sqrt(double(w.size())));
                along += double{g[i]} * direction[i];
                size += double{direction[i]} * direction[i];
            }
            double const expected = jackplane::difference(f, w, direction, step);
            CHECK(std::abs(along - expected) <= tolerance * length * std::sqrt(size));
        }
    }
}
