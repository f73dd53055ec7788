// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include "../quantize/scale.hpp"

// What is learned of the scale and zero of a group, and how the gradient of a loss by it follows from the gradient by
// scale and zero. Rounding (of a zero to its integer, of both to their storage) is passed straight through.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // The gradient by both ends of the range that a scale policy is given. minmax: s = (high - low) / codes, z = first
    // - low / s.
    template <zero_number Z, codebook C>
    parameter_pair range_slope(minmax<Z> const&, value_range at, scale_and_zero s, scale_and_zero slope, C const& book)
    {
        float const codes = book.decode(C::size - 1) - book.decode(0);
        float const along_scale = (slope.scale + slope.zero * at.low / (s.scale * s.scale)) / codes;
        return {-along_scale - slope.zero / s.scale, along_scale};
    }
    // the end of larger magnitude goes to code 0
    template <codebook C>
    parameter_pair range_slope(full_range const&, value_range at, scale_and_zero, scale_and_zero slope, C const& book)
    {
        float const along = slope.scale / (book.decode(0) - C::centre);
        return at.high < -at.low ? parameter_pair{along, 0} : parameter_pair{0, along};
    }
    template <codebook C>
    parameter_pair range_slope(absmax const&, value_range at, scale_and_zero, scale_and_zero slope, C const& book)
    {
        float const along = slope.scale / reach(book);
        return at.high < -at.low ? parameter_pair{-along, 0} : parameter_pair{0, along};
    }
    template <codebook C>
    parameter_pair range_slope(gptq_symmetric const&, value_range at, scale_and_zero, scale_and_zero slope,
                               C const& book)
    {
        float const along = 2 * slope.scale / (book.decode(C::size - 1) - book.decode(0));
        return at.high < -at.low ? parameter_pair{-along, 0} : parameter_pair{0, along};
    }

    // those of the policy inside, for the codebook of the width or of 8 bits, as that chooses scales
    template <class P, codebook C>
        requires requires(P const& policy, value_range at, scale_and_zero s, C const& book) {
            range_slope(policy, at, s, s, book);
        }
    parameter_pair range_slope(parent_scale<P> const& of, value_range at, scale_and_zero s, scale_and_zero slope,
                               C const& book)
    {
        return of.of_width ? range_slope(of.policy, at, s, slope, book)
                           : range_slope(of.policy, at, s, slope, uniform<8>{});
    }

    // The part of a range that remains, as a function of what is learned.
    struct fraction // itself, in [0, 1]: SignRound's alpha and beta (arXiv 2309.05516, section 3)
    {
        static constexpr float initial = 1;
        static constexpr float part(float p) noexcept { return p; }
        static constexpr float slope(float) noexcept { return 1; }
        static constexpr float limit(float p) noexcept { return detail::clamp(p, 0.0f, 1.0f); }
    };
    struct sigmoid // OmniQuant's learnable weight clipping (Shao et al., arXiv 2308.13137, eq. 2)
    {
        static constexpr float initial = 4; // part 0.982
        static float part(float p) noexcept { return 1 / (1 + std::exp(-p)); }
        static float slope(float p) noexcept { return part(p) * (1 - part(p)); }
        static constexpr float limit(float p) noexcept { return p; }
    };

    // Both ends of the range of a group are clipped to a learned part of them; then P chooses the scale.
    template <class P = minmax<>, class Part = fraction>
    struct clip_range
    {
        using zero_type = typename P::zero_type;
        using group_type = value_range;
        P policy{};

        template <codebook C>
        group_type start(std::span<float const> group, C const&, std::span<float const> = {}) const noexcept
        {
            return value_range::of(group);
        }
        static constexpr parameter_pair initial() noexcept { return {Part::initial, Part::initial}; }
        template <codebook C>
            requires jackplane::scale<P, C>
        scale_and_zero scale(group_type const& r, parameter_pair p, C const& book) const noexcept
        {
            float const ends[]{r.low * Part::part(p.first), r.high * Part::part(p.second)};
            return policy(ends, book);
        }
        template <codebook C>
            requires requires(P const& of, value_range at, scale_and_zero s, C const& book) {
                range_slope(of, at, s, s, book); // the result of a search has no gradient
            }
        parameter_pair slope(group_type const& r, parameter_pair p, scale_and_zero s, scale_and_zero slope,
                             C const& book) const noexcept
        {
            value_range const clipped{r.low * Part::part(p.first), r.high * Part::part(p.second)};
            auto const [low, high] = range_slope(policy, clipped, s, slope, book);
            return {low * r.low * Part::slope(p.first), high * r.high * Part::slope(p.second)};
        }
        static constexpr parameter_pair limit(parameter_pair p) noexcept
        {
            return {Part::limit(p.first), Part::limit(p.second)};
        }
    };

    // The scale that P chose is multiplied by a learned factor in [0, 2] and, where `moves_zero`, the zero moves by a
    // learned part of the range of codes: SignRoundV2 after a search (arXiv 2512.04746), EfficientQAT (arXiv
    // 2407.11062) with the zero. The same small step of either moves the ends of the range about as far.
    template <class P, bool moves_zero = false>
        requires(!moves_zero || !std::same_as<typename P::zero_type, no_zero>) // a symmetric scale has none to move
    struct adjust_scale
    {
        using zero_type = typename P::zero_type;
        using group_type = scale_and_zero;
        P policy{};

        template <codebook C>
            requires jackplane::scale<P, C>
        group_type start(std::span<float const> group, C const& book,
                         std::span<float const> importance = {}) const noexcept
        {
            return policy(group, book, importance);
        }
        static constexpr parameter_pair initial() noexcept { return {1, 0}; }
        template <codebook C>
        scale_and_zero scale(group_type const& s, parameter_pair p, C const& book) const noexcept
        {
            if constexpr (!moves_zero)
                return {s.scale * p.first, s.zero};
            float const zero = s.zero + p.second * range(book);
            if constexpr (std::same_as<zero_type, integer_zero>)
                return {s.scale * p.first, detail::clamp(std::nearbyint(zero), 0.0f, 255.0f)};
            return {s.scale * p.first, zero};
        }
        template <codebook C>
        parameter_pair slope(group_type const& s, parameter_pair, scale_and_zero, scale_and_zero slope,
                             C const& book) const noexcept
        {
            return {slope.scale * s.scale, moves_zero ? slope.zero * range(book) : 0.0f};
        }
        static constexpr parameter_pair limit(parameter_pair p) noexcept
        {
            return {detail::clamp(p.first, 0.0f, 2.0f), p.second};
        }

    private:
        template <codebook C>
        static float range(C const& book) noexcept
        {
            return book.decode(C::size - 1) - book.decode(0);
        }
    };

    static_assert(clipping<clip_range<>, uniform<4>> && clipping<clip_range<full_range>, uniform<2>>);
    static_assert(clipping<clip_range<minmax<real_zero>, sigmoid>, uniform<2, 8>>);
    static_assert(clipping<clip_range<parent_scale<minmax<>>>, uniform<2, 8>>);
    static_assert(clipping<adjust_scale<mse_search<full_range>>, uniform<2>>);
}
