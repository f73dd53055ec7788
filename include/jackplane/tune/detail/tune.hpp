// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// The loop of tune.
#include "../tune.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace detail
    {
        template <class Tunable, loss F, update_step Step, parallel_policy Parallel>
        class tuning; // tuning.hpp

        // Restores the start of the run, unless it is told that the end is better.
        template <class Tuning>
        class start_again
        {
        public:
            explicit start_again(Tuning& all) : m_all(all), m_start(all.learned()) {}
            start_again(start_again const&) = delete;
            start_again& operator=(start_again const&) = delete;
            ~start_again()
            {
                if (!m_is_better)
                    m_all.learn(m_start);
            }
            void is_better() noexcept { m_is_better = true; }

        private:
            Tuning& m_all;
            typename Tuning::state m_start;
            bool m_is_better = false;
        };

        // The loop; the same code for every slice.
        template <class Tuning, rate_schedule Rate>
        tune_report descend(Tuning all, Rate const& rate, tune_options const& options)
        {
            std::size_t const samples = all.samples();
            JACKPLANE_EXPECTS(samples > 0 && options.batch > 0, shape_error, options.name, ": batches of ",
                              options.batch, " of ", samples, " samples");
            batch_order order(samples, options.batch, options.seed);
            std::vector<std::size_t> everything(samples);
            std::iota(everything.begin(), everything.end(), std::size_t{0});
            auto const on_everything = [&](std::size_t k)
            {
                all.at(everything);
                return all.value(false, k);
            };

            start_again<Tuning> run(all);
            tune_report report;
            double least = std::numeric_limits<double>::infinity();
            std::size_t const done = options.checkpoints.done();
            if (done > 0)
            {
                run_state const& from = *options.checkpoints.from;
                JACKPLANE_EXPECTS(done <= rate.steps && from.numbers.size() == 3 + done, shape_error, options.name,
                                  ": resumes after step ", done, " of ", rate.steps, " with ", from.numbers.size(),
                                  " numbers");
                all.go_on_from(from);
                report = {from.numbers[0],
                          0,
                          static_cast<std::size_t>(from.numbers[1]),
                          {from.numbers.begin() + 3, from.numbers.end()}};
                least = from.numbers[2];
                for (std::size_t k = 0; k < done; ++k)
                    order.next();
            }
            else
                report.before = on_everything(0);
            auto const state = [&]
            {
                run_state s{
                    report.losses.size(), {report.before, static_cast<double>(report.kept_step), least}, all.arrays()};
                s.numbers.insert(s.numbers.end(), report.losses.begin(), report.losses.end());
                return s;
            };
            auto const keep_if_best = [&](double value, std::size_t after_steps)
            {
                if (value >= least)
                    return;
                least = value;
                report.kept_step = after_steps;
                all.snapshot();
            };
            bool const keeps_best = options.kept == keep::best, by_batch = options.check_every == 0;
            if (keeps_best && !by_batch && done == 0)
                keep_if_best(report.before, 0);
            for (std::size_t k = done; k < rate.steps; ++k)
            {
                all.at(order.next());
                report.losses.push_back(all.value(true, k));
                if (keeps_best && by_batch)
                    keep_if_best(report.losses.back(), k);
                all.step(rate(k));
                if (keeps_best && !by_batch && ((k + 1) % options.check_every == 0 || k + 1 == rate.steps))
                    keep_if_best(on_everything(k), k + 1);
                if (options.checkpoints.due(k + 1))
                    options.checkpoints.save(state());
                if (options.tell)
                    options.tell(options.name, k + 1, rate.steps);
            }
            if (keeps_best)
                all.restore();
            else
                report.kept_step = rate.steps;
            report.after = rate.steps == 0 ? report.before : on_everything(rate.steps);
            if (report.after <= report.before)
                run.is_better();
            else
                report.after = report.before, report.kept_step = 0;
            return report;
        }
    }

    template <class Tunable, loss F, slice Slice, rate_schedule Rate, update_step Step, parallel_policy Parallel>
    tune_report tune(std::span<Tunable> matrices, std::span<F> losses, objective<Slice> const& goal, Rate const& rate,
                     Step const& step, tune_options const& options, Parallel parallel)
    {
        return detail::descend(
            detail::tuning<Tunable, F, Step, Parallel>(matrices, losses, goal, step, options, parallel), rate, options);
    }
}
