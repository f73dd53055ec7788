// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include "../core/concepts.hpp"
#include "../core/view.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    struct nearest // ties to even
    {
        float operator()(float coordinate, position) const noexcept { return detail::nearbyint(coordinate); }
    };

    // Up with a probability equal to the fraction, so that the mean is the coordinate itself. The draw depends on the
    // seed and the place of the weight alone, never on the order of work.
    struct stochastic
    {
        std::uint64_t seed;

        float operator()(float coordinate, position at) const noexcept
        {
            float below = detail::nearbyint(coordinate);
            below -= below > coordinate;
            return below + (draw(at) < coordinate - below);
        }
        constexpr float draw(position at) const noexcept // in [0, 1), multiples of 2^-24
        {
            return static_cast<float>(mix(mix(seed ^ mix(at.row)) ^ at.col) >> 40) * 0x1p-24f;
        }

    private:
        // The output step of splitmix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014).
        static constexpr std::uint64_t mix(std::uint64_t x) noexcept
        {
            x += 0x9e3779b97f4a7c15u;
            x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
            x = (x ^ x >> 27) * 0x94d049bb133111ebu;
            return x ^ x >> 31;
        }
    };

    namespace detail
    {
        template <class T>
        void expect_shape_of(matrix_view<T> m, std::size_t rows, std::size_t cols, std::string_view name,
                             char const* what)
        {
            JACKPLANE_EXPECTS(m.rows == rows && m.cols == cols, shape_error, name, ": ", what, " of ", m.rows, " x ",
                              m.cols, " for weights of ", rows, " x ", cols);
            expect_whole(m, text(name, ": ", what));
        }
    }

    // The nearest code after a learned offset: v [rows, cols] in units of `unit` steps, |v| <= the reach it was learned
    // with. Half a step can choose either neighbour: SignRound (Cheng et al., arXiv 2309.05516, eq. 3).
    struct offset
    {
        matrix_view<float const> v;
        float unit = 1;

        float operator()(float coordinate, position at) const noexcept
        {
            return detail::nearbyint(moved(coordinate, v(at.row, at.col), unit));
        }
        void expect_shape(std::size_t rows, std::size_t cols, std::string_view name) const
        {
            detail::expect_shape_of(v, rows, cols, name, "offsets");
            expect_finite(v, name, "offset");
        }
        // unit is a power of two: no compiler's fma can change the sum
        static constexpr float moved(float coordinate, float by, float unit) noexcept { return coordinate + by * unit; }
    };

    // The finer codes that share the leading bits of a coarse one.
    struct code_cell
    {
        float low, high;

        static constexpr code_cell below(code leading, unsigned finer_bits) noexcept
        {
            unsigned const first = static_cast<unsigned>(leading) << finer_bits;
            return {static_cast<float>(first), static_cast<float>(first + (1u << finer_bits) - 1)};
        }
    };

    // The result of another rounding, clamped to a cell: the nearest code that has the leading bits of a coarse one.
    template <rounding Base = nearest>
    struct within
    {
        matrix_view<code const> coarse; // [rows, cols]
        unsigned finer_bits;            // bits that the new codes have in addition
        Base base{};

        void expect_shape(std::size_t rows, std::size_t cols, std::string_view name) const
        {
            detail::expect_shape_of(coarse, rows, cols, name, "leading codes");
            JACKPLANE_EXPECTS(finer_bits < 8, width_error, name, ": ", finer_bits, " bits more than leading codes");
            if constexpr (requires { base.expect_shape(rows, cols, name); })
                base.expect_shape(rows, cols, name);
        }
        float operator()(float coordinate, position at) const noexcept
        {
            code_cell const in = code_cell::below(coarse(at.row, at.col), finer_bits);
            return detail::clamp(base(coordinate, at), in.low, in.high);
        }
    };
    static_assert(rounding<nearest> && rounding<stochastic> && rounding<offset> && rounding<within<>>);
}
