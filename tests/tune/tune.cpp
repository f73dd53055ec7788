// SPDX-License-Identifier: BSD-3-Clause
#include "problem.hpp"
#include <doctest/doctest.h>
#include <limits>
#include <span>
#include <vector>
using namespace jackplane;

TEST_CASE("a matrix of which nothing was learned is what quantize gives")
{
    laws::sample const w = laws::weights(19, 77, 1);
    auto const check = [&](auto book, auto clip, auto policy, group g)
    {
        using T = tunable<decltype(book), decltype(clip)>;
        T const m(w.view(), book, clip, g);
        auto const q = quantize(w.view(), book, policy, g);
        CHECK(m.result().codes == q.codes);
        CHECK(m.result().scales == q.scales);
        CHECK(m.result().zeros == q.zeros);
        std::vector<float> read(w.data.size()), expected(w.data.size());
        m.decode(code_reading::of(book, truncate_centred{}, T::result_type::codebook_type::bits), read);
        dequantize(q, {expected.data(), w.rows, w.cols});
        CHECK(read == expected);
    };
    check(uniform<4>{}, clip_range<>{}, minmax<>{}, group{32});
    check(uniform<2>{}, clip_range<full_range>{}, full_range{}, group::per_row());
    check(uniform<3>{}, clip_range<gptq_symmetric>{}, gptq_symmetric{}, group{16});
    check(uniform<8>{}, clip_range<minmax<real_zero>>{}, minmax<real_zero>{}, group::per_tensor());
    check(uniform<2, 8>{}, clip_range<>{}, minmax<>{}, group{32});
    check(uniform<2>{}, adjust_scale<mse_search<minmax<>>>{}, mse_search<minmax<>>{}, group{32});
}

TEST_CASE("tuning makes the loss smaller than nearest rounding's, in every scheme and width")
{
    problem p;
    auto const check = [&](auto book, auto clip)
    {
        tunable<decltype(book), decltype(clip)> m(p.w.view(), book, clip, group{32});
        auto const report = p.tuned(m, one_width(decltype(book)::bits));
        CHECK(report.after < report.before);
        CHECK(report.after == doctest::Approx(p.of(m.result())).epsilon(1e-6));
        CHECK(report.losses.size() == 200);
        CHECK(report.losses[0] == report.before);
        CHECK(report.kept_step == 200);
        for (float const v : m.learned().offset)
            CHECK(std::abs(v) <= 0.5f);
    };
    check(uniform<4>{}, clip_range<>{});
    check(uniform<3>{}, clip_range<>{});
    check(uniform<2>{}, clip_range<>{});
    check(uniform<3>{}, clip_range<full_range>{});
    check(uniform<3>{}, clip_range<gptq_symmetric>{});
    check(uniform<2, 8>{}, clip_range<>{});
    check(uniform<2>{}, adjust_scale<mse_search<full_range>>{});
}

TEST_CASE("weights that learn go where the loss wants them, and their ranges may go along")
{
    problem p{laws::weights(24, 100, 1, 1)}; // the rate is in units of weights
    for (bool const follows : {false, true})
    {
        tunable<uniform<3>, clip_range<>> m(p.w.view(), {}, {}, group{32},
                                            {.what = learns::weights, .follows_weights = follows});
        auto const report = tune(std::span(&m, 1), std::span(&p.loss, 1), one_width(3), cosine{2e-3f, 300}, adam{},
                                 tune_options{.clip_rate = follows ? 0.0f : 1.0f, .kept = keep::best});
        CHECK(report.after < 0.7 * report.before);
        std::vector<float> moved(p.w.data.size());
        for (std::size_t i = 0; i < moved.size(); ++i)
            moved[i] = p.w.data[i] + m.learned().offset[i];
        if (follows) // what quantize makes of the weights as they have become
        {
            auto const q =
                quantize(matrix_view<float const>{moved.data(), 24, 100}, uniform<3>{}, minmax<>{}, group{32});
            CHECK(q.codes == m.result().codes);
            CHECK(q.scales == m.result().scales);
        }
    }
}

TEST_CASE("weights may lie in a wider matrix, and there may be none")
{
    problem p;
    std::vector<float> wide(24 * 128, 1e9f);
    for (std::size_t row = 0; row < 24; ++row)
        std::copy_n(&p.w.data[row * 100], 100, &wide[row * 128]);
    tunable<uniform<3>, clip_range<>> one(p.w.view(), {}, {}, group{32}),
        other(matrix_view<float const>{wide.data(), 24, 100, 128}, {}, {}, group{32});
    p.tuned(one, one_width(3));
    p.tuned(other, one_width(3));
    CHECK(one.result().codes == other.result().codes);
    CHECK(one.result().scales == other.result().scales);

    tunable<uniform<3>, clip_range<>> none(matrix_view<float const>{nullptr, 0, 100}, {}, {}, group{32});
    auto nothing = [](std::span<float const> w, std::span<float>) { return static_cast<double>(w.size()); };
    CHECK(tune(std::span(&none, 1), std::span(&nothing, 1), one_width(3), signround_rate(2)).after == 0);
}

TEST_CASE("0 steps: nothing is learned, and the report says what there is")
{
    problem p;
    tunable<uniform<4>, clip_range<>> m(p.w.view(), {}, {}, group{32});
    auto const before = m.result();
    auto const report = p.tuned(m, one_width(4), {}, signround_rate(0));
    CHECK(m.result().codes == before.codes);
    CHECK(report.before == report.after);
    CHECK(report.before == p.of(before));
    CHECK(report.losses.empty());
}

TEST_CASE("offsets can start from the codes of another method")
{
    problem p;
    auto const q = quantize(p.w.view(), uniform<3>{}, minmax<>{}, group{32}, nearest{},
                            feedback(p.gram.view(), {.scales_first = true}));
    tunable<uniform<3>, clip_range<>> m(p.w.view(), {}, {}, group{32}, {.reach = {1, 8}});
    m.start_from(q.codes);
    CHECK(m.result().codes == q.codes);
    double const start = p.of(q);
    p.tuned(m, one_width(3), {.kept = keep::best});
    CHECK(p.of(m.result()) <= start);
    CHECK_THROWS_AS(m.start_from(aligned_vector<code>(5)), shape_error);
}

TEST_CASE("several matrices are tuned at once, and any number of threads gives the same bytes")
{
    problem p;
    auto const run = [&](auto parallel, group g)
    {
        using T = tunable<uniform<3>, clip_range<>>;
        std::size_t const half = p.w.data.size() / 2;
        std::vector<T> two;
        two.emplace_back(matrix_view<float const>{p.w.data.data(), 12, 100}, uniform<3>{}, clip_range<>{}, g);
        two.emplace_back(matrix_view<float const>{p.w.data.data() + half, 12, 100}, uniform<3>{}, clip_range<>{}, g);
        tune(std::span(two), std::span(&p.loss, 1), one_width(3), signround_rate(50), sign_step{}, {}, parallel);
        auto codes = two[0].result().codes;
        codes.insert(codes.end(), two[1].result().codes.begin(), two[1].result().codes.end());
        return codes;
    };
    for (group const g : {group{32}, group::per_tensor()})
    {
        auto const codes = run(serial{}, g);
        CHECK(codes == run(threads{3}, g));
        CHECK(codes == run(threads{5}, g));
    }
    tunable<uniform<3>, clip_range<>> one(p.w.view(), {}, {}, group{32});
    p.tuned(one, one_width(3), {}, signround_rate(50));
    CHECK(one.result().codes == run(serial{}, group{32})); // rows do not know each other
}

TEST_CASE("the best is kept, not the last, when that is asked for")
{
    problem p;
    linear_decay const wild{0.1f, 30};
    auto const after = [&](keep kept, std::size_t every)
    {
        tunable<uniform<4>, clip_range<>> m(p.w.view(), {}, {}, group{32});
        auto const report = p.tuned(m, one_width(4), {.kept = kept, .check_every = every}, wild);
        CHECK(p.of(m.result()) == doctest::Approx(report.after).epsilon(1e-6));
        if (kept == keep::best)
            CHECK(report.kept_step < 30);
        return report.after;
    };
    double const last = after(keep::last, 0), best = after(keep::best, 0), checked = after(keep::best, 1);
    CHECK(best < last);
    CHECK(checked == best); // no batches: both look at the same loss
}

TEST_CASE("Adam moves sigmoid clipping, with rounding to nearest: OmniQuant")
{
    problem p;
    tunable<uniform<2>, clip_range<minmax<>, sigmoid>> m(p.w.view(), {}, {}, group{32});
    auto const report = tune(std::span(&m, 1), std::span(&p.loss, 1), one_width(2), constant{0.05f, 100}, adam{},
                             tune_options{.learn_offsets = false, .kept = keep::best});
    CHECK(report.after < 0.9 * report.before);
    for (float const v : m.learned().offset)
        CHECK(v == 0);
}

TEST_CASE("a loss that is no number stops it, and says when; wrong counts are errors, too")
{
    laws::sample const w = laws::weights(3, 20, 1);
    using T = tunable<uniform<4>, clip_range<>>;
    T m(w.view(), {}, {}, group{10});
    int calls = 0;
    auto broken = [&](std::span<float const>, std::span<float> g)
    {
        std::fill(g.begin(), g.end(), 1.0f);
        return ++calls == 4 ? std::numeric_limits<double>::quiet_NaN() : 1.0;
    };
    auto const run = [&](objective<> const& goal, tune_options const& options)
    { return tune(std::span(&m, 1), std::span(&broken, 1), goal, signround_rate(9), sign_step{}, options); };
    CHECK_THROWS_WITH_AS(run(one_width(4), {.name = "layer 3"}), "layer 3: the loss at 4 bits is nan in step 2",
                         value_error);
    CHECK_THROWS_WITH_AS(run({}, {}), "tune: 1 matrices and 0 widths to tune", shape_error);
    CHECK_THROWS_WITH_AS(run(one_width(5), {}), "codes of 4 bits read at 5", width_error);
    CHECK_THROWS_AS(run(one_width(4), {.batch = 0}), shape_error);
    std::vector<decltype(broken)> two(2, broken);
    CHECK_THROWS_WITH_AS(tune(std::span(&m, 1), std::span(two), one_width(4), signround_rate(9)),
                         "tune: 2 losses for 1 widths", shape_error);
    laws::sample bad = w;
    bad.data[27] = std::numeric_limits<float>::infinity();
    CHECK_THROWS_WITH_AS(T(bad.view(), {}, {}, group{10}, {.name = "up"}), "up: weight at row 1, column 7 is inf",
                         value_error);
}

namespace
{
    // What nearest rounding is best for: inputs that have nothing to do with each other. Every step away from it costs.
    laws::sample white_noise(std::size_t cols)
    {
        laws::sample gram{cols, cols, aligned_vector<float>(cols * cols)};
        for (std::size_t i = 0; i < cols; ++i)
            gram.data[i * cols + i] = 1;
        return gram;
    }
}

TEST_CASE_TEMPLATE("no matrix is worse than it was, judged on all samples", C, uniform<3>, uniform<8>)
{
    laws::sample const w = laws::weights(24, 100, 1), gram = white_noise(100);
    layer<> loss(w.view(), gram.view());
    for (keep const kept : {keep::last, keep::best})
        for (std::size_t const every : {0u, 7u})
        {
            using matrix = tunable<C, clip_range<>>;
            matrix m(w.view(), {}, {}, group{32});
            auto const start = m.result();
            std::vector<float> decoded(w.data.size());
            dequantize(start, {decoded.data(), w.rows, w.cols});
            double const before = loss(decoded, {});
            // so large a step that no way leads down
            auto const report = tune(std::span(&m, 1), std::span(&loss, 1), one_width(C::bits), linear_decay{0.5f, 200},
                                     sign_step{}, tune_options{.kept = kept, .check_every = every});
            dequantize(m.result(), {decoded.data(), w.rows, w.cols});
            CHECK(report.before == doctest::Approx(before).epsilon(1e-6));
            CHECK(report.losses[150] > before); // or this test tells nothing
            CHECK(report.after <= report.before);
            CHECK(loss(decoded, {}) == report.after);
            if (kept == keep::last)
            {
                CHECK(report.kept_step == 0);
                CHECK(m.result().codes == start.codes);
                CHECK(m.result().scales == start.scales);
                CHECK(m.result().zeros == start.zeros);
            }
        }
}

TEST_CASE("an error in the middle leaves every matrix as it was")
{
    laws::sample const w = laws::weights(3, 20, 1);
    tunable<uniform<4>, clip_range<>> m(w.view(), {}, {}, group{10});
    auto const start = m.result();
    int calls = 0;
    bool moved = false;
    auto broken = [&](std::span<float const>, std::span<float> g)
    {
        std::fill(g.begin(), g.end(), 1.0f);
        moved = moved || m.result().codes != start.codes;
        return ++calls == 9 ? std::numeric_limits<double>::infinity() : 1.0;
    };
    CHECK_THROWS_AS(tune(std::span(&m, 1), std::span(&broken, 1), one_width(4), linear_decay{0.4f, 20}), value_error);
    CHECK(moved);
    CHECK(m.result().codes == start.codes);
    CHECK(m.result().scales == start.scales);
}
