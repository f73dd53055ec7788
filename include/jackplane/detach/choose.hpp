// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <string_view>
#include <vector>
#include "../core/check.hpp"
#include "../core/concepts.hpp"

// Which weights leave the dense part: those of the largest scores. Indices count weights row after row, of a matrix or
// of all matrices one after the other.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // The number of weights that is `percent` of `weights`, to the nearest whole number. Throws value_error unless 0 <
    // percent < 100 and at least one is chosen and one left.
    inline std::size_t count_of(double percent, std::size_t weights, std::string_view name = "budget")
    {
        double const exact = percent / 100 * static_cast<double>(weights);
        bool const inside = percent > 0 && percent < 100;
        auto const count = static_cast<std::size_t>(inside ? std::nearbyint(exact) : 0);
        JACKPLANE_EXPECTS(inside && count > 0 && count < weights, value_error, name, ": ", percent, " % of ", weights,
                          " weights; it takes one at least, and not all");
        return count;
    }

    // ---- what makes a weight matter; change: its share of the loss's change (integrate), or another score

    struct by_change // |dF_i|: PQI (Hu et al., arXiv 2503.01901)
    {
        std::vector<float> operator()(std::span<float const>, std::span<float const> change) const
        {
            std::vector<float> score(change.size());
            std::transform(change.begin(), change.end(), score.begin(), [](float x) { return detail::abs(x); });
            return score;
        }
    };

    struct by_rise // dF_i: only changes that raise the loss count
    {
        std::vector<float> operator()(std::span<float const>, std::span<float const> change) const
        {
            return {change.begin(), change.end()};
        }
    };

    struct by_magnitude // |w_i|
    {
        std::vector<float> operator()(std::span<float const> w, std::span<float const>) const
        {
            return by_change{}({}, w);
        }
    };

    // How many interquartile ranges |w_i| lies beyond the quartile that is farther from 0: SqueezeLLM's outliers (Kim
    // et al., arXiv 2306.07629) take all that lie beyond R of them, in any matrix, R tuned for their number.
    struct by_interquartile_range // of one matrix
    {
        std::vector<float> operator()(std::span<float const> w, std::span<float const>) const
        {
            std::vector<float> sorted(w.begin(), w.end()), score(w.size());
            if (w.empty())
                return score;
            std::sort(sorted.begin(), sorted.end());
            auto const quartile = [&](std::size_t fourths) // between its neighbours where it falls between
            {
                std::size_t const scaled = fourths * (sorted.size() - 1), below = scaled / 4;
                float const part = static_cast<float>(scaled % 4) / 4;
                return sorted[below] + part * (sorted[std::min(below + 1, sorted.size() - 1)] - sorted[below]);
            };
            float const first = quartile(1), third = quartile(3), range = third - first;
            for (std::size_t i = 0; i < w.size(); ++i)
            {
                float const beyond = detail::abs(w[i]) - detail::max(-first, third);
                score[i] = range > 0 ? beyond / range : beyond;
            }
            return score;
        }
    };

    struct by_chance // the control
    {
        std::uint64_t seed = 0;

        std::vector<float> operator()(std::span<float const> w, std::span<float const>) const
        {
            std::mt19937_64 random(seed);
            std::vector<float> score(w.size());
            for (float& x : score)
                x = static_cast<float>(random() >> 40); // 24 bits
            return score;
        }
    };
    static_assert(weight_score<by_change> && weight_score<by_rise> && weight_score<by_magnitude>);
    static_assert(weight_score<by_interquartile_range> && weight_score<by_chance>);

    // The `count` indices of the largest scores, ascending; of equal scores the first ones. `without`: indices, in
    // ascending order, that are not chosen. Throws shape_error when there are not so many, value_error where a score is
    // NaN.
    inline std::vector<std::size_t> largest(std::span<float const> score, std::size_t count,
                                            std::span<std::size_t const> without = {}, std::string_view name = "scores")
    {
        JACKPLANE_EXPECTS(count + without.size() <= score.size(), shape_error, name, ": ", count, " of ", score.size(),
                          ", without ", without.size());
        std::vector<std::size_t> all;
        all.reserve(score.size() - without.size());
        auto next = without.begin();
        for (std::size_t i = 0; i < score.size(); ++i)
        {
            JACKPLANE_EXPECTS(!std::isnan(score[i]), value_error, name, ": that of weight ", i, " is NaN");
            if (next != without.end() && *next == i)
                ++next;
            else
                all.push_back(i);
        }
        JACKPLANE_EXPECTS(next == without.end(), shape_error, name,
                          ": the indices to leave out are not ascending, or outside");
        auto const end = all.begin() + static_cast<std::ptrdiff_t>(count);
        std::nth_element(all.begin(), end, all.end(),
                         [&](std::size_t a, std::size_t b)
                         { return score[a] != score[b] ? score[a] > score[b] : a < b; });
        all.erase(end, all.end());
        std::sort(all.begin(), all.end());
        return all;
    }

    // largest() of what a score says of the weights and their changes.
    template <weight_score Score>
    std::vector<std::size_t> choose(Score const& score, std::span<float const> w, std::span<float const> change,
                                    std::size_t count, std::span<std::size_t const> without = {},
                                    std::string_view name = "scores")
    {
        return largest(score(w, change), count, without, name);
    }

    // In `steps` parts, each by the changes that remain when those chosen so far are restored: significant weights
    // (arXiv 2503.01901, algorithm 2, as far as it is known). changes_of(chosen) -> changes [weights].
    template <weight_score Score, class ChangesOf>
    std::vector<std::size_t> choose_stepwise(Score const& score, std::span<float const> w, std::size_t count,
                                             std::size_t steps, ChangesOf&& changes_of,
                                             std::string_view name = "scores")
    {
        JACKPLANE_EXPECTS(steps > 0, value_error, name, ": ", count, " weights in 0 steps");
        std::vector<std::size_t> chosen;
        for (std::size_t step = 1; step <= steps; ++step)
        {
            std::size_t const wanted = count * step / steps - chosen.size();
            auto const change = changes_of(std::span<std::size_t const>(chosen));
            auto const more = choose(score, w, change, wanted, chosen, name);
            std::vector<std::size_t> all(chosen.size() + more.size());
            std::merge(chosen.begin(), chosen.end(), more.begin(), more.end(), all.begin());
            chosen = std::move(all);
        }
        return chosen;
    }
}
