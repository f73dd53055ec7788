// SPDX-License-Identifier: BSD-3-Clause
#include "../laws/weights.hpp"
#include <doctest/doctest.h>
#include <jackplane/core/team.hpp>
#include <jackplane/detach/pursuit.hpp>
#include <jackplane/loss/layer.hpp>
#include <jackplane/quantize/quantize.hpp>
#include <limits>
using namespace jackplane;

namespace
{
    struct problem
    {
        laws::sample w, gram, pull;
        std::vector<float> coarse;

        explicit problem(std::size_t rows = 12, std::size_t cols = 65)
            : w(laws::weights(rows, cols, 1)), gram(laws::correlated(cols, 2)), pull(w), coarse(w.data.size())
        {
            auto const q = quantize(matrix_view<float const>(w.view()), uniform<2>{}, minmax<>{}, group{32});
            dequantize(q, {coarse.data(), rows, cols});
            std::vector<float> slope(coarse.size());
            loss_of({}, slope);
            for (std::size_t i = 0; i < slope.size(); ++i)
                pull.data[i] = -slope[i] / 2;
        }
        double loss_of(std::span<triplet const> sparse, std::span<float> slope = {}) const
        {
            std::vector<float> at = coarse;
            for (triplet const& t : sparse)
                at[t.row * w.cols + t.col] += t.value;
            layer<> loss(w.view(), gram.view());
            return loss(at, slope);
        }
        std::vector<std::size_t> random_places(std::size_t count) const
        {
            return choose(by_chance{3}, w.data, {}, count);
        }
    };
    std::vector<std::size_t> places_of(std::span<triplet const> sparse, std::size_t cols)
    {
        std::vector<std::size_t> places;
        for (triplet const& t : sparse)
            places.push_back(t.row * cols + t.col);
        return places;
    }
}

TEST_CASE("fitted values: no other ones on these places make the error smaller")
{
    problem const p;
    auto const places = p.random_places(60);
    auto const best = fit(p.gram.view(), p.pull.view(), places);
    CHECK(places_of(best, p.w.cols) == places);
    double const least = p.loss_of(best);
    std::vector<triplet> restored = best;
    for (triplet& t : restored)
        t.value = p.w.view()(t.row, t.col) - p.coarse[t.row * p.w.cols + t.col];
    CHECK(least < p.loss_of({}));
    CHECK(least < p.loss_of(restored));
    std::vector<float> slope(p.w.data.size()); // no slope is left along them
    p.loss_of(best, slope);
    double largest_before = 0;
    for (float const x : p.pull.data)
        largest_before = std::max(largest_before, 2 * std::abs(double{x}));
    for (std::size_t const place : places)
        CHECK(std::abs(slope[place]) <= 1e-4 * largest_before);
    for (float const by : {-0.01f, 0.01f})
        for (std::size_t i = 0; i < best.size(); i += 7)
        {
            auto other = best;
            other[i].value += by;
            CHECK(p.loss_of(other) >= least - 1e-6 * p.loss_of({}));
        }
    // the error falls by what the algebra says: sum of s B
    double falls = 0;
    for (triplet const& t : best)
        falls += double{t.value} * p.pull.view()(t.row, t.col);
    CHECK(p.loss_of({}) - least == doctest::Approx(falls).epsilon(1e-4));
    // every place: nothing is left to err
    std::vector<std::size_t> all(p.w.data.size());
    for (std::size_t i = 0; i < all.size(); ++i)
        all[i] = i;
    CHECK(p.loss_of(fit(p.gram.view(), p.pull.view(), all)) <= 1e-4 * p.loss_of({}));
}

TEST_CASE("pursuit chooses better than chance, than the largest errors, and better in more rounds than in one")
{
    problem const p;
    std::size_t const count = 40;
    auto const chosen = pursuit(p.gram.view(), p.pull.view(), count);
    CHECK(chosen.size() == count);
    auto const places = places_of(chosen, p.w.cols);
    CHECK(std::adjacent_find(places.begin(), places.end(), std::greater_equal<>{}) == places.end());
    double const reached = p.loss_of(chosen);
    CHECK(reached < 0.7 * p.loss_of({}));
    CHECK(reached < p.loss_of(fit(p.gram.view(), p.pull.view(), p.random_places(count))));
    std::vector<float> error(p.coarse.size());
    for (std::size_t i = 0; i < error.size(); ++i)
        error[i] = std::abs(p.w.data[i] - p.coarse[i]);
    CHECK(reached < p.loss_of(fit(p.gram.view(), p.pull.view(), largest(error, count))));
    CHECK(reached < p.loss_of(pursuit(p.gram.view(), p.pull.view(), count, 1)));
    // its values are those that fit gives its places
    auto const again = fit(p.gram.view(), p.pull.view(), places);
    for (std::size_t i = 0; i < count; ++i)
        CHECK(again[i].value == chosen[i].value);
    // one weight in one round: the best single one, exactly
    auto const one = pursuit(p.gram.view(), p.pull.view(), 1, 1);
    for (std::size_t i = 0; i < p.w.data.size(); i += 13)
        CHECK(p.loss_of(one) <=
              p.loss_of(fit(p.gram.view(), p.pull.view(), std::span<std::size_t const>(&i, 1))) + 1e-6);
}

TEST_CASE("ragged shapes, any team, columns without input, the same bits")
{
    for (auto const [rows, cols] : {laws::shape{1, 1}, {3, 2}, {17, 33}, {5, 129}})
    {
        problem const p(rows, cols);
        std::size_t const count = (rows * cols + 1) / 2;
        auto const alone = pursuit(p.gram.view(), p.pull.view(), count, 3);
        auto const many = pursuit(p.gram.view(), p.pull.view(), count, 3, "w", team(3));
        REQUIRE(alone.size() == count);
        for (std::size_t i = 0; i < count; ++i)
        {
            CHECK(alone[i].row == many[i].row);
            CHECK(alone[i].col == many[i].col);
            CHECK(alone[i].value == many[i].value);
        }
        CHECK(p.loss_of(alone) <= p.loss_of({}));
    }
    problem p;
    for (std::size_t i = 0; i < p.w.cols; ++i) // column 4 is never read, 6 is 5 again
    {
        p.gram.data[4 * p.w.cols + i] = p.gram.data[i * p.w.cols + 4] = 0;
        p.gram.data[6 * p.w.cols + i] = p.gram.data[5 * p.w.cols + i];
    }
    for (std::size_t i = 0; i < p.w.cols; ++i)
        p.gram.data[i * p.w.cols + 6] = p.gram.data[i * p.w.cols + 5];
    auto const values = fit(p.gram.view(), p.pull.view(), std::vector<std::size_t>{4, 5, 6});
    CHECK(values[0].value == 0);
    CHECK(values[1].value != 0);
    CHECK(values[2].value == 0);
    CHECK(pursuit(p.gram.view(), p.pull.view(), 0).empty());
}

TEST_CASE("what does not fit is an error")
{
    problem p;
    laws::sample const other = laws::correlated(64, 1);
    CHECK_THROWS_WITH_AS(pursuit(other.view(), p.pull.view(), 3, 8, "q"),
                         "q: a pull of 12 x 65 and a Gram matrix of 64 x 64", shape_error);
    CHECK_THROWS_AS(pursuit(p.gram.view(), p.pull.view(), 781), shape_error);
    CHECK_THROWS_AS(pursuit(p.gram.view(), p.pull.view(), 3, 0), shape_error);
    CHECK_THROWS_AS(fit(p.gram.view(), p.pull.view(), std::vector<std::size_t>{780}), shape_error);
    CHECK_THROWS_AS(fit(p.gram.view(), p.pull.view(), std::vector<std::size_t>{3, 3}), shape_error);
    p.pull.data[66] = std::numeric_limits<float>::infinity();
    CHECK_THROWS_WITH_AS(fit(p.gram.view(), p.pull.view(), {}), "sparse part: pull at row 1, column 1 is inf",
                         value_error);
}
