// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <random>
#include "../core/checkpoint.hpp"
#include "../core/progress.hpp"
#include "objective.hpp"
#include "rate.hpp"
#include "step.hpp"

// Learns the rounding of the weights of some matrices and the clipping of their ranges, all at once, by gradient
// descent on a loss of the quantized weights: SignRound (Cheng et al., arXiv 2309.05516) with sign_step and
// linear_decay, OmniQuant's clipping with adam and sigmoid, MatQuant with an objective of several widths.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // Which of the states on the way tune ends with.
    enum class keep
    {
        last, // what the last step left, unless that is worse than the start
        best  // the state of least loss: of that step's batch, or, every check_every steps, of all samples
    };

    // The loss before and after, and which step gave the weights that were kept.
    struct tune_report
    {
        double before = 0, after = 0; // on all samples
        std::size_t kept_step = 0;    // after so many steps
        std::vector<double> losses;   // of each step's batch, before the step
    };

    // What is learned, how fast, and how often the loss of all samples is looked at.
    struct tune_options
    {
        bool learn_offsets = true; // where weights round
        float clip_rate = 1;       // of the learned pairs, times the rate; 0: scales stay
        std::size_t batch = 8;     // samples a step
        std::uint64_t seed = 0;    // of the batches
        keep kept = keep::last;
        std::size_t check_every = 0; // steps; 0: each is judged by its own batch
        progress tell{};             // after every step
        std::string_view name = "tune";
        checkpoint checkpoints{}; // of long runs
    };

    // Each epoch in a new order, in batches of `size`, a smaller rest dropped: the order depends on the seed alone.
    class batch_order
    {
    public:
        batch_order(std::size_t samples, std::size_t size, std::uint64_t seed)
            : m_order(samples), m_size(std::min(size, samples)), m_next(samples), m_random(seed)
        {
            std::iota(m_order.begin(), m_order.end(), std::size_t{0});
        }
        std::span<std::size_t const> next() &
        {
            if (m_next + m_size > m_order.size())
            {
                for (std::size_t i = m_order.size(); i > 1; --i) // std::shuffle differs from library to library
                    std::swap(m_order[i - 1], m_order[m_random() % i]);
                m_next = 0;
            }
            m_next += m_size;
            return std::span(m_order).subspan(m_next - m_size, m_size);
        }

    private:
        std::vector<std::size_t> m_order;
        std::size_t m_size, m_next;
        std::mt19937_64 m_random;
    };

    // losses: one for all terms of the objective, or one for each; a loss sees the weights of all matrices one after
    // the other, row after row. Afterwards every matrix is rounded to the state that is kept, which is never worse than
    // the start: where the objective on all samples is larger after the last step than before the first, or an error
    // ends the run, all matrices are as they were (kept_step 0). That takes a copy of what is learned, 4 bytes a
    // weight; both losses are in the report. 0 steps: nothing is learned. Throws value_error when a loss is no number
    // (names the step), shape_error for a wrong number of losses, no terms, or a state of something else.
    template <class Tunable, loss F, slice Slice, rate_schedule Rate, update_step Step = sign_step,
              parallel_policy Parallel = serial>
    tune_report tune(std::span<Tunable> matrices, std::span<F> losses, objective<Slice> const& goal, Rate const& rate,
                     Step const& step = {}, tune_options const& options = {}, Parallel parallel = {});
}
#include "detail/tune.hpp"
#include "detail/tuning.hpp"
