// SPDX-License-Identifier: BSD-3-Clause
#include "laws/activation.hpp"

using namespace jackplane;
TEST_CASE_TEMPLATE_INVOKE(activation_law, exact);

TEST_CASE("16-bit x is prepared as the floats it stands for")
{
    auto check = []<class T>(T)
    {
        std::vector<T> x;
        std::vector<float> same;
        for (float const v : laws::vector(129, laws::input::outlier, 1))
        {
            x.push_back(from_float<T>(v));
            same.push_back(to_float(x.back()));
        }
        limbs<2>::prepared narrow, wide;
        limbs<2>{}.prepare(std::span<T const>(x), narrow);
        limbs<2>{}.prepare(same, wide);
        CHECK(laws::same_limbs<2>(narrow.view(), wide.view()));
        exact::prepared a, b;
        exact::prepare(std::span<T const>(x), a);
        exact::prepare(same, b);
        CHECK(laws::same_bits({a.view().x, 160}, {b.view().x, 160}));
        CHECK(laws::same_bits({a.view().sums, 5}, {b.view().sums, 5}));
    };
    check(half{});
    check(bfloat16{});
}

template <class P>
concept has_views = requires(P&& p) { std::forward<P>(p).view(); } || requires(P&& p) { std::forward<P>(p).floats(); };
static_assert(has_views<exact::prepared&> && has_views<limbs<2>::prepared const&> && has_views<bf16::prepared&>);
static_assert(!has_views<exact::prepared> && !has_views<limbs<2>::prepared> && !has_views<bf16::prepared>);
