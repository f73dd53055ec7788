// SPDX-License-Identifier: BSD-3-Clause
#include "../laws/clipping.hpp"
#include "../laws/rate_schedule.hpp"
#include "../laws/update_step.hpp"
using namespace jackplane;
using laws::clipping_of;

TYPE_TO_STRING_AS("sign_step", sign_step);
TYPE_TO_STRING_AS("adam", adam);
TYPE_TO_STRING_AS("constant", constant);
TYPE_TO_STRING_AS("linear_decay", linear_decay);
TYPE_TO_STRING_AS("cosine", cosine);

TEST_CASE_TEMPLATE_INVOKE(update_step_law, sign_step, adam);
TEST_CASE_TEMPLATE_INVOKE(rate_schedule_law, constant, linear_decay, cosine);
TEST_CASE_TEMPLATE_INVOKE(clipping_law, clipping_of<uniform<4>, clip_range<>>,
                          clipping_of<uniform<2>, clip_range<minmax<real_zero>>>,
                          clipping_of<uniform<2, 8>, clip_range<minmax<real_zero>, sigmoid>>);
TEST_CASE_TEMPLATE_INVOKE(clipping_law, clipping_of<uniform<4>, clip_range<full_range>>,
                          clipping_of<uniform<3>, clip_range<gptq_symmetric, sigmoid>>,
                          clipping_of<uniform<4>, clip_range<absmax>>);
TEST_CASE_TEMPLATE_INVOKE(clipping_law, clipping_of<uniform<2>, adjust_scale<mse_search<full_range>>>,
                          clipping_of<uniform<4>, adjust_scale<minmax<real_zero>, true>>,
                          clipping_of<uniform<4>, adjust_scale<minmax<>>>);
TEST_CASE_TEMPLATE_INVOKE(clipping_law, clipping_of<uniform<2, 8>, clip_range<parent_scale<minmax<real_zero>>>>,
                          clipping_of<uniform<3, 8>, clip_range<parent_scale<full_range>, sigmoid>>);

TEST_CASE("SignRound's rate lets an offset just reach half a step")
{
    for (std::size_t const steps : {1u, 50u, 200u, 1000u})
    {
        double sum = 0;
        for (std::size_t k = 0; k < steps; ++k)
            sum += signround_rate(steps)(k);
        CHECK(sum == doctest::Approx(0.5 * (1 + 1.0 / static_cast<double>(steps))).epsilon(1e-5));
    }
    CHECK(signround_rate(0).steps == 0);
}

TEST_CASE("Adam's first steps are those of its paper")
{
    adam step(0.9f, 0.99f, 0);
    std::vector<float> v{1};
    step(v, std::vector<float>{2}, 0.5f); // both moments corrected: the sign of the gradient
    CHECK(v[0] == doctest::Approx(0.5));
    step(v, std::vector<float>{-1}, 0.5f);
    double const mean = (0.9 * 0.1 * 2 - 0.1) / (1 - 0.81), square = (0.99 * 0.01 * 4 + 0.01) / (1 - 0.9801);
    CHECK(v[0] == doctest::Approx(0.5 - 0.5 * mean / std::sqrt(square)).epsilon(1e-5));
}
