// SPDX-License-Identifier: BSD-3-Clause
// Losses of samples: their batches, what a run of them keeps, and a run that is resumed.
#include "../laws/weights.hpp"
#include <doctest/doctest.h>
#include <jackplane/tune/tune.hpp>
#include <algorithm>
#include <set>
#include <span>
#include <string_view>
#include <utility>
#include <vector>
using namespace jackplane;

namespace
{
    // The loss of n^2 samples each a target for all weights; the mean over the batch.
    struct scattered
    {
        std::vector<float> targets;
        std::size_t all;
        std::vector<std::vector<std::size_t>> asked{};

        std::size_t samples() const { return all; }
        void at(std::span<std::size_t const> which) { asked.emplace_back(which.begin(), which.end()); }
        double operator()(std::span<float const> w, std::span<float> g)
        {
            double sum = 0;
            std::fill(g.begin(), g.end(), 0.0f);
            for (std::size_t const s : asked.back())
                for (std::size_t i = 0; i < w.size(); ++i)
                {
                    float const off = w[i] - targets[s];
                    sum += double{off} * off / double(asked.back().size());
                    if (!g.empty())
                        g[i] += 2 * off / float(asked.back().size());
                }
            return sum;
        }
    };
}

TEST_CASE("each epoch every sample comes once, in batches whose order the seed decides")
{
    batch_order a(10, 3, 7), b(10, 3, 7), other(10, 3, 8);
    bool differs = false;
    for (int epoch = 0; epoch < 5; ++epoch)
    {
        std::set<std::size_t> seen;
        for (int k = 0; k < 3; ++k)
        {
            auto const batch = a.next(), same = b.next(), third = other.next();
            CHECK(batch.size() == 3);
            CHECK(std::equal(batch.begin(), batch.end(), same.begin()));
            differs |= !std::equal(batch.begin(), batch.end(), third.begin());
            seen.insert(batch.begin(), batch.end());
        }
        CHECK(seen.size() == 9);
    }
    CHECK(differs);
    batch_order few(2, 8, 0); // fewer samples than a batch: all of them
    CHECK(few.next().size() == 2);
}

TEST_CASE("a loss of samples is asked for batches, and for all of them before and after")
{
    laws::sample const w = laws::weights(3, 20, 1);
    scattered f{{0.1f, 0.2f, 0.3f, 0.4f, 0.5f}, 5};
    tunable<uniform<4>, clip_range<>> m(w.view(), {}, {}, group{10});
    std::vector<std::size_t> told;
    tune(std::span(&m, 1), std::span(&f, 1), one_width(4), signround_rate(4), sign_step{},
         tune_options{.batch = 2,
                      .tell = [&](std::string_view name, std::size_t done, std::size_t total)
                      {
                          CHECK(name == "tune");
                          CHECK(total == 4);
                          told.push_back(done);
                      }});
    REQUIRE(f.asked.size() == 6);
    CHECK(f.asked.front().size() == 5);
    CHECK(f.asked.back().size() == 5);
    for (std::size_t k = 1; k < 5; ++k)
        CHECK(f.asked[k].size() == 2);
    CHECK(told == std::vector<std::size_t>{1, 2, 3, 4});
}

TEST_CASE("a resumed run ends the same, bit for bit")
{
    laws::sample const w = laws::weights(8, 96, 1);
    scattered const loss{{0.1f, -0.2f, 0.3f, 0.0f, 0.5f, -0.4f, 0.2f}, 7};
    auto const check = [&](auto const& step, tune_options options)
    {
        using matrix = tunable<uniform<3>, clip_range<>>;
        auto const run = [&](tune_options const& o)
        {
            matrix m(w.view(), {}, {}, group{32});
            scattered f = loss;
            auto const report = tune(std::span(&m, 1), std::span(&f, 1), one_width(3), cosine{0.01f, 23}, step, o);
            return std::pair(std::move(m), report);
        };
        options.batch = 2;
        auto const [whole, report] = run(options);
        std::vector<run_state> states;
        options.checkpoints = {5, [&](run_state const& s) { states.push_back(s); }};
        CHECK(run(options).first.result().codes == whole.result().codes);
        REQUIRE(states.size() == 4);
        CHECK(states[1].steps == 10);
        for (run_state const& from : states)
        {
            tune_options rest = options;
            rest.checkpoints = {.from = &from};
            auto const [resumed, said] = run(rest);
            CHECK(resumed.learned().offset == whole.learned().offset);
            CHECK(resumed.learned().first == whole.learned().first);
            CHECK(resumed.result().codes == whole.result().codes);
            CHECK(said.losses == report.losses);
            CHECK(said.before == report.before);
            CHECK(said.after == report.after);
            CHECK(said.kept_step == report.kept_step);
        }
        run_state const none; // no step is done
        options.checkpoints = {.from = &none};
        CHECK(run(options).first.result().codes == whole.result().codes);
        for (int const change : {0, 1, 2})
        {
            run_state other = states[1];
            if (change == 0)
                other.arrays.pop_back();
            else if (change == 1)
                other.arrays[0].pop_back();
            else
                other.steps = 24;
            options.checkpoints.from = &other;
            CHECK_THROWS_AS(run(options), shape_error);
        }
    };
    check(adam{}, {});
    check(sign_step{}, {});
    check(adam{}, {.kept = keep::best});
    check(sign_step{}, {.kept = keep::best, .check_every = 4});
}

TEST_CASE("what had the least loss of its batch may be worse on all samples: then the start stays")
{
    laws::sample const w = laws::weights(4, 32, 1, 0.25f);
    scattered loss{{}, 9};
    for (std::size_t i = 0; i < 9; ++i) // batches of one disagree
        loss.targets.push_back(i % 2 == 0 ? 2.0f : -2.0f);
    std::size_t kept_starts = 0;
    for (std::uint64_t seed = 0; seed < 20; ++seed)
    {
        tunable<uniform<4>, clip_range<>, float> m(w.view(), {}, {}, group{32}, {.reach = {8, 0.5f}});
        auto const codes = m.result().codes;
        auto const report =
            tune(std::span(&m, 1), std::span(&loss, 1), one_width(4), linear_decay{0.1f, 12}, sign_step{},
                 tune_options{.batch = 1, .seed = seed, .kept = keep::best});
        CHECK(report.after <= report.before);
        CHECK((report.kept_step != 0 || m.result().codes == codes));
        kept_starts += report.kept_step == 0;
    }
    CHECK(kept_starts > 0);
}
