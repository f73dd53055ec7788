// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>
#include <jackplane/core/storage.hpp>
#include <limits>
using namespace jackplane;

// The smallest normal number and the largest, and the nearest numbers that round to something else.
static_assert(holds<half>(0x1p-14f) && holds<half>(-0x1.ffcp-15f) && !holds<half>(0x1.ff7p-15f));
static_assert(holds<half>(65519.0f) && !holds<half>(65520.0f) && holds<half>(0.0f) && holds<half>(-0.0f));
static_assert(holds<bfloat16>(0x1p-126f) && !holds<bfloat16>(0x1p-127f) && holds<bfloat16>(0x1.fep127f));
static_assert(!holds<bfloat16>(0x1.ffp127f) && holds<float>(0x1.ffp127f) && !holds<float>(0x1p-127f));
static_assert(!holds<half>(std::numeric_limits<float>::quiet_NaN()));
static_assert(!holds<float>(std::numeric_limits<float>::infinity()));
static_assert(smallest_normal<half> == to_float(half{0x0400}) && largest_finite<half> == to_float(half{0x7bff}));
static_assert(smallest_normal<bfloat16> == to_float(bfloat16{0x0080}));
static_assert(largest_finite<bfloat16> == to_float(bfloat16{0x7f7f}));
static_assert(smallest_normal<float> == std::numeric_limits<float>::min());
static_assert(largest_finite<float> == std::numeric_limits<float>::max());
static_assert(nearest_held<half>(-1e-9f) == -0x1p-14f && nearest_held<half>(1e9f) == 65504);
static_assert(nearest_held<half>(0.3f) == 0.3f && nearest_held<half>(0.0f) == 0x1p-14f);

TEST_CASE("why a type does not hold a number, and which one does")
{
    CHECK(why_not_held<half>(1e-9f) ==
          " is below the smallest normal half, 6.10351562e-05; bfloat16 or float holds it");
    CHECK(why_not_held<half>(-1e6f) == " is above the largest half, 65504; bfloat16 or float holds it");
    CHECK(why_not_held<half>(3.4e38f) == " is above the largest half, 65504; float holds it");
    CHECK(why_not_held<bfloat16>(3.4e38f) == " is above the largest bfloat16, 3.38953139e+38; float holds it");
    CHECK(why_not_held<float>(1e-40f) ==
          " is below the smallest normal float, 1.17549435e-38; no type holds it: scale the weights");
    CHECK(why_not_held<half>(0) ==
          " is below the smallest normal half, 6.10351562e-05; no type holds it: scale the weights");
    CHECK(why_not_held<half>(std::numeric_limits<float>::quiet_NaN()) == " is not a number");
}
