// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// What tune looks at and moves: all matrices, their losses and steps.
#include "../tune.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace detail
    {
        template <class Tunable, loss F, update_step Step, parallel_policy Parallel>
        class tuning
        {
        public:
            using state = std::vector<typename Tunable::parameters>; // what is learned of every matrix
            using reading = typename Tunable::reading_type;          // what codes stand for at a width

            template <slice Slice>
            tuning(std::span<Tunable> matrices, std::span<F> losses, objective<Slice> const& goal, Step const& step,
                   tune_options const& options, Parallel parallel)
                : m_matrices(matrices),
                  m_losses(losses),
                  m_terms(goal.terms),
                  m_options(options),
                  m_parallel(parallel),
                  m_steps(matrices.size() * 3, step)
            {
                JACKPLANE_EXPECTS(!m_terms.empty() && !m_matrices.empty(), shape_error, options.name, ": ",
                                  m_matrices.size(), " matrices and ", m_terms.size(), " widths to tune");
                JACKPLANE_EXPECTS(m_losses.size() == 1 || m_losses.size() == m_terms.size(), shape_error, options.name,
                                  ": ", m_losses.size(), " losses for ", m_terms.size(), " widths");
                auto const read_at = [&](unsigned bits)
                { return m_matrices[0].reading(goal.rule, bits); };
                for (objective_term const& term : m_terms)
                {
                    JACKPLANE_EXPECTS(term.teacher == 0 || teachable_loss<F>, value_error, options.name,
                                      ": the loss cannot be distilled from ", term.teacher, " bits");
                    auto const teaches = [&](objective_term const& other) { return other.bits == term.teacher; };
                    JACKPLANE_EXPECTS(term.teacher == 0 || std::any_of(m_terms.begin(), m_terms.end(), teaches),
                                      width_error, options.name, ": ", term.bits, " bits are distilled from ",
                                      term.teacher, ", which no term has");
                    m_readings.push_back(read_at(term.bits));
                    m_teachers.push_back(term.teacher == 0 ? reading{} : read_at(term.teacher));
                }
                std::size_t size = 0;
                for (Tunable const& m : m_matrices)
                    size += m.size();
                m_decoded.resize(size);
                m_slope.resize(size);
            }

            std::size_t samples() const
            {
                if constexpr (batched_loss<F>)
                    return m_losses[0].samples();
                else
                    return 1;
            }

            F& loss_of(std::size_t term) { return m_losses.size() == 1 ? m_losses[0] : m_losses[term]; }

            void at(std::span<std::size_t const> samples)
            {
                if constexpr (batched_loss<F>)
                    for (F& f : m_losses)
                        f.at(samples);
            }

            // The sum over the terms; with slopes: the gradient by what is learned, too.
            double value(bool slopes, std::size_t at_step)
            {
                double sum = 0;
                for (Tunable& m : m_matrices)
                    m.clear_slopes();
                for (std::size_t t = 0; t < m_terms.size(); ++t)
                {
                    if (m_terms[t].weight == 0)
                        continue;
                    if constexpr (teachable_loss<F>)
                    {
                        bool const taught = m_terms[t].teacher != 0;
                        if (taught)
                            decode(m_teachers[t]);
                        loss_of(t).teach(taught ? std::span<float const>(m_decoded) : std::span<float const>());
                    }
                    decode(m_readings[t]);
                    double const part = loss_of(t)(m_decoded, slopes ? std::span<float>(m_slope) : std::span<float>());
                    JACKPLANE_EXPECTS(std::isfinite(part), value_error, m_options.name, ": the loss at ",
                                      m_terms[t].bits, " bits is ", part, " in step ", at_step);
                    sum += static_cast<double>(m_terms[t].weight) * part;
                    std::size_t begin = 0;
                    for (Tunable& m : m_matrices)
                    {
                        std::span<float const> const g = std::span(m_slope).subspan(begin, m.size());
                        if (slopes)
                            m.add_slopes(m_readings[t], g, m_terms[t].weight, m_parallel);
                        begin += m.size();
                    }
                }
                return sum;
            }

            void decode(reading const& by)
            {
                std::size_t begin = 0;
                for (Tunable const& m : m_matrices)
                {
                    m.decode(by, std::span(m_decoded).subspan(begin, m.size()), m_parallel);
                    begin += m.size();
                }
            }

            void step(float rate)
            {
                for (std::size_t i = 0; i < m_matrices.size(); ++i)
                {
                    auto& learned = m_matrices[i].learned();
                    auto const& slopes = m_matrices[i].slopes();
                    if (m_options.learn_offsets)
                        m_steps[3 * i](learned.offset, slopes.offset, rate);
                    if (m_options.clip_rate > 0)
                    {
                        m_steps[3 * i + 1](learned.first, slopes.first, rate * m_options.clip_rate);
                        m_steps[3 * i + 2](learned.second, slopes.second, rate * m_options.clip_rate);
                    }
                    m_matrices[i].limit();
                    m_matrices[i].round(m_parallel);
                }
            }

            state learned() const
            {
                state all;
                for (Tunable const& m : m_matrices)
                    all.push_back(m.learned());
                return all;
            }
            void learn(state const& from)
            {
                for (std::size_t i = 0; i < from.size(); ++i)
                {
                    m_matrices[i].learned() = from[i];
                    m_matrices[i].round(m_parallel);
                }
            }
            void snapshot() { m_kept = learned(); }
            void restore() { learn(m_kept); }

            std::vector<std::vector<float>> arrays()
            {
                std::vector<std::vector<float>> out;
                each_array([&](std::vector<float> const& array) { out.push_back(array); });
                return out;
            }
            void go_on_from(run_state const& s)
            {
                snapshot(); // room for what was kept, if anything was
                std::size_t arrays = 0, next = 0;
                each_array([&](std::vector<float> const&) { ++arrays; });
                if (arrays == s.arrays.size() + 3 * m_kept.size())
                    arrays -= 3 * m_kept.size(), m_kept.clear();
                JACKPLANE_EXPECTS(arrays == s.arrays.size(), shape_error, m_options.name, ": resumes from ",
                                  s.arrays.size(), " arrays, has ", arrays);
                for (Step& step : m_steps)
                    if constexpr (resumable_step<Step>)
                        step.took(s.steps);
                each_array(
                    [&](std::vector<float>& array)
                    {
                        // a step that has not been taken has no state yet
                        auto const& from = s.arrays[next++];
                        JACKPLANE_EXPECTS(array.empty() || from.size() == array.size(), shape_error, m_options.name,
                                          ": array ", next - 1, " to resume from has ", from.size(), " numbers, not ",
                                          array.size());
                        array = from;
                    });
                for (Tunable& m : m_matrices)
                    m.round(m_parallel);
            }

        private:
            template <class Visit>
            void each_array(Visit&& visit)
            {
                auto const learned = [&](typename Tunable::parameters& p)
                { visit(p.offset), visit(p.first), visit(p.second); };
                for (Tunable& m : m_matrices)
                    learned(m.learned());
                if constexpr (resumable_step<Step>)
                    for (Step& step : m_steps)
                        step.each_array(visit);
                for (auto& kept : m_kept)
                    learned(kept);
            }

            std::span<Tunable> m_matrices;
            std::span<F> m_losses;
            std::vector<objective_term> m_terms;
            tune_options m_options;
            Parallel m_parallel;
            std::vector<Step> m_steps; // of the offsets, the first and the second of the pairs of each matrix
            std::vector<reading> m_readings, m_teachers; // of the terms
            std::vector<float> m_decoded, m_slope;            // of all matrices
            state m_kept;
        };
    }
}
