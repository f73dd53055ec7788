// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include "codebook.hpp"

// How a group of weights gets its scale and zero. A group of zeros gets scale 0: exact zeros at every width.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    struct value_range // of a group, with 0 in it
    {
        float low = 0, high = 0;

        static value_range of(std::span<float const> group) noexcept
        {
            value_range r;
            for (float const w : group)
                r.low = detail::min(r.low, w), r.high = detail::max(r.high, w);
            return r;
        }
        float largest() const noexcept { return detail::max(high, -low); } // magnitude; +0 for zeros
        float extreme() const noexcept { return high < -low ? low : high; }
    };

    // Symmetric: the largest magnitude lands on the nearer end of the codebook, so nothing is clipped.
    struct absmax
    {
        using zero_type = no_zero;

        template <codebook C>
        scale_and_zero operator()(std::span<float const> group, C const& book,
                                  std::span<float const> = {}) const noexcept
        {
            return {value_range::of(group).largest() / reach(book), C::centre};
        }
    };

    // Symmetric, every code used: the weight of largest magnitude lands on code 0, the farther end. Its sign decides
    // the sign of the scale. AutoRound's default symmetric mode; llama.cpp's Q4_0.
    struct full_range
    {
        using zero_type = no_zero;

        template <codebook C>
        scale_and_zero operator()(std::span<float const> group, C const& book,
                                  std::span<float const> = {}) const noexcept
        {
            float const extreme = value_range::of(group).extreme();
            return {extreme == 0 ? 0.0f : extreme / (book.decode(0) - C::centre), C::centre};
        }
    };

    // Symmetric: the range [-r, r], r the largest magnitude, over all steps of the codebook; the middle of the range
    // lies half a step below the centre, so that +r is clipped by half a step. GPTQ's `sym`.
    struct gptq_symmetric
    {
        using zero_type = no_zero;

        template <integer_codebook C>
        scale_and_zero operator()(std::span<float const> group, C const& book,
                                  std::span<float const> = {}) const noexcept
        {
            return {value_range::of(group).largest() / ((book.decode(C::size - 1) - book.decode(0)) / 2), C::centre};
        }
    };

    // Asymmetric: the range of the group, widened to hold 0, over all codes.
    template <zero_in_steps Z = integer_zero>
        requires(!std::same_as<Z, no_zero>)
    struct minmax
    {
        using zero_type = Z;

        template <codebook C> // an integer zero is a whole code, which tables do not have
            requires(integer_codebook<C> || std::same_as<Z, real_zero>)
        scale_and_zero operator()(std::span<float const> group, C const& book,
                                  std::span<float const> = {}) const noexcept
        {
            auto const [lowest, highest] = value_range::of(group);
            float const first = book.decode(0), range = book.decode(C::size - 1) - first;
            // In double: highest - lowest may overflow; no compiler can fuse a subtraction followed by nothing
            // but a division.
            double const width = static_cast<double>(highest) - static_cast<double>(lowest);
            float const scale = static_cast<float>(width / static_cast<double>(range));
            if (!(scale > 0))
                return {0.0f, C::centre};
            float const zero = first - lowest / scale;
            return {scale, std::same_as<Z, integer_zero> ? detail::clamp(detail::nearbyint(zero), 0.0f, 255.0f) : zero};
        }
    };

    // Narrows what Base chose, in `steps` steps down to `narrowest` of it, and keeps the least importance-weighted
    // squared error with nearest rounding. The zero stays.
    template <class Base>
    struct mse_search
    {
        using zero_type = typename Base::zero_type;
        Base base{};
        unsigned steps = 80;
        float narrowest = 0.2f;

        template <codebook C>
            requires scale<Base, C>
        scale_and_zero operator()(std::span<float const> group, C const& book,
                                  std::span<float const> importance = {}) const noexcept
        {
            scale_and_zero const widest = base(group, book, importance);
            scale_and_zero best = widest;
            if (widest.scale == 0 || !is_finite(widest.scale))
                return best;
            double least = __builtin_inf();
            for (unsigned k = 0; k <= steps; ++k)
            {
                float const part = static_cast<float>(k) / static_cast<float>(steps);
                float const narrowed = static_cast<float>(1 - product(1 - narrowest, part));
                scale_and_zero const candidate{widest.scale * narrowed, widest.zero};
                if (double const error = squared_error(group, book, importance, candidate); error < least)
                    least = error, best = candidate;
            }
            return best;
        }

    private:
        // Of two floats, exact in double: no compiler's fma can change a sum of such products.
        static constexpr double product(float a, float b) noexcept
        {
            return static_cast<double>(a) * static_cast<double>(b);
        }
        template <codebook C>
        static double squared_error(std::span<float const> group, C const& book, std::span<float const> importance,
                                    scale_and_zero s) noexcept
        {
            double sum = 0;
            for (std::size_t i = 0; i < group.size(); ++i)
            {
                float const decoded = book.decode(book.encode(group[i] / s.scale + s.zero)) - s.zero;
                float const error = static_cast<float>(static_cast<double>(group[i]) - product(s.scale, decoded));
                sum += importance.empty() ? product(error, error)
                                          : product(static_cast<float>(product(importance[i], error)), error);
            }
            return sum;
        }
    };
    template <class Base, class... Options>
    mse_search(Base, Options...) -> mse_search<Base>;

    // For leading bits of codes of 8 bits: the scale that P chooses for 8 bits. The cells then cover the range of the
    // group, and their middles, the values of the codes, lie half a cell inside its ends. At 2 bits the step is a
    // quarter of the range, not a third: better where few weights are large, and what an 8-bit parent has anyway.
    // of_width: what P chooses for the width itself, the ends of the range on its outermost values.
    template <class P>
    struct parent_scale
    {
        using zero_type = typename P::zero_type;
        P policy{};
        bool of_width = false;

        template <codebook C>
            requires(C::centre == uniform<8>::centre && scale<P, uniform<8>> &&
                     (scale<P, C> || !integer_codebook<C>))
        scale_and_zero operator()(std::span<float const> group, C const& book,
                                  std::span<float const> importance = {}) const noexcept
        {
            if constexpr (integer_codebook<C>) // `matryoshka` has no width of its own
                if (of_width)
                    return policy(group, book, importance);
            return policy(group, uniform<8>{}, importance);
        }
    };
    template <class P, class... Options>
    parent_scale(P, Options...) -> parent_scale<P>;

    static_assert(scale<parent_scale<minmax<>>, uniform<2, 8>>);
    static_assert(scale<absmax, uniform<8>> && scale<full_range, nf4> && scale<minmax<>, uniform<4>>);
    static_assert(scale<minmax<real_zero>, fp4> && scale<mse_search<full_range>, uniform<2>>);
}
