// SPDX-License-Identifier: BSD-3-Clause
#include "../laws/sweep.hpp"
#include <doctest/doctest.h>
#include <jackplane/quantize/quantize.hpp>
#include <cmath>
using namespace jackplane;

namespace
{
    // GPTQ as its paper has it: the inverse of the damped matrix, its upper Cholesky factor, and every weight to the
    // right updated after each column. One row, its scales given; in long double.
    std::vector<code> gptq(std::vector<long double> w, laws::sample const& gram, std::vector<std::size_t> const& order,
                           auto const& scale_at, unsigned most, long double damping)
    {
        std::size_t const n = w.size();
        std::vector<long double> h(n * n), inverse(n * n), upper(n * n);
        long double trace = 0;
        for (std::size_t i = 0; i < n; ++i)
            trace += gram.data[i * n + i];
        for (std::size_t a = 0; a < n; ++a)
            for (std::size_t b = 0; b < n; ++b)
                h[a * n + b] = gram.data[order[a] * n + order[b]] + (a == b ? damping * trace / n : 0);
        for (std::size_t i = 0; i < n; ++i) // Gauss and Jordan
            inverse[i * n + i] = 1;
        for (std::size_t p = 0; p < n; ++p)
        {
            long double const pivot = h[p * n + p];
            for (std::size_t c = 0; c < n; ++c)
                h[p * n + c] /= pivot, inverse[p * n + c] /= pivot;
            for (std::size_t r = 0; r < n; ++r)
                if (long double const f = h[r * n + p]; r != p)
                    for (std::size_t c = 0; c < n; ++c)
                        h[r * n + c] -= f * h[p * n + c], inverse[r * n + c] -= f * inverse[p * n + c];
        }
        for (std::size_t r = 0; r < n; ++r) // inverse == upper^T upper
            for (std::size_t c = r; c < n; ++c)
            {
                long double left = inverse[r * n + c];
                for (std::size_t k = 0; k < r; ++k)
                    left -= upper[k * n + r] * upper[k * n + c];
                upper[r * n + c] = r == c ? std::sqrt(left) : left / upper[r * n + r];
            }
        std::vector<code> codes(n);
        std::vector<long double> moved(n);
        for (std::size_t k = 0; k < n; ++k)
            moved[k] = w[order[k]];
        for (std::size_t k = 0; k < n; ++k)
        {
            scale_and_zero const s = scale_at(order[k], moved);
            long double const q = std::clamp(std::nearbyint(moved[k] / s.scale + s.zero), 0.0L, (long double)most);
            codes[order[k]] = static_cast<code>(q);
            long double const error = (moved[k] - s.scale * (q - s.zero)) / upper[k * n + k];
            for (std::size_t c = k; c < n; ++c)
                moved[c] -= error * upper[k * n + c];
        }
        return codes;
    }
}

TEST_CASE("sweeps: every column once, no error changes nothing, exact weights keep their codes, rows stand alone")
{
    laws::check_sweep([](auto) { return independent{}; });
    laws::check_sweep([](auto gram) { return feedback(gram); });
    laws::check_sweep([](auto gram) { return feedback(gram, {.scales_first = true}); });
    laws::check_sweep([](auto gram) { return feedback(gram, {.by_activation = true}); });
}

TEST_CASE("the feedback sweep gives the codes of GPTQ, scales first or on the way, in either order")
{
    constexpr std::size_t rows = 12, cols = 100;
    laws::sample const w = laws::weights(rows, cols, 5), gram = laws::correlated(cols, 9);
    for (bool const by_activation : {false, true})
        for (bool const scales_first : {false, true})
        {
            feedback const order(gram.view(), {.by_activation = by_activation, .scales_first = scales_first});
            auto const q = quantize<float>(w.view(), uniform<3>{}, minmax<>{}, group{32}, nearest{}, order);
            std::vector<std::size_t> columns(cols);
            for (std::size_t i = 0; i < cols; ++i)
                columns[i] = i;
            if (by_activation)
                std::sort(columns.begin(), columns.end(), [&](std::size_t a, std::size_t b)
                          {
                              float const x = gram.data[a * cols + a], y = gram.data[b * cols + b];
                              return x != y ? x > y : a < b;
                          });
            std::size_t wrong = 0;
            for (std::size_t r = 0; r < rows; ++r)
            {
                std::vector<long double> const row(w.data.data() + r * cols, w.data.data() + (r + 1) * cols);
                bool const on_the_way = !by_activation && !scales_first;
                auto const scale_at = [&](std::size_t col, std::vector<long double> const& moved)
                {
                    static scale_and_zero s;
                    if (!on_the_way || col % 32 == 0)
                    {
                        std::size_t const left = col / 32 * 32, right = std::min(left + 32, cols);
                        std::vector<float> now;
                        for (std::size_t c = left; c < right; ++c)
                            now.push_back(static_cast<float>(on_the_way ? moved[c] : row[c]));
                        s = minmax<>{}(now, uniform<3>{});
                    }
                    return s;
                };
                auto const expected = gptq(row, gram, columns, scale_at, 7, 0.01L);
                for (std::size_t c = 0; c < cols; ++c)
                    wrong += expected[c] != q.codes[r * cols + c];
            }
            CAPTURE(by_activation);
            CAPTURE(scales_first);
            CHECK(wrong == 0);
        }
}

TEST_CASE("with a diagonal Gram matrix, or none of its inputs alive, feedback is independent")
{
    for (std::size_t const cols : {1u, 2u, 31u, 65u, 129u})
    {
        laws::sample const w = laws::weights(7, cols, 3);
        auto const alone = quantize(w.view(), uniform<4>{}, minmax<>{}, group{32});
        for (bool const dead : {false, true})
        {
            laws::sample gram{cols, cols, jackplane::aligned_vector<float>(cols * cols)};
            for (std::size_t c = 0; c < cols && !dead; ++c)
                gram.data[c * cols + c] = static_cast<float>(c % 5); // an input that is never there, too
            for (bool const by_activation : {false, true})
            {
                feedback const order(gram.view(), {.by_activation = by_activation});
                auto const q = quantize(w.view(), uniform<4>{}, minmax<>{}, group{32}, nearest{}, order);
                CHECK(q.codes == alone.codes);
                CHECK(q.scales == alone.scales);
                CHECK(q.zeros == alone.zeros);
            }
        }
    }
}

TEST_CASE("feedback makes the product better, though each weight is worse")
{
    laws::sample const w = laws::weights(16, 128, 1), gram = laws::correlated(128, 2);
    auto const check = [&](auto book, auto policy, group g)
    {
        feedback const order(gram.view()), first(gram.view(), {.by_activation = true});
        double const alone = laws::output_error(w, quantize(w.view(), book, policy, g), gram);
        CHECK(laws::output_error(w, quantize(w.view(), book, policy, g, nearest{}, order), gram) < 0.5 * alone);
        CHECK(laws::output_error(w, quantize(w.view(), book, policy, g, nearest{}, first), gram) < 0.5 * alone);
    };
    check(uniform<2>{}, minmax<>{}, group{64});
    check(uniform<4>{}, minmax<real_zero>{}, group{32});
    check(nf4{}, absmax{}, group{64});
    check(uniform<3>{}, full_range{}, group::per_row());
    check(uniform<4>{}, mse_search{absmax{}}, group::per_tensor());
}

TEST_CASE(
    "feedback gives the same bytes for any number of threads and any multiple of the Gram matrix that is a power of 2")
{
    laws::sample const w = laws::weights(33, 95, 1), gram = laws::correlated(95, 2);
    laws::sample quarter = gram;
    for (float& h : quarter.data)
        h *= 0.25f;
    feedback const order(gram.view()), same(quarter.view());
    auto const one = quantize(w.view(), uniform<3>{}, minmax<>{}, group{32}, nearest{}, order);
    CHECK(one.codes == quantize(w.view(), uniform<3>{}, minmax<>{}, group{32}, nearest{}, order, {}, threads{3}).codes);
    CHECK(one.codes == quantize(w.view(), uniform<3>{}, minmax<>{}, group{32}, nearest{}, same).codes);
}

TEST_CASE("a Gram matrix that is none is an error that names it")
{
    std::vector<float> h{4, 0, 0, /**/ 1, 4, 0, /**/ 1, 1, 4};
    auto const make = [&](std::size_t rows, std::size_t cols) {
        feedback(matrix_view<float const>{h.data(), rows, cols}, {.damping = 0, .name = "layers.3.up: Gram matrix"});
    };
    CHECK_NOTHROW(make(3, 3));
    CHECK_THROWS_WITH_AS(make(3, 2), "layers.3.up: Gram matrix: 3 x 2, not square", shape_error);
    h[7] = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_WITH_AS(make(3, 3), doctest::Contains("layers.3.up: Gram matrix: row 2, column 1 is"), value_error);
    h[7] = 5;
    CHECK_THROWS_WITH_AS(make(3, 3), doctest::Contains("layers.3.up: Gram matrix: not positive definite at column"),
                         value_error);
    h[7] = 1;
    feedback const order(matrix_view<float const>{h.data(), 3, 3});
    laws::sample const w = laws::weights(2, 4, 1);
    CHECK_THROWS_WITH_AS(quantize(w.view(), uniform<4>{}, absmax{}, group{4}, nearest{}, order, {.name = "up"}),
                         "up: 4 columns, but a Gram matrix of 3", shape_error);
}

template <class F>
concept starts = requires(F&& f) { std::forward<F>(f).start(); };
static_assert(starts<feedback&> && !starts<feedback> && starts<independent>); // a row points into its feedback

TEST_CASE("a group of zeros that owes what half does not hold stays zero; other groups are errors as ever")
{
    laws::sample w = laws::weights(1, 64, 3, 1);
    laws::sample const gram = laws::correlated(64, 5);
    for (std::size_t col = 0; col < 64; ++col)
        w.data[col] = col < 32 ? w.data[col] * 0.1f : 0.0f;
    feedback const order(gram.view());
    auto const wide = quantize<float>(w.view(), uniform<8>{}, absmax{}, group{32}, nearest{}, order);
    CHECK(wide.scales[1] != 0); // makes up for errors
    CHECK_FALSE(holds<half>(wide.scales[1]));
    auto const q = quantize(w.view(), uniform<8>{}, absmax{}, group{32}, nearest{}, order);
    CHECK(to_float(q.scales[0]) != 0);
    CHECK(to_float(q.scales[1]) == 0);
    for (std::size_t col = 32; col < 64; ++col)
        CHECK(q.at(0, col) == 0);
    w.data[40] = 1e-6f;
    CHECK_THROWS_AS(quantize(w.view(), uniform<8>{}, absmax{}, group{32}, nearest{}, order), value_error);
    CHECK_THROWS_AS(feedback(matrix_view<float const>{nullptr, 3, 3}), shape_error);
}
