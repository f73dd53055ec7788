// SPDX-License-Identifier: BSD-3-Clause
#include "../laws/weights.hpp"
#include <doctest/doctest.h>
#include <jackplane/tune/tunable.hpp>
#include <cmath>
#include <functional>
#include <span>
#include "../laws/broken_codes.hpp"
using namespace jackplane;

namespace
{
    // What a group's scale and zero are for a learned pair, in double and without rounding to storage, as the papers
    // have them: the tests' own.
    struct exact_scale
    {
        double scale, zero;
    };
    using scale_of = std::function<exact_scale(double low, double high, double first, double second)>;

    double part_of(fraction, double p) { return p; }
    double part_of(sigmoid, double p) { return 1 / (1 + std::exp(-p)); }

    template <class Part>
    scale_of asymmetric(double first_code, double last_code)
    {
        return [=](double low, double high, double a, double b)
        {
            double const l = low * part_of(Part{}, a), h = high * part_of(Part{}, b);
            double const s = (h - l) / (last_code - first_code);
            return exact_scale{s, first_code - l / s};
        };
    }
    template <class Part>
    scale_of signed_range(double bits) // AutoRound's full-range symmetric mode
    {
        return [=](double low, double high, double a, double b)
        {
            double const l = low * part_of(Part{}, a), h = high * part_of(Part{}, b), half = std::exp2(bits - 1);
            return exact_scale{(h < -l ? l : h) / -half, half};
        };
    }
    template <class Part>
    scale_of gptq_range(double bits)
    {
        return [=](double low, double high, double a, double b)
        {
            double const r = std::max(-low * part_of(Part{}, a), high * part_of(Part{}, b));
            return exact_scale{2 * r / (std::exp2(bits) - 1), std::exp2(bits - 1)};
        };
    }

    scale_of adjusted(double first_code,
                      double last_code) // of the range of a group, by a factor and a part of the codes
    {
        return [=](double low, double high, double factor, double moved)
        {
            double const range = last_code - first_code, s = (high - low) / range;
            return exact_scale{s * factor, first_code - low / s + moved * range};
        };
    }

    // Every slope against the central difference of  sum g w^  with what rounding added held fixed, and codes that were
    // clamped held where they are. All in double.
    template <linear_codebook C, class K, slice Slice = truncate_centred>
    void check_slopes(K clip, scale_of const& scales, unsigned bits = C::bits, Slice rule = {}, float unit = 1,
                      learns what = learns::offsets)
    {
        constexpr std::size_t rows = 5, cols = 70, columns = 32, groups = 3;
        laws::sample const w = laws::weights(rows, cols, 3), g = laws::weights(rows, cols, 4),
                           v = laws::weights(rows, cols, 6);
        tunable<C, K, float> m(w.view(), C{}, clip, group{columns}, {.reach = {unit, 0.5f}, .what = what});
        for (std::size_t i = 0; i < rows * cols; ++i)
            m.learned().offset[i] = what == learns::offsets ? 0.1f * v.data[i] : 0.02f * v.data[i];
        for (std::size_t i = 0; i < rows * groups; ++i)
        {
            m.learned().first[i] = K::initial().first * (0.99f - 0.02f * static_cast<float>(i));
            m.learned().second[i] = K::initial().second * (0.7f + 0.015f * static_cast<float>(i));
        }
        m.limit();
        m.round();
        m.clear_slopes();
        auto const reading = code_reading::of(C{}, rule, bits);
        m.add_slopes(reading, g.data, 0.5f);
        m.add_slopes(reading, g.data, 1.5f); // slopes add up

        auto const& learned = m.learned();
        double worst = 0, size = 0;
        std::size_t clamped = 0;
        for (std::size_t row = 0; row < rows; ++row)
            for (std::size_t n = 0; n < groups; ++n)
            {
                std::size_t const at = row * groups + n, left = n * columns, right = std::min(left + columns, cols);
                double low = 0, high = 0;
                for (std::size_t c = left; c < right; ++c)
                {
                    low = std::min<double>(low, w.data[row * cols + c]);
                    high = std::max<double>(high, w.data[row * cols + c]);
                }
                double const a0 = learned.first[at], b0 = learned.second[at];
                exact_scale const now = scales(low, high, a0, b0);
                CHECK(double{to_float(m.result().scales[at])} == doctest::Approx(now.scale).epsilon(1e-5));
                double const stored_zero = m.result().zero_at(row, left), zero_off = stored_zero - now.zero;
                auto const position_of = [&](std::size_t i, double scale, double zero, double by)
                {
                    double const x = learned.offset[i] + by;
                    return what == learns::weights ? (w.data[i] + x) / scale + zero
                                                   : w.data[i] / scale + zero + C::step * unit * x;
                };
                // sum of g w^ over the group, offset k moved by `by`
                auto const value = [&](double a, double b, std::size_t k, double by)
                {
                    exact_scale const s = scales(low, high, a, b);
                    double const zero = s.zero + zero_off;
                    double sum = 0;
                    for (std::size_t c = left; c < right; ++c)
                    {
                        std::size_t const i = row * cols + c;
                        double const wanted = position_of(i, now.scale, stored_zero, 0);
                        double const held = (wanted - C::base) / C::step;
                        code const q = m.result().codes[i];
                        bool const inside = std::nearbyint(held) == q && reading.moves[q];
                        double const frozen = reading.value[q] - wanted; // what rounding and slicing added
                        double const moved = position_of(i, s.scale, zero, c == k ? by : 0);
                        sum += g.data[i] * s.scale * ((inside ? moved + frozen : reading.value[q]) - zero);
                        clamped += !inside && c == k;
                    }
                    return 2 * sum; // 0.5 + 1.5
                };
                auto const check = [&](double slope, double h, auto const& f)
                {
                    double const expected = (f(h) - f(-h)) / (2 * h);
                    worst = std::max(worst, std::abs(slope - expected));
                    size = std::max(size, std::abs(expected));
                };
                check(m.slopes().first[at], 1e-6, [&](double h) { return value(a0 + h, b0, cols, 0); });
                check(m.slopes().second[at], 1e-6, [&](double h) { return value(a0, b0 + h, cols, 0); });
                for (std::size_t c = left; c < right; c += 5)
                    check(m.slopes().offset[row * cols + c], 1e-3, [&](double h) { return value(a0, b0, c, h); });
            }
        CHECK(size > 0.1);
        CHECK(worst < 1e-4 * size); // floats against double
        CHECK(clamped > 0);         // both kinds were seen
    }
}

TEST_CASE("slopes of offsets and of both ends of the range are those of frozen rounding")
{
    check_slopes<uniform<4>>(clip_range<>{}, asymmetric<fraction>(0, 15));
    check_slopes<uniform<2>>(clip_range<>{}, asymmetric<fraction>(0, 3));
    check_slopes<uniform<3>>(clip_range<minmax<real_zero>>{}, asymmetric<fraction>(0, 7));
    check_slopes<uniform<4>>(clip_range<minmax<>, sigmoid>{}, asymmetric<sigmoid>(0, 15));
    check_slopes<uniform<2, 8>>(clip_range<>{}, asymmetric<fraction>(31.5, 31.5 + 192)); // a prefix of 8 bits
    check_slopes<uniform<4>>(clip_range<full_range>{}, signed_range<fraction>(4));
    check_slopes<uniform<2>>(clip_range<full_range, sigmoid>{}, signed_range<sigmoid>(2));
    check_slopes<uniform<3>>(clip_range<gptq_symmetric>{}, gptq_range<fraction>(3));
    check_slopes<uniform<4>>(adjust_scale<minmax<>, true>{}, adjusted(0, 15));
    check_slopes<uniform<2, 8>>(adjust_scale<minmax<real_zero>, true>{}, adjusted(31.5, 31.5 + 192));
}

TEST_CASE("so they are for codes that are read at fewer bits, by any slice")
{
    for (unsigned const bits : {8u, 4u, 2u, 1u})
    {
        check_slopes<uniform<8>>(clip_range<>{}, asymmetric<fraction>(0, 255), bits, truncate_centred{}, 64);
        check_slopes<uniform<8>>(clip_range<>{}, asymmetric<fraction>(0, 255), bits, extra_precision{}, 64);
        check_slopes<uniform<8>>(clip_range<>{}, asymmetric<fraction>(0, 255), bits, round_clamp{}, 64);
    }
}

TEST_CASE("and those of weights that learn")
{
    auto const check = [](auto book, auto clip, scale_of const& scales, unsigned bits)
    {
        using C = decltype(book);
        check_slopes<C, decltype(clip), truncate_centred>(clip, scales, bits, {}, 1, learns::weights);
    };
    check(uniform<4>{}, clip_range<>{}, asymmetric<fraction>(0, 15), 4);
    check(uniform<2, 8>{}, clip_range<>{}, asymmetric<fraction>(31.5, 31.5 + 192), 2);
    check(uniform<8>{}, clip_range<full_range>{}, signed_range<fraction>(8), 2);
    check(uniform<2, 8>{}, adjust_scale<minmax<>, true>{}, adjusted(31.5, 31.5 + 192), 2);
}

TEST_CASE("codes that stay: only the scales learn, along the sum of what each code is worth")
{
    laws::sample const w = laws::weights(4, 70, 3), g = laws::weights(4, 70, 4);
    auto const q = quantize<float>(w.view(), uniform<2, 8>{}, minmax<>{}, group{32});
    tunable<uniform<2, 8>, adjust_scale<minmax<>>, float> m(w.view(), q, {});
    CHECK(m.result().codes == q.codes);
    CHECK(m.result().scales == q.scales);
    auto const reading = code_reading::of(uniform<2, 8>{}, truncate_centred{}, 2);
    m.clear_slopes();
    m.add_slopes(reading, g.data, 1);
    for (float const slope : m.slopes().offset)
        CHECK(slope == 0);
    for (std::size_t at = 0; at < q.scales.size(); ++at)
    {
        double expected = 0; // w^ = factor scale (decode(code) - zero)
        for (std::size_t col = at % 3 * 32; col < std::min<std::size_t>(at % 3 * 32 + 32, 70); ++col)
            expected += double{g.view()(at / 3, col)} * double{q.at(at / 3, col)};
        CHECK(m.slopes().first[at] == doctest::Approx(expected).epsilon(1e-4).scale(1));
        m.learned().first[at] = 0.75f;
    }
    m.round();
    CHECK(m.result().codes == q.codes);
    CHECK(m.result().zeros == q.zeros);
    for (std::size_t at = 0; at < q.scales.size(); ++at)
        CHECK(m.result().scales[at] == 0.75f * q.scales[at]);
    laws::sample const other = laws::weights(4, 71, 3);
    CHECK_THROWS_WITH_AS((tunable<uniform<2, 8>, adjust_scale<minmax<>>, float>(other.view(), q, {}, {.name = "up"})),
                         "up: 4 x 71, but codes of 4 x 70", shape_error);
}

template <class T>
concept has_a_reference = requires(T&& m) { requires std::is_reference_v<decltype(std::forward<T>(m).result())>; } ||
                          requires(T&& m) { requires std::is_reference_v<decltype(std::forward<T>(m).learned())>; } ||
                          requires(T&& m) { requires std::is_reference_v<decltype(std::forward<T>(m).slopes())>; };
using some_tunable = tunable<uniform<4>, clip_range<>>;
static_assert(has_a_reference<some_tunable&> && has_a_reference<some_tunable const&> && !has_a_reference<some_tunable>);

TEST_CASE("scales: as they are first, half holds them or it is an error; learned ones go no further than it does")
{
    laws::sample w = laws::weights(2, 16, 1, 1);
    for (std::size_t col = 8; col < 16; ++col)
        w.data[col] = 0; // group 1 of row 0
    for (std::size_t i = 0; i < w.data.size(); ++i)
        w.data[i] = std::clamp(w.data[i], -1.0f, 1.0f);
    w.data[0] = w.data[16] = w.data[24] = 1;
    for (float& x : w.data)
        x *= 15 * 0x1.8p-14f; // scales of at least 1.5 * 2^-14, twice that where there are negative weights as large
    some_tunable m(w.view(), {}, {}, group{8});
    for (float const part : {0.5f, 0.0f})
    {
        std::fill(m.learned().first.begin(), m.learned().first.end(), part);
        std::fill(m.learned().second.begin(), m.learned().second.end(), part);
        m.round();
        for (std::size_t i = 0; i < 4; ++i)
            CHECK((i == 1 ? m.result().scales[i].bits == 0 : is_normal(m.result().scales[i])));
    }
    CHECK(to_float(m.result().scales[0]) == 0x1p-14f); // it can still be learned
    for (float& x : w.data)
        x *= 0.25f;
    CHECK_THROWS_WITH_AS(some_tunable(w.view(), {}, {}, group{8}, {.name = "up"}),
                         doctest::Contains(" of group 0 in row 0 is below the smallest normal half"), value_error);
    CHECK_NOTHROW(tunable<uniform<4>, clip_range<>, bfloat16>(w.view(), {}, {}, group{8}));
}

TEST_CASE("what anybody may have filled in is looked at first")
{
    laws::sample const w = laws::weights(3, 10, 1);
    using trained = tunable<uniform<4>, adjust_scale<minmax<>>>;
    laws::refuses_broken_codes<uniform<4>, half, integer_zero>(
        "up", [&](auto const& q) { trained(w.view(), q, {}, {.name = "up"}); });
    laws::refuses_broken_codes<uniform<2, 4>, half, integer_zero>("up", [&](auto const& q)
    {
        tunable<uniform<4>, clip_range<>>({q.rows * q.cols == 30 ? w.data.data() : nullptr, q.rows, q.cols}, {},
                                          leading_bits<half, integer_zero>{2, q.grid, q.codes, q.scales, q.zeros},
                                          {.name = "up"});
    });
    some_tunable m(w.view(), {}, {}, group{4}, {.name = "up"});
    aligned_vector<code> codes(30, 3);
    codes[17] = 16;
    CHECK_THROWS_WITH_AS(m.start_from(codes), "up: the code at row 1, column 7 is 16, the largest of 4 bits is 15",
                         value_error);
    auto const good = m.learned();
    m.learned().offset[12] = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_WITH_AS(m.round(), "up: the learned offset at row 1, column 2 is nan", value_error);
    m.learned() = good;
    m.learned().first.pop_back();
    CHECK_THROWS_WITH_AS(m.round(), doctest::Contains("but 30 learned offsets and 8 and 9 numbers of groups"),
                         shape_error);
    m.learned() = good;
    m.learned().offset.clear();
    CHECK_THROWS_AS(m.round(), shape_error);
    CHECK_THROWS_AS(some_tunable({w.data.data(), 3, 10, 9}, {}, {}, group{4}), shape_error);
    CHECK_THROWS_AS(some_tunable({nullptr, 3, 10}, {}, {}, group{4}), shape_error);
}
