// SPDX-License-Identifier: BSD-3-Clause
#include "../laws/scale_number.hpp"
using namespace jackplane;

TEST_CASE_TEMPLATE_INVOKE(narrow_number_law, half);
TEST_CASE_TEMPLATE_INVOKE(narrow_number_law, bfloat16);

// All of it at compile time too.
static_assert(from_float<half>(1.0f).bits == 0x3c00 && from_float<half>(-2.0f).bits == 0xc000);
static_assert(from_float<half>(65504.0f).bits == 0x7bff && from_float<half>(65519.996f).bits == 0x7bff);
static_assert(from_float<half>(65520.0f).bits == 0x7c00);
static_assert(from_float<half>(0x1p-14f).bits == 0x0400 && from_float<half>(0x1p-24f).bits == 0x0001);
static_assert(from_float<half>(0x1p-25f).bits == 0x0000 && from_float<half>(0x1.000002p-25f).bits == 0x0001);
static_assert(from_float<half>(0x1.ffcp-15f).bits == 0x0400); // midway from the last subnormal to the first normal
static_assert(from_float<half>(1 + 0x1p-11f).bits == 0x3c00 && from_float<half>(1 + 3 * 0x1p-11f).bits == 0x3c02);
static_assert(from_float<half>(-0.0f).bits == 0x8000 && to_float(half{0x8000}) == 0);
static_assert(to_float(half{0x3555}) == 0x1.554p-2f && to_float(half{0x0001}) == 0x1p-24f);

static_assert(from_float<bfloat16>(1.0f).bits == 0x3f80 && from_float<bfloat16>(-2.0f).bits == 0xc000);
static_assert(from_float<bfloat16>(1 + 0x1p-8f).bits == 0x3f80 && from_float<bfloat16>(1 + 3 * 0x1p-8f).bits == 0x3f82);
static_assert(from_float<bfloat16>(0x1.fep127f).bits == 0x7f7f && from_float<bfloat16>(0x1.ffp127f).bits == 0x7f80);
static_assert(to_float(bfloat16{0x4049}) == 3.140625f && to_float(bfloat16{0x0001}) == 0x1p-133f);

static_assert(to_float(1.5) == 1.5f && to_float(std::uint8_t{200}) == 200 && from_float<float>(0.1f) == 0.1f);
static_assert(is_finite(half{0x7bff}) && !is_finite(half{0x7c00}) && !is_finite(half{0xfe00}));
static_assert(is_finite(bfloat16{0x7f7f}) && !is_finite(bfloat16{0xff80}) && !is_finite(bfloat16{0x7fc1}));
static_assert(is_finite(3.4e38f) && is_finite(1e308) && is_finite(-0.0f));
static_assert(!is_finite(std::numeric_limits<float>::infinity()) &&
              !is_finite(std::numeric_limits<double>::quiet_NaN()));

// Storage types compute nothing and convert by name only.
template <class T>
concept computes = requires(T x) { x + x; } || requires(T x) { x < x; } || std::is_convertible_v<T, float> ||
                   std::is_convertible_v<float, T>;
static_assert(!computes<half> && !computes<bfloat16> && computes<float>);

TEST_CASE("at run time a double becomes the float nearest to it")
{
    volatile double const x = 1 + 0x1p-24 + 0x1p-50;
    CHECK(to_float(double{x}) == 1 + 0x1p-23f);
}
