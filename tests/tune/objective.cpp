// SPDX-License-Identifier: BSD-3-Clause
// Several widths of one matrix: a finer one inside a coarser, joint objectives, co-distillation.
#include "problem.hpp"
#include <doctest/doctest.h>
#include <array>
#include <span>
#include <vector>
using namespace jackplane;

TEST_CASE("finer codes are learned inside the cells of coarser ones: every prefix stays what it was")
{
    problem p;
    tunable<uniform<2, 8>, clip_range<>> two(p.w.view(), {}, {}, group{32});
    p.tuned(two, one_width(2));
    double const at_two = p.of(two.result());
    tunable<uniform<4, 8>, clip_range<>> four(p.w.view(), {}, leading(two.result()),
                                              {.reach = offset_reach::cell_of(2, 4)});
    double const nearest_inside = p.of(four.result());
    p.tuned(four, one_width(4));
    tunable<uniform<8>, clip_range<>> eight(p.w.view(), {}, leading(four.result()),
                                            {.reach = offset_reach::cell_of(4, 8)});
    p.tuned(eight, one_width(8));
    auto const& parent = eight.result();
    CHECK(parent.scales == two.result().scales);
    CHECK(parent.zeros == two.result().zeros);
    for (std::size_t i = 0; i < parent.codes.size(); ++i)
    {
        CHECK((parent.codes[i] >> 4) == four.result().codes[i]);
        CHECK((parent.codes[i] >> 6) == two.result().codes[i]);
    }
    CHECK(p.of(four.result()) < 0.8 * nearest_inside);
    CHECK(p.of(four.result()) < at_two);
    CHECK(p.of(parent) < p.of(four.result()));
    // and the parent's planes read at 2 bits are the coarse matrix
    std::vector<float> read(p.w.data.size());
    eight.decode(code_reading::of(uniform<8>{}, truncate_centred{}, 2), read);
    CHECK(p.loss(read, {}) == at_two);
    laws::sample const other = laws::weights(24, 99, 1);
    using T = tunable<uniform<4, 8>, clip_range<>>;
    CHECK_THROWS_WITH_AS(T(other.view(), {}, leading(two.result()), {.name = "up"}),
                         "up: 24 x 99 in 4 groups of 32, but 2400 codes, 96 scales and 96 zeros", shape_error);
    CHECK_THROWS_WITH_AS(T(p.w.view(), {}, leading(four.result()), {.name = "up"}),
                         "up: codes of 4 bits inside codes of 4", width_error);
}

TEST_CASE("a joint objective trades widths, and only a reach of half a narrow step moves the narrow codes")
{
    problem p;
    auto const losses = [&](offset_reach reach, std::vector<objective_term> terms)
    {
        tunable<uniform<8>, clip_range<>> m(p.w.view(), {}, {}, group{32}, {.reach = reach});
        p.tuned(m, objective{terms, truncate_centred{}});
        std::vector<float> read(p.w.data.size());
        std::array<double, 2> of{};
        for (std::size_t i = 0; i < 2; ++i)
        {
            m.decode(code_reading::of(uniform<8>{}, truncate_centred{}, i == 0 ? 8 : 2), read);
            of[i] = p.loss(read, {});
        }
        return of;
    };
    auto const narrow = offset_reach::half_step_of(2, 8), small = offset_reach{};
    CHECK(narrow.unit == 64);
    auto const sliced = losses(small, {{8, 1}}), hardly = losses(small, {{8, .1f}, {2, 1}}),
               joint = losses(narrow, {{8, .1f}, {2, 1}}), single = losses(narrow, {{2, 1}});
    CHECK(joint[1] < sliced[1]);
    CHECK(joint[1] < hardly[1]);
    CHECK(single[0] > joint[0]); // nobody asked for 8 bits
    CHECK(hardly[0] < joint[0]);
}

namespace
{
    struct taught // the squared distance to its target, or to what teaches it
    {
        std::vector<float> target, teacher{};
        std::size_t lessons = 0;

        void teach(std::span<float const> w)
        {
            teacher.assign(w.begin(), w.end());
            lessons += !w.empty();
        }
        double operator()(std::span<float const> w, std::span<float> g)
        {
            auto const& wanted = teacher.empty() ? target : teacher;
            double sum = 0;
            for (std::size_t i = 0; i < w.size(); ++i)
            {
                float const off = w[i] - wanted[i];
                sum += double{off} * double{off};
                if (!g.empty())
                    g[i] = 2 * off;
            }
            return sum;
        }
    };
}

TEST_CASE("co-distillation: a narrow width learns what a wider one gives, and that is held fixed")
{
    laws::sample const w = laws::weights(8, 64, 1), other = laws::weights(8, 64, 7);
    taught f{{other.data.begin(), other.data.end()}};
    using matrix = tunable<uniform<8>, clip_range<>>;
    auto const reach = offset_reach::half_step_of(2, 8);
    auto const distance = [&](unsigned teacher)
    {
        matrix m(w.view(), {}, {}, group{32}, {.reach = reach});
        objective<> const goal{{{8, 0}, {2, 1, teacher}}, {}};
        tune_options options;
        options.clip_rate = 0;
        tune(std::span(&m, 1), std::span(&f, 1), goal, signround_rate(50), sign_step{}, options);
        std::vector<float> narrow(w.data.size());
        m.decode(code_reading::of(uniform<8>{}, truncate_centred{}, 2), narrow);
        f.teach({});
        return f(narrow, {});
    };
    double const alone = distance(0);
    CHECK(f.lessons == 0);
    double const by_wide = distance(8); // the codes stay near their own 8 bits, far from the target
    CHECK(f.lessons >= 52);
    CHECK(alone < 0.9 * by_wide);

    matrix m(w.view(), {}, {}, group{32});
    objective<> const nobody{{{2, 1, 4}}, {}};
    CHECK_THROWS_WITH_AS(tune(std::span(&m, 1), std::span(&f, 1), nobody, signround_rate(5)),
                         "tune: 2 bits are distilled from 4, which no term has", width_error);
    problem p;
    matrix of_layer(p.w.view(), {}, {}, group{32});
    objective<> const pupil{{{8, 1}, {2, 1, 8}}, {}};
    CHECK_THROWS_WITH_AS(p.tuned(of_layer, pupil), "tune: the loss cannot be distilled from 8 bits", value_error);
}
