// SPDX-License-Identifier: BSD-3-Clause
#include "../laws/weights.hpp"
#include <doctest/doctest.h>
#include <jackplane/quantize/overlapping.hpp>
#include <jackplane/tune/tunable.hpp>
#include <algorithm>
#include <cmath>
#include <vector>
using namespace jackplane;

namespace
{
    using range_of_parent = clip_range<parent_scale<minmax<>>>;

    struct two_bits // tuned: every third weight was moved to the neighbour of its cell
    {
        static constexpr std::size_t rows = 5, cols = 70;
        laws::sample w = laws::weights(rows, cols, 11);
        tunable<uniform<2, 8>, range_of_parent> of{w.view(), {}, {}, group{32}};

        two_bits()
        {
            for (std::size_t i = 0; i < w.data.size(); ++i)
                of.learned().offset[i] = i % 3 == 0 ? 0.5f : i % 3 == 1 ? -0.25f : 0;
            of.round();
        }
        // Weight i in steps of the parent.
        float place(std::size_t i) const
        {
            auto const& q = of.result();
            std::size_t const row = i / cols, col = i % cols;
            float const scale = q.scale_at(row, col);
            return scale == 0 ? q.zero_at(row, col) : w.data[i] / scale + q.zero_at(row, col);
        }
    };

    template <class Inner, class Coarse>
    auto inside_of_codes(two_bits const& base, Coarse const& coarse)
    {
        return tunable<Inner, range_of_parent>(base.w.view(), {}, leading(coarse));
    }

    // Codes keep the leading bits of `coarse` and are the nearest of those that do. Their mean distance.
    template <class C, class Coarse>
    double check_nearest_inside(two_bits const& base, quantized<C, half, integer_zero> const& q, Coarse const& coarse)
    {
        constexpr unsigned finer = C::bits - Coarse::codebook_type::bits;
        double sum = 0;
        for (std::size_t i = 0; i < q.codes.size(); ++i)
        {
            unsigned const first = unsigned{coarse.codes[i]} << finer;
            CHECK((q.codes[i] >> finer) == coarse.codes[i]);
            float least = 1e9f;
            for (unsigned k = first; k < first + (1u << finer); ++k)
                least = std::min(least, std::abs(base.place(i) - C::decode(static_cast<code>(k))));
            float const distance = std::abs(base.place(i) - C::decode(q.codes[i]));
            CHECK(distance <= least + 1e-3f);
            sum += distance;
        }
        return sum / static_cast<double>(q.codes.size());
    }
}

TEST_CASE("tunable: inside leading bits, codes of an overlapping parent are the nearest, at each stage nearer")
{
    two_bits const base;
    auto const& two = base.of.result();
    auto const three = inside_of_codes<overlapping<3>>(base, two);
    double const at_3 = check_nearest_inside(base, three.result(), two);
    auto const four = inside_of_codes<overlapping<4>>(base, three.result());
    double const at_4 = check_nearest_inside(base, four.result(), three.result());
    auto const five = inside_of_codes<overlapping<5>>(base, four.result());
    check_nearest_inside(base, five.result(), four.result());
    auto const eight = inside_of_codes<overlapping<8>>(base, four.result());
    double const at_8 = check_nearest_inside(base, eight.result(), four.result());
    CHECK(at_4 < 0.75 * at_3);
    CHECK(at_8 < 0.5 * at_4);

    // A weight just outside the cell of its 2 bits, which uniform<8> cannot have back, is found to half a step.
    auto const divided = inside_of_codes<uniform<8>>(base, two);
    CHECK(at_8 < check_nearest_inside(base, divided.result(), two));
    std::size_t found = 0;
    for (std::size_t i = 0; i < two.codes.size(); ++i)
    {
        float const edge = static_cast<float>(two.codes[i] * 64) - 0.5f, at = base.place(i);
        float const outside = std::max(edge - at, at - (edge + 64));
        if (outside <= 0 || outside > 4)
            continue;
        ++found;
        CHECK(std::abs(at - overlapping<8>::decode(eight.result().codes[i])) <= overlapping<8>::step_at(8) / 2);
    }
    CHECK(found > 5);
}

TEST_CASE("tunable: codes of an overlapping parent start from codes that are given, and offsets move them")
{
    two_bits const base;
    auto const& two = base.of.result();
    auto four = inside_of_codes<overlapping<4>>(base, two);
    auto wanted = four.result().codes;
    for (std::size_t i = 0; i < wanted.size(); ++i)
        wanted[i] = static_cast<code>(two.codes[i] * 4 + i % 4);
    tunable<overlapping<4>, range_of_parent> far(base.w.view(), {}, leading(two),
                                                 {.reach = offset_reach::cell_of(2, 4)});
    far.start_from(wanted);
    CHECK(far.result().codes == wanted);
}

TEST_CASE("code_reading: an overlapping parent is read by its leading bits alone")
{
    for (unsigned q = 0; q < 256; ++q)
    {
        CHECK(code_reading::of(overlapping<8>{}, truncate_centred{}, 2).value[q] ==
              uniform<2, 8>::decode(static_cast<code>(q >> 6)));
        CHECK(code_reading::of(overlapping<8>{}, truncate_centred{}, 4).value[q] ==
              overlapping<4>::decode(static_cast<code>(q >> 4)));
    }
    CHECK_THROWS_AS(code_reading::of(overlapping<8>{}, round_clamp{}, 4), value_error);
    CHECK_THROWS_AS(code_reading::of(overlapping<8>{}, truncate_centred{}, 9), width_error);
}

TEST_CASE("tunable: inside leading bits, scales and zeros may learn from where they are")
{
    using adjusts = adjust_scale<minmax<>, true>;
    two_bits const base;
    auto const& two = base.of.result();
    tunable<overlapping<4>, adjusts> four(base.w.view(), {}, leading(two), adjusts{});
    CHECK(four.result().scales == two.scales);
    CHECK(four.result().zeros == two.zeros);
    for (float& factor : four.learned().first)
        factor = 1.25f;
    for (float& moved : four.learned().second)
        moved = 10 / (overlapping<4>::decode(15) - overlapping<4>::decode(0));
    four.limit();
    four.round();
    for (std::size_t i = 0; i < two.scales.size(); ++i)
    {
        int const moved = to_float(two.scales[i]) == 0 ? 0 : 10;
        CHECK(four.result().zeros[i] == std::min(two.zeros[i] + moved, 255));
    }
    for (std::size_t i = 0; i < two.codes.size(); ++i)
    {
        std::size_t const row = i / base.cols, col = i % base.cols;
        CHECK((four.result().codes[i] >> 2) == two.codes[i]);
        CHECK(four.result().scale_at(row, col) == doctest::Approx(1.25f * two.scale_at(row, col)).epsilon(1e-3));
    }
    auto const reading = four.reading(truncate_centred{}, 4);
    std::vector<float> const g(four.size(), 1.0f);
    four.add_slopes(reading, g, 1);
    CHECK(std::any_of(four.slopes().second.begin(), four.slopes().second.end(), [](float x) { return x != 0; }));
}
