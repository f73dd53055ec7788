// SPDX-License-Identifier: BSD-3-Clause
#include "../laws/weights.hpp"
#include <doctest/doctest.h>
#include <jackplane/quantize/refine.hpp>
#include <cmath>
#include <limits>
#include <vector>
using namespace jackplane;

TEST_CASE("finer codes are the nearest of the cell, and the prefix and the scales stay")
{
    for (auto const [rows, cols] : laws::ragged_shapes)
    {
        laws::sample const w = laws::weights(rows, cols, 4);
        auto const two = quantize(w.view(), uniform<2, 8>{}, minmax<>{}, group{32});
        auto const four = refine(w.view(), uniform<4, 8>{}, leading(two));
        auto const eight = refine(w.view(), uniform<8>{}, leading(four));
        CHECK(four.scales == two.scales);
        CHECK(eight.zeros == two.zeros);
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < w.data.size(); ++i)
        {
            wrong += (four.codes[i] >> 2) != two.codes[i] || (eight.codes[i] >> 4) != four.codes[i];
            double const s = four.scale_at(i / cols, i % cols), z = four.zero_at(i / cols, i % cols);
            auto const off = [&](unsigned q)
            { return std::abs(w.data[i] - s * (uniform<4, 8>{}.decode(static_cast<code>(q)) - z)); };
            double best = std::numeric_limits<double>::infinity();
            for (unsigned q = two.codes[i] * 4u; q < two.codes[i] * 4u + 4; ++q)
                best = std::min(best, off(q));
            wrong += !(off(four.codes[i]) <= best * (1 + 1e-5) + 1e-9); // a tie may go either way
        }
        CHECK(wrong == 0);
    }
}

TEST_CASE("with feedback the bits that come below make up for errors")
{
    laws::sample const w = laws::weights(16, 128, 1), gram = laws::correlated(128, 2);
    for (bool const by_activation : {false, true})
    {
        feedback const order(gram.view(), {.by_activation = by_activation});
        auto const two = quantize(w.view(), uniform<2, 8>{}, minmax<>{}, group{64}, nearest{}, order);
        auto const nearest_inside = refine(w.view(), uniform<4, 8>{}, leading(two));
        auto const fed_back = refine(w.view(), uniform<4, 8>{}, leading(two), order);
        CHECK(laws::output_error(w, fed_back, gram) < 0.5 * laws::output_error(w, nearest_inside, gram));
        CHECK(fed_back.codes == refine(w.view(), uniform<4, 8>{}, leading(two), order, "w", threads{3}).codes);
    }
}

TEST_CASE("whole tensors refine, too, and what does not fit is an error")
{
    laws::sample const w = laws::weights(5, 33, 1), other = laws::weights(5, 34, 1);
    auto const whole = quantize(w.view(), uniform<3, 8>{}, full_range{}, group::per_tensor());
    auto const finer = refine(w.view(), uniform<8>{}, leading(whole));
    CHECK(finer.scales.size() == 1);
    CHECK_THROWS_WITH_AS(refine(other.view(), uniform<8>{}, leading(whole), {}, "up"),
                         "up: 5 x 34 in 1 groups of 33 with one scale, but 165 codes, 1 scales and 0 zeros",
                         shape_error);
    CHECK_THROWS_WITH_AS(refine(w.view(), uniform<2, 8>{}, leading(whole), {}, "up"),
                         "up: codes of 2 bits inside codes of 3", width_error);
    laws::sample bad = w;
    bad.data[40] = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_WITH_AS(refine(bad.view(), uniform<8>{}, leading(whole), {}, "up"),
                         doctest::Contains("up: weight at row 1, column 7 is"), value_error);
}
