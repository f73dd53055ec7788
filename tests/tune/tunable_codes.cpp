// SPDX-License-Identifier: BSD-3-Clause
#include "problem.hpp"
#include <doctest/doctest.h>
#include <jackplane/tune/tunable_codes.hpp>
#include <cmath>
#include <span>
#include <vector>
using namespace jackplane;

namespace
{
    // Scales of minmax in groups of 32, as scales and offsets.
    struct codes_to_tune
    {
        problem p{};
        quantized<uniform<3>, float, integer_zero> q =
            quantize<float>(p.w.view(), uniform<3>{}, minmax<>{}, group{32});

        given_levels levels() const
        {
            aligned_vector<float> offsets;
            for (std::size_t i = 0; i < q.scales.size(); ++i)
                offsets.push_back(-q.scales[i] * static_cast<float>(q.zeros[i]));
            return {{0, 1, 2, 3, 4, 5, 6, 7}, 32, q.scales, offsets};
        }
        tunable_codes tunable(float reach = 0.5f) const { return {p.w.view(), levels(), q.codes, reach}; }
        double loss_of(aligned_vector<code> const& codes)
        {
            auto other = q;
            other.codes = codes;
            return p.of(other);
        }
        tune_report tuned(tunable_codes& m)
        {
            return tune(std::span(&m, 1), std::span(&p.loss, 1), one_width(3), signround_rate(200));
        }
    };
}

TEST_CASE("codes that nothing was learned of are those given, and decode to their levels")
{
    codes_to_tune const t;
    tunable_codes const m = t.tunable();
    CHECK(m.codes() == t.q.codes);
    std::vector<float> read(m.size());
    m.decode({}, read);
    for (std::size_t row = 0, i = 0; row < t.q.rows; ++row)
        for (std::size_t col = 0; col < t.q.cols; ++col, ++i)
            CHECK(read[i] == doctest::Approx(t.q.at(row, col)).epsilon(1e-6));
    // other codes that are given stay, too, where half a step leads to them
    auto moved = t.q.codes;
    moved[0] = static_cast<code>(moved[0] == 7 ? 6 : moved[0] + 1);
    tunable_codes const other(t.p.w.view(), t.levels(), moved, 2.0f);
    CHECK(other.codes() == moved);
}

TEST_CASE("tuned codes make the loss smaller, and scales stay")
{
    codes_to_tune t;
    double const before = t.loss_of(t.q.codes);
    tunable_codes m = t.tunable();
    auto const report = t.tuned(m);
    CHECK(report.before == doctest::Approx(before).epsilon(1e-5));
    CHECK(report.after < 0.7 * before);
    CHECK(report.after == doctest::Approx(t.loss_of(m.codes())).epsilon(1e-5));
    for (float const v : m.learned().offset)
        CHECK(std::abs(v) <= 0.5f);
    // as tunable does without clipping
    tunable<uniform<3>, clip_range<>, float> twin(t.p.w.view(), uniform<3>{}, clip_range<>{}, group{32});
    auto const same = t.p.tuned(twin, one_width(3), {.clip_rate = 0});
    CHECK(report.after == doctest::Approx(same.after).epsilon(0.05));
}

TEST_CASE("the slope of an offset is that of the weight, and 0 where a code is clamped or has no scale")
{
    std::vector<float> const w{0.2f, 1.4f, 9, -3, 5, 5}, g{1, -2, 3, 4, 5, 6};
    tunable_codes m({w.data(), 1, 6}, {{0, 1, 2, 3}, 4, {0.5f, 0}, {0, 5}}, aligned_vector<code>{0, 3, 3, 0, 1, 2});
    CHECK(m.codes() == aligned_vector<code>{0, 3, 3, 0, 1, 2});
    m.add_slopes({}, g, 2.0f);
    CHECK(m.slopes().offset == std::vector<float>{1, -2, 0, 0, 0, 0});
    m.add_slopes({}, g, 2.0f);
    CHECK(m.slopes().offset == std::vector<float>{2, -4, 0, 0, 0, 0});
    m.clear_slopes();
    CHECK(m.slopes().offset == std::vector<float>(6));
}

TEST_CASE("of tunable codes the result is the same for any number of threads")
{
    codes_to_tune t;
    tunable_codes one = t.tunable(), many = t.tunable();
    t.tuned(one);
    tune(std::span(&many, 1), std::span(&t.p.loss, 1), one_width(3), signround_rate(200), sign_step{}, {}, threads{5});
    CHECK(one.codes() == many.codes());
    CHECK(one.learned().offset == many.learned().offset);
}

TEST_CASE("tunable codes refuse other sizes, codes without a level, and what is not finite")
{
    codes_to_tune const t;
    auto codes = t.q.codes;
    codes[130] = 8;
    CHECK_THROWS_WITH_AS(tunable_codes(t.p.w.view(), t.levels(), codes, 0.5f, "w"),
                         "w: the code at row 1, column 30 is 8, there are 8", value_error);
    codes.pop_back();
    CHECK_THROWS_AS(tunable_codes(t.p.w.view(), t.levels(), codes), shape_error);
    laws::sample w = t.p.w;
    w.data[5] = std::nanf("");
    CHECK_THROWS_AS(tunable_codes(w.view(), t.levels(), t.q.codes), value_error);
    tunable_codes m = t.tunable();
    m.learned().offset[101] = std::nanf("");
    CHECK_THROWS_WITH_AS(m.round(), doctest::Contains("row 1, column 1 is nan"), value_error);
    m.learned().offset.resize(3);
    CHECK_THROWS_AS(m.round(), shape_error);
}
