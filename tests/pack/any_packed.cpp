// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>
#include <jackplane/pack/any_packed.hpp>
#include <jackplane/quantize/quantize.hpp>
#include "../laws/weights.hpp"
using namespace jackplane;

TEST_CASE("any_packed holds a format that is known at run time only")
{
    laws::sample const w = laws::weights(7, 40, 2);
    std::vector<any_packed> formats;
    formats.emplace_back(pack<bit_planes>(quantize(w.view(), uniform<8>{}, minmax<>{}, group{16})));
    formats.emplace_back(pack<planes<4>>(quantize(w.view(), nf4{}, absmax{}, group{16})));
    formats.emplace_back(pack<planes<2>>(quantize(w.view(), uniform<2>{}, full_range{}, group{16})));
    formats.emplace_back(pack<planes<2, 1>>(quantize(w.view(), row_table<3>{})));
    float previous = 0;
    for (any_packed const& m : formats)
    {
        CHECK(rows_of(m) == 7);
        CHECK(cols_of(m) == 40);
        float const at = std::visit([](auto const& a) { return a.at(6, 39); }, m);
        CHECK(at != previous);
        previous = at;
    }
    CHECK(std::visit([](auto const& a) { return a.readable_widths(); }, formats[0]) == "1, 2, 3, 4, 5, 6, 7, 8");
    CHECK(std::visit([](auto const& a) { return a.readable_widths(); }, formats[1]) == "4");
    CHECK(rows_of(any_packed{}) == 0);
}
