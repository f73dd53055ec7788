// SPDX-License-Identifier: BSD-3-Clause
#include "../laws/loss.hpp"
#include <doctest/doctest.h>
#include <jackplane/loss/layer.hpp>
#include <cmath>
#include <limits>
using namespace jackplane;

namespace
{
    // sum over tokens of a b^T, a and b [tokens, cols]
    laws::sample product_of(laws::sample const& a, laws::sample const& b)
    {
        laws::sample sum{a.cols, b.cols, aligned_vector<float>(a.cols * b.cols)};
        for (std::size_t i = 0; i < a.cols; ++i)
            for (std::size_t j = 0; j < b.cols; ++j)
            {
                double total = 0;
                for (std::size_t t = 0; t < a.rows; ++t)
                    total += double{a.data[t * a.cols + i]} * b.data[t * b.cols + j];
                sum.data[i * b.cols + j] = static_cast<float>(total);
            }
        return sum;
    }
    // sum over tokens of |a x - b y|^2
    double distance(laws::sample const& a, laws::sample const& x, laws::sample const& b, laws::sample const& y)
    {
        double sum = 0;
        for (std::size_t t = 0; t < x.rows; ++t)
            for (std::size_t row = 0; row < a.rows; ++row)
            {
                double off = 0;
                for (std::size_t c = 0; c < a.cols; ++c)
                    off += double{a.data[row * a.cols + c]} * x.data[t * a.cols + c] -
                           double{b.data[row * a.cols + c]} * y.data[t * a.cols + c];
                sum += off * off;
            }
        return sum;
    }
    laws::sample minus(laws::sample a, laws::sample const& b)
    {
        for (std::size_t i = 0; i < a.data.size(); ++i)
            a.data[i] -= b.data[i];
        return a;
    }
}

TEST_CASE("a layer's loss is the squared error of its product over the tokens, and its gradient the slope of that")
{
    for (auto const [rows, cols] : {laws::shape{1, 1}, {3, 7}, {17, 33}, {5, 129}})
        for (bool const drifts : {false, true})
        {
            laws::sample const w = laws::weights(rows, cols, 1), moved = laws::weights(rows, cols, 2),
                               x = laws::weights(40, cols, 3), other = laws::weights(40, cols, 4);
            laws::sample const& seen = drifts ? other : x;
            laws::sample const gram = product_of(seen, seen), drift = product_of(minus(seen, x), seen);
            layer<> f(w.view(), gram.view(), {.drift = drifts ? drift.view() : matrix_view<float const>{}});
            CHECK(f.size() == rows * cols);
            double const constant = distance(w, seen, w, x), expected = distance(moved, seen, w, x) - constant;
            CHECK(f(moved.data, {}) == doctest::Approx(expected).epsilon(1e-5).scale(constant));
            CHECK(f(w.data, {}) == 0);
            laws::check_loss(f, moved.data, 0.25f, 1e-4); // quadratic: a wide step loses nothing
        }
}

TEST_CASE("the product may be the engine's own, and the weights lie in a wider matrix")
{
    laws::sample const w = laws::weights(6, 20, 1), moved = laws::weights(6, 20, 2), x = laws::weights(50, 20, 3),
                       gram = product_of(x, x);
    std::vector<float> wide(6 * 32, std::numeric_limits<float>::quiet_NaN());
    for (std::size_t row = 0; row < 6; ++row)
        std::copy_n(&w.data[row * 20], 20, &wide[row * 32]);
    int calls = 0;
    auto const own = [&](matrix_view<float const> a, matrix_view<float const> b, matrix_view<float> out)
    {
        ++calls;
        plain_product{}(a, b, out);
    };
    layer f(matrix_view<float const>{wide.data(), 6, 20, 32}, gram.view(), {}, own);
    layer<> plain(w.view(), gram.view());
    CHECK(f(moved.data, {}) == plain(moved.data, {}));
    CHECK(calls == 1);
}

TEST_CASE("sizes that do not fit are errors that name the layer")
{
    laws::sample const w = laws::weights(4, 6, 1), gram = laws::weights(5, 5, 2), good = laws::weights(6, 6, 2);
    CHECK_THROWS_WITH_AS(layer<>(w.view(), gram.view(), {.name = "up"}), "up: 6 columns, but a Gram matrix of 5 x 5",
                         shape_error);
    CHECK_THROWS_WITH_AS(layer<>(w.view(), good.view(), {.drift = gram.view(), .name = "up"}),
                         "up: 6 columns, but a drift of 5 x 5", shape_error);
    layer<> f(w.view(), good.view());
    CHECK_THROWS_AS(f(std::span(good.data).first(23), {}), shape_error);
}

TEST_CASE("what is not finite is an error with its place: no step could be right")
{
    laws::sample const w = laws::weights(4, 6, 1), good = laws::weights(6, 6, 2);
    laws::sample bad = good;
    bad.data[8] = std::numeric_limits<float>::quiet_NaN();
    std::string const place = " at row 1, column 2 is nan";
    CHECK_THROWS_WITH_AS(layer<>(w.view(), bad.view(), {.name = "up"}), ("up: Gram matrix" + place).c_str(),
                         value_error);
    CHECK_THROWS_WITH_AS(layer<>(w.view(), good.view(), {.drift = bad.view(), .name = "up"}),
                         ("up: drift" + place).c_str(), value_error);
    laws::sample lost = w;
    lost.data[0] = std::numeric_limits<float>::infinity();
    CHECK_THROWS_WITH_AS(layer<>(lost.view(), good.view(), {.name = "up"}), "up: weight at row 0, column 0 is inf",
                         value_error);
}
