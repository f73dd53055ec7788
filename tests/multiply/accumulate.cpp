// SPDX-License-Identifier: BSD-3-Clause
#include "laws/accumulator.hpp"

using namespace jackplane;
TEST_CASE_TEMPLATE_INVOKE(accumulator_law, fp32, fp64, compensated);

TEST_CASE("compensated keeps what fp32 loses")
{
    fp32::of<float> plain;
    compensated::of<float> kept;
    for (float const x : {0x1p30f, 1.0f, -0x1p30f})
    {
        plain.add(x, 1.0f);
        kept.add(x, 1.0f);
    }
    CHECK(plain.total() == 0.0f);
    CHECK(kept.total() == 1.0f);
}
