// SPDX-License-Identifier: BSD-3-Clause
#include <cmath>
#include <limits>
#include <string>
#include <doctest/doctest.h>
#include <jackplane/quantize/quantize.hpp>
#include "../laws/weights.hpp"
using namespace jackplane;

namespace
{
    template <class Q>
    bool same_bytes(Q const& a, Q const& b)
    {
        return a.codes == b.codes && a.scales == b.scales && a.zeros == b.zeros;
    }
    template <class C, class Z>
    struct fixed // the scale and zero of an earlier quantization
    {
        using zero_type = Z;
        scale_and_zero known;
        scale_and_zero operator()(std::span<float const>, C const&, std::span<float const>) const { return known; }
    };
    template <codebook C, class P>
    struct with
    {
        using book = C;
        using policy = P;
    };

    // The definition: codes from the scale and zero as they are stored, each the nearest value there is.
    // Rounded on the way: w / scale, + zero, coordinate (3 u size cells, laws/codebook.hpp), each u = 2^-24 of at most
    // size + |zero| or |w / scale| + |zero| cells; a tie may so fall to the value that is farther by twice that.
    template <class Q>
    std::size_t not_nearest(Q const& q, matrix_view<float const> w)
    {
        using C = typename Q::codebook_type;
        std::size_t wrong = 0;
        for (std::size_t row = 0; row < w.rows; ++row)
            for (std::size_t col = 0; col < w.cols; ++col)
            {
                double const s = q.scale_at(row, col), zero = q.zero_at(row, col), x = w(row, col);
                auto error = [&](unsigned k) { return std::abs(x - s * (q.book.decode(static_cast<code>(k)) - zero)); };
                double least = error(0), cell = 0;
                for (unsigned k = 1; k < C::size; ++k)
                {
                    least = std::min(least, error(k));
                    cell = std::max<double>(cell, q.book.decode(static_cast<code>(k)) -
                                                      q.book.decode(static_cast<code>(k - 1)));
                }
                double const reached = std::abs(s) * (C::size + std::abs(zero)) + std::abs(x);
                double const slack = 12 * 0x1p-24 * reached * std::max(1.0, cell);
                wrong += !(error(q.codes[row * w.cols + col]) <= least + slack);
                // at() itself rounds decode - zero and the product.
                float const decoded = q.at(row, col);
                wrong += !(std::abs(decoded - s * (q.book.decode(q.codes[row * w.cols + col]) - zero)) <= slack);
            }
        return wrong;
    }
}

TEST_CASE_TEMPLATE("codes are the nearest to w in the scale as it is stored; ragged shapes", T,
                   with<uniform<8>, absmax>, with<uniform<4>, full_range>, with<uniform<3>, minmax<integer_zero>>,
                   with<nf4, minmax<real_zero>>)
{
    for (auto const [rows, cols] : laws::ragged_shapes)
    {
        if (rows * cols > 20000)
            continue;
        laws::sample const w = laws::weights(rows, cols, rows * 1000 + cols);
        for (group const g : {group{1}, group{7}, group{16}, group{64}, group::per_row(), group::per_tensor()})
        {
            if (g.columns == 1 && rows * cols > 2000)
                continue;
            // bfloat16: rounding moves a scale by up to 2^-9 of it, so codes from the exact one would be visibly wrong
            auto const q = quantize<bfloat16>(w.view(), typename T::book{}, typename T::policy{}, g);
            CHECK(q.rows == rows);
            CHECK(q.cols == cols);
            CHECK(q.codes.size() == rows * cols);
            CHECK(q.scales.size() == (g.whole_tensor ? 1 : rows * ceil_div(cols, g.columns)));
            CHECK(not_nearest(q, w.view()) == 0);
        }
    }
}

TEST_CASE("the scale of a group is the policy's, rounded to its storage type, and sees that group alone")
{
    laws::sample const w = laws::weights(6, 45, 3);
    for (std::size_t const columns : {1u, 4u, 16u, 44u, 45u, 46u})
    {
        auto const q = quantize(w.view(), uniform<4>{}, minmax<>{}, group{columns});
        for (std::size_t row = 0; row < 6; ++row)
            for (std::size_t first = 0; first < 45; first += columns)
            {
                auto const s = minmax<>{}(w.view().row(row).subspan(first, std::min<std::size_t>(columns, 45 - first)),
                                          uniform<4>{});
                std::size_t const at = row * ceil_div(45, columns) + first / columns;
                CHECK(q.scales[at] == from_float<half>(s.scale));
                CHECK(q.zeros[at] == s.zero);
            }
    }
    auto const all = quantize(w.view(), uniform<4>{}, absmax{}, group::per_tensor());
    CHECK(all.scales[0] == from_float<half>(absmax{}(std::span<float const>(w.data), uniform<4>{}).scale));
}

TEST_CASE("the error is at most half a step, and what rounding the scale cuts off")
{
    for (auto const [rows, cols] : laws::ragged_shapes)
    {
        laws::sample const w = laws::weights(rows, cols, cols);
        auto const q = quantize(w.view(), uniform<8>{}, absmax{}, group{32});
        std::size_t wrong = 0;
        for (std::size_t row = 0; row < rows; ++row)
            for (std::size_t col = 0; col < cols; ++col)
            {
                // Rounding to half moves a scale by at most 2^-11 of it, or 2^-25 where it is subnormal. The largest
                // weight is 127 scales: that many times as far beyond code 255. 2^-15 steps for floats near 256.
                double const s = q.scale_at(row, col), x = w.view()(row, col);
                double const cut = 127 * std::max(0x1p-11 * s, 0x1p-25);
                wrong += !(std::abs(x - q.at(row, col)) <= s * (0.5 + 0x1p-15) + (x > 127 * s ? cut : 0));
            }
        CHECK(wrong == 0);
    }
}

TEST_CASE_TEMPLATE("NaN and Inf in weights are errors that name tensor, row and column", W, float, double, half,
                   bfloat16)
{
    std::vector<W> w(4 * 9, W{});
    auto bad = [&](double x)
    {
        if constexpr (std::is_same_v<W, double>)
            w[2 * 9 + 7] = x;
        else
            w[2 * 9 + 7] = from_float<W>(static_cast<float>(x));
        quantize(matrix_view<W const>{w.data(), 4, 9}, uniform<4>{}, absmax{}, group{4}, nearest{}, independent{},
                 {.name = "lm_head"});
    };
    double const infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
    CHECK_NOTHROW(bad(1));
    CHECK_THROWS_WITH_AS(bad(infinity), "lm_head: weight at row 2, column 7 is inf", value_error);
    CHECK_THROWS_WITH_AS(bad(-infinity), "lm_head: weight at row 2, column 7 is -inf", value_error);
    CHECK_THROWS_WITH_AS(bad(nan), doctest::Contains("lm_head: weight at row 2, column 7 is"), value_error);
    if (std::is_same_v<W, double>) // finite, and no float: as bad as Inf
        CHECK_THROWS_WITH_AS(bad(1e300), doctest::Contains("row 2, column 7"), value_error);
}

TEST_CASE("the first bad weight is named, whatever the number of threads")
{
    laws::sample w = laws::weights(40, 10, 1);
    for (std::size_t const row : {11u, 12u, 30u, 39u})
        w.data[row * 10 + 3] = std::numeric_limits<float>::infinity();
    for (unsigned const n : {1u, 2u, 3u, 7u})
        CHECK_THROWS_WITH_AS(
            quantize(w.view(), uniform<4>{}, absmax{}, group{4}, nearest{}, independent{}, {}, threads{n}),
            doctest::Contains("row 11, column 3"), value_error);
}

TEST_CASE("importance of another shape is an error that names both shapes")
{
    laws::sample const w = laws::weights(4, 9, 1), m = laws::importance(8, 10, 2);
    auto with_importance = [&](std::size_t rows, std::size_t cols)
    {
        return quantize(w.view(), uniform<4>{}, mse_search<absmax>{}, group{4}, nearest{}, independent{},
                        {.importance = {m.data.data(), rows, cols}, .name = "up"});
    };
    CHECK_NOTHROW(with_importance(1, 9));
    CHECK_NOTHROW(with_importance(4, 9));
    CHECK_THROWS_WITH_AS(with_importance(3, 9), "up: importance is 3 x 9, the weights are 4 x 9", shape_error);
    CHECK_THROWS_AS(with_importance(1, 8), shape_error);
    CHECK_THROWS_AS(with_importance(9, 4), shape_error);
    CHECK_THROWS_AS(with_importance(0, 0), shape_error);
}

TEST_CASE("importance that is no weight is an error that names the place")
{
    laws::sample const w = laws::weights(4, 9, 1);
    for (float const bad : {-1.0f, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
    {
        std::vector<float> m(4 * 9, 1.0f);
        m[2 * 9 + 5] = bad;
        CHECK_THROWS_WITH_AS(quantize(w.view(), uniform<4>{}, absmax{}, group{4}, nearest{}, independent{},
                                      {.importance = {m.data(), 4, 9}, .name = "up"}),
                             doctest::Contains("up: importance at row 2, column 5"), value_error);
    }
}

TEST_CASE("matrices of no rows or no columns")
{
    for (auto const [rows, cols] : {laws::shape{0, 5}, laws::shape{5, 0}, laws::shape{0, 0}})
        for (group const g : {group{4}, group::per_row(), group::per_tensor()})
        {
            auto const q = quantize(matrix_view<float const>{nullptr, rows, cols}, uniform<8>{}, minmax<>{}, g,
                                    nearest{}, independent{}, {}, threads{3});
            CHECK(q.rows == rows);
            CHECK(q.cols == cols);
            CHECK(q.codes.empty());
            CHECK(q.scales.empty());
            CHECK(q.zeros.empty());
            CHECK_NOTHROW(dequantize(q, {nullptr, rows, cols}));
        }
}

TEST_CASE("a strided view is quantized like its contiguous copy")
{
    laws::sample const whole = laws::weights(20, 50, 7), matters = laws::importance(20, 50, 8);
    matrix_view<float const> const part{whole.data.data() + 3 * 50 + 10, 12, 33, 50};
    matrix_view<float const> const part_matters{matters.data.data() + 3 * 50 + 10, 12, 33, 50};
    laws::sample copy{12, 33, {}}, copy_matters{12, 33, {}};
    for (std::size_t row = 0; row < 12; ++row)
    {
        copy.data.insert(copy.data.end(), part.row(row).begin(), part.row(row).end());
        copy_matters.data.insert(copy_matters.data.end(), part_matters.row(row).begin(), part_matters.row(row).end());
    }
    mse_search<minmax<>> const policy;
    CHECK(same_bytes(
        quantize(part, uniform<3>{}, policy, group{8}, nearest{}, independent{}, {.importance = part_matters}),
        quantize(copy.view(), uniform<3>{}, policy, group{8}, nearest{}, independent{},
                 {.importance = copy_matters.view()})));
}

TEST_CASE("any number of threads gives the same bytes")
{
    for (auto const [rows, cols] : {laws::shape{1, 129}, laws::shape{2, 64}, laws::shape{5, 33}, laws::shape{31, 65},
                                    laws::shape{64, 127}})
        for (group const g : {group{32}, group::per_row(), group::per_tensor()})
        {
            laws::sample const w = laws::weights(rows, cols, 19);
            auto by = [&](auto parallel)
            {
                return quantize(w.view(), uniform<4>{}, mse_search{full_range{}, 20}, g, stochastic{4}, independent{},
                                {}, parallel);
            };
            auto const alone = by(serial{});
            for (unsigned n = 1; n <= 7; ++n)
                CHECK(same_bytes(alone, by(threads{n})));
        }
}

TEST_CASE("stochastic rounding: seed and place decide, and the mean of many seeds is w")
{
    laws::sample const w = laws::weights(3, 40, 13);
    auto by = [&](std::uint64_t seed)
    { return quantize<float>(w.view(), uniform<3>{}, absmax{}, group{20}, stochastic{seed}); };
    CHECK(same_bytes(by(1), by(1)));
    CHECK(by(1).codes != by(2).codes);
    // A row quantized alone is row 0: drawn anew. The first row is the same.
    auto const first = quantize<float>(matrix_view<float const>{w.data.data(), 1, 40}, uniform<3>{}, absmax{},
                                       group{20}, stochastic{1});
    CHECK(std::equal(first.codes.begin(), first.codes.end(), by(1).codes.begin()));

    constexpr int seeds = 400;
    std::vector<double> mean(w.data.size());
    for (int seed = 0; seed < seeds; ++seed)
    {
        auto const q = by(static_cast<std::uint64_t>(seed));
        for (std::size_t i = 0; i < mean.size(); ++i)
            mean[i] += q.at(i / 40, i % 40) / seeds;
    }
    auto const q = by(0);
    for (std::size_t i = 0; i < mean.size(); ++i)
    {
        // One step s times a coin of deviation at most 1/2; 5.5 standard errors; u of 8 steps for the clamp at the end.
        double const s = q.scale_at(i / 40, i % 40);
        CHECK(std::abs(mean[i] - w.data[i]) <= s * (5.5 * 0.5 / std::sqrt(seeds) + 8 * 0x1p-22));
    }
}

TEST_CASE("quantizing what was decoded changes nothing, where the scale is found again")
{
    // Symmetric, an extreme weight exactly on the end of the codebook, scales of few digits: products are exact.
    laws::sequence next{3};
    for (int trial = 0; trial < 20; ++trial)
    {
        laws::sample w{4, 48, aligned_vector<float>(4 * 48)};
        for (std::size_t i = 0; i < w.data.size(); ++i)
        {
            float const scale = std::ldexp(static_cast<float>(16 + i / 16 % 7), -6);
            w.data[i] = i % 16 == 5 ? -8 * scale : scale * (static_cast<float>(next() % 15) - 7);
        }
        auto const q = quantize(w.view(), uniform<4>{}, full_range{}, group{16});
        laws::sample decoded = w;
        dequantize(q, decoded.view());
        CHECK(decoded.data == w.data);
        CHECK(same_bytes(quantize(decoded.view(), uniform<4>{}, full_range{}, group{16}), q));
    }
}

TEST_CASE_TEMPLATE("quantizing what was decoded at the same scales gives the same codes", T, with<uniform<8>, absmax>,
                   with<uniform<2>, full_range>, with<nf4, absmax>, with<fp4, full_range>, with<uniform<5>, minmax<>>)
{
    laws::sample const w = laws::weights(9, 40, 23);
    for (std::size_t row = 0; row < 9; ++row)
    {
        matrix_view<float const> const one{w.data.data() + row * 40, 1, 40};
        auto const q = quantize(one, typename T::book{}, typename T::policy{}, group::per_row());
        laws::sample decoded{1, 40, aligned_vector<float>(40)};
        dequantize(q, decoded.view());
        fixed<typename T::book, typename T::policy::zero_type> const same{{q.scale_at(0, 0), q.zero_at(0, 0)}};
        CHECK(same_bytes(quantize(decoded.view(), typename T::book{}, same, group::per_row()), q));
    }
}

TEST_CASE("views without memory for all their elements, and roundings made for another matrix, are errors")
{
    laws::sample const w = laws::weights(3, 10, 1), v = laws::weights(3, 10, 2), other = laws::weights(3, 9, 2);
    using view = matrix_view<float const>;
    auto const take = [](view of, auto const& rounded, quantize_options const& options = {.name = "up"})
    { quantize(of, uniform<4>{}, absmax{}, group{4}, rounded, independent{}, options); };
    CHECK_THROWS_WITH_AS(take({w.data.data(), 3, 10, 9}, nearest{}), "up: rows of 10 elements begin 9 apart",
                         shape_error);
    CHECK_THROWS_WITH_AS(take({nullptr, 3, 10}, nearest{}), "up: 3 x 10 without data", shape_error);
    CHECK_THROWS_WITH_AS(take(w.view(), nearest{}, {.importance = {nullptr, 1, 10}, .name = "up"}),
                         "up: importance: 1 x 10 without data", shape_error);
    CHECK_THROWS_WITH_AS(take(w.view(), offset{other.view()}), "up: offsets of 3 x 9 for weights of 3 x 10",
                         shape_error);
    CHECK_THROWS_WITH_AS(take(w.view(), offset{{v.data.data(), 3, 10, 2}}),
                         "up: offsets: rows of 10 elements begin 2 apart", shape_error);
    laws::sample odd = v;
    odd.data[12] = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_WITH_AS(take(w.view(), offset{odd.view()}), "up: offset at row 1, column 2 is nan", value_error);
    std::vector<code> const coarse(30, 1);
    CHECK_NOTHROW(take(w.view(), within<>{{coarse.data(), 3, 10}, 2}));
    CHECK_THROWS_WITH_AS(take(w.view(), within<>{{coarse.data(), 2, 10}, 2}),
                         "up: leading codes of 2 x 10 for weights of 3 x 10", shape_error);
    CHECK_THROWS_WITH_AS(take(w.view(), within<>{{coarse.data(), 3, 10}, 40}), "up: 40 bits more than leading codes",
                         width_error);
    CHECK_THROWS_AS(take(w.view(), within<offset>{{coarse.data(), 3, 10}, 2, {other.view()}}), shape_error);
}

TEST_CASE("a zero that does not fit its storage type is an error that names row and group")
{
    struct far
    {
        using zero_type = real_zero;
        scale_and_zero operator()(std::span<float const>, uniform<4> const&, std::span<float const> = {}) const
        {
            return {1, 1e6f};
        }
    };
    laws::sample const w = laws::weights(2, 8, 3);
    CHECK_THROWS_WITH_AS(quantize(w.view(), uniform<4>{}, far{}, group{4}, nearest{}, independent{}, {.name = "up"}),
                         "up: zero 1000000 of group 0 in row 0 does not fit in 16 bits", value_error);
}
