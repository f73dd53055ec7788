// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <span>
#include "rounded.hpp"

// Scales of groups without an offset, x ~ scale * (q - half), q in 0 .. 2 half - 1: searches of ggml's quantizers.
namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf::detail
{
    struct moments // of weighted values and their codes; the best scale for these codes is xl / ll
    {
        float xl = 0, ll = 0;

        void add(float w, float x, float l) noexcept { xl += rounded(w * x * l), ll += rounded(w * l * l); }
        float scale() const noexcept { return ll > 0 ? xl / ll : 0.0f; }
        bool better_than(float best) const noexcept { return ll > 0 && xl * xl > best * ll; }
    };

    // Tries inverse scales that put the largest value at -half + k / 10, k = 0, -9 .. 9, each with its best scale by
    // weighted squares; w empty: x^2. The first that is best wins.
    inline float fit_symmetric(std::span<float const> x, std::span<float const> w, int half, code* q) noexcept
    {
        float const largest = extreme(x);
        std::fill_n(q, x.size(), code{0});
        if (abs(largest) < least_group)
            return 0;
        auto const level = [&](float inverse, std::size_t i) { return nearest_int(inverse * x[i], -half, half - 1); };
        float scale = 0, best = 0;
        for (int k : {0, -9, -8, -7, -6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 6, 7, 8, 9})
        {
            float const inverse = -(static_cast<float>(half) + rounded(0.1f * static_cast<float>(k))) / largest;
            moments m;
            for (std::size_t i = 0; i < x.size(); ++i)
                m.add(w.empty() ? x[i] * x[i] : w[i], x[i], static_cast<float>(level(inverse, i)));
            if (k != 0 && !m.better_than(best))
                continue;
            scale = m.scale();
            best = scale * m.xl;
            for (std::size_t i = 0; i < x.size(); ++i)
                q[i] = static_cast<code>(level(inverse, i) + half);
        }
        return scale;
    }

    // One code after the other moves to where it is best for the scale that the others give, five rounds at most.
    // Levels from low to high; m: their moments.
    template <class Level>
    void move_levels(std::span<float const> x, auto const& weight, int low, int high, moments& m, Level* levels,
                     bool needs_squares) noexcept
    {
        for (int round = 0; round < 5; ++round)
        {
            bool moved = false;
            for (std::size_t i = 0; i < x.size(); ++i)
            {
                float const w = weight(i), l = static_cast<float>(levels[i]);
                moments others{m.xl - rounded(w * x[i] * l), m.ll - rounded(w * l * l)};
                if (!(others.xl > 0) || (needs_squares && !(others.ll > 0)))
                    continue;
                int const moved_to = nearest_int(x[i] * others.ll / others.xl, low, high);
                if (moved_to == levels[i])
                    continue;
                others.add(w, x[i], static_cast<float>(moved_to));
                if ((needs_squares || others.ll > 0) && others.xl * others.xl * m.ll > m.xl * m.xl * others.ll)
                    levels[i] = static_cast<Level>(moved_to), m = others, moved = true;
            }
            if (!moved)
                break;
        }
    }

    // Q3_K's: the largest value at -half, then levels move; weights x^2.
    inline float fit_moving(std::span<float const> x, int half, code* q) noexcept
    {
        float const largest = extreme(x);
        std::fill_n(q, x.size(), code{0});
        if (abs(largest) < least_group)
            return 0;
        float const inverse = -static_cast<float>(half) / largest;
        auto const weight = [&](std::size_t i) { return x[i] * x[i]; };
        signed char levels[32];
        moments m;
        for (std::size_t i = 0; i < x.size(); ++i)
        {
            levels[i] = static_cast<signed char>(nearest_int(inverse * x[i], -half, half - 1));
            m.add(weight(i), x[i], static_cast<float>(levels[i]));
        }
        move_levels(x, weight, -half, half - 1, m, levels, false);
        for (std::size_t i = 0; i < x.size(); ++i)
            q[i] = static_cast<code>(levels[i] + half);
        return m.scale();
    }
}
