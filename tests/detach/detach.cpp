// SPDX-License-Identifier: BSD-3-Clause
#include "../laws/weights.hpp"
#include <doctest/doctest.h>
#include <jackplane/detach/detach.hpp>
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/quantize.hpp>
using namespace jackplane;

TEST_CASE("weights that leave stand in the sparse part, and residuals make any dense part right in their places")
{
    laws::sample w = laws::weights(31, 77, 1);
    laws::sample const whole = w;
    auto const places = choose(by_magnitude{}, w.data, {}, 50);
    csr<half> const sparse = detach(w.view(), places);
    CHECK(sparse.nonzeros() == 50);
    std::size_t next = 0;
    for (std::size_t i = 0; i < w.data.size(); ++i)
    {
        bool const left = next < places.size() && places[next] == i;
        next += left;
        CHECK(w.data[i] == (left ? 0.0f : whole.data[i]));
        float const rounded = to_float(from_float<half>(whole.data[i]));
        CHECK(sparse.at(i / 77, i % 77) == (left ? rounded : 0.0f));
    }
    laws::sample back = w;
    put_back(sparse, back.view());
    for (std::size_t i = 0; i < w.data.size(); ++i)
        CHECK(back.data[i] == (w.data[i] == 0 ? sparse.at(i / 77, i % 77) : whole.data[i]));
    CHECK_THROWS_WITH_AS(put_back(sparse, {back.data.data(), 77, 31}, "q"), "q: 31 x 77 into 77 x 31", shape_error);
    auto const dense = pack<bit_planes>(
        quantize(matrix_view<float const>(w.view()), uniform<8>{}, parent_scale<minmax<>>{}, group{32}));
    for (unsigned const bits : {8u, 4u, 2u, 1u})
    {
        auto const at = dense.prefix(bits);
        auto const rest = residuals(sparse, at);
        CHECK(rest.nonzeros() == 50);
        for (std::size_t const place : places)
        {
            std::size_t const row = place / 77, col = place % 77;
            CHECK(at.at(row, col) + rest.at(row, col) == doctest::Approx(sparse.at(row, col)).epsilon(1e-6));
        }
        CHECK(bytes_read(rest) == 50 * 6 + 32 * 4); // fp32, counted
    }
    CHECK_THROWS_WITH_AS(residuals(csr<half>(3, 4, {}), dense), "sparse weights: 3 x 4 beside 31 x 77", shape_error);
}

TEST_CASE("nothing is changed where a weight cannot leave")
{
    laws::sample w = laws::weights(3, 5, 1);
    w.data[7] = 1e6f; // no half
    laws::sample const before = w;
    CHECK_THROWS_AS(detach(w.view(), std::vector<std::size_t>{2, 7}), value_error);
    CHECK_THROWS_WITH_AS(detach(w.view(), std::vector<std::size_t>{2, 15}, "q"), "q: place 15 is outside 3 x 5",
                         shape_error);
    CHECK_THROWS_AS(detach(w.view(), std::vector<std::size_t>{2, 2}), shape_error); // twice
    CHECK(w.data == before.data);
    CHECK(detach<bfloat16, std::uint32_t>(w.view(), std::vector<std::size_t>{7}).nonzeros() == 1);
    laws::sample none{0, 5, {}};
    CHECK(detach(none.view(), {}).nonzeros() == 0);
}

TEST_CASE("views without memory for all their elements are errors")
{
    laws::sample w = laws::weights(3, 4, 1);
    std::vector<std::size_t> const places{1, 5};
    auto const sparse = detach(w.view(), places);
    matrix_view<float> const overlapping{w.data.data(), 3, 4, 2}, none{nullptr, 3, 4};
    for (auto const& bad : {overlapping, none})
    {
        CHECK_THROWS_AS(detach(bad, places), shape_error);
        CHECK_THROWS_AS(put_back(sparse, bad), shape_error);
    }
}
