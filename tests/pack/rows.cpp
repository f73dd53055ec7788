// SPDX-License-Identifier: BSD-3-Clause
// Rows of a packed matrix as a matrix that shares its memory.
#include <doctest/doctest.h>
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/quantize.hpp>
#include <jackplane/quantize/row_table.hpp>
#include "../laws/offsets.hpp"
#include "../laws/weights.hpp"
using namespace jackplane;

namespace
{
    template <class M>
    std::size_t differing(M const& whole, M const& part, std::size_t first)
    {
        std::size_t wrong = 0;
        for (std::size_t row = 0; row < part.rows(); ++row)
            for (std::size_t col = 0; col < part.cols(); ++col)
                wrong += whole.at(first + row, col) != part.at(row, col);
        return wrong;
    }

    template <code_layout L, class Q>
    void check(Q const& q)
    {
        auto const a = pack<L>(q);
        for (std::size_t first = 0; first <= q.rows; first += 16)
            for (std::size_t last = first; last <= round_up(q.rows, 16); last += 16)
            {
                std::size_t const end = std::min(last, q.rows);
                auto const part = a.rows(first, end);
                CHECK(part.rows() == end - first);
                CHECK(part.cols() == q.cols);
                CHECK(part.readable_widths() == a.readable_widths());
                CHECK(differing(a, part, first) == 0);
                for (unsigned bits = 1; bits < a.bits(); ++bits)
                    if (a.readable(bits))
                    {
                        CHECK(differing(a.prefix(bits), part.prefix(bits), first) == 0);
                        CHECK(differing(a.prefix(bits), a.prefix(bits).rows(first, end), first) == 0);
                    }
            }
        std::size_t bytes = 0;
        for (std::size_t first = 0; first < q.rows; first += 16)
            bytes += bytes_read(a.rows(first, std::min(first + 16, q.rows)));
        CHECK(bytes == bytes_read(a));
    }
}

TEST_CASE("rows of a matrix are its rows: ragged shapes, groups, zeros, offsets, tables")
{
    for (laws::shape const s : {laws::shape{1, 33}, laws::shape{16, 5}, laws::shape{17, 65}, laws::shape{83, 40}})
    {
        laws::sample const w = laws::weights(s.rows, s.cols, s.rows);
        for (group const g : {group{5}, group{32}, group::per_row(), group::per_tensor()})
        {
            check<bit_planes>(quantize(w.view(), uniform<8>{}, minmax<>{}, g));
            check<planes<4, 2, 2>>(quantize<bfloat16>(w.view(), uniform<8>{}, absmax{}, g));
            check<planes<4>>(quantize(w.view(), nf4{}, absmax{}, g));
            check<planes<2, 2>>(
                laws::with_offsets<half>(quantize(w.view(), uniform<4>{}, minmax<real_zero>{}, g)));
        }
        check<planes<2, 1>>(quantize(w.view(), row_table<3>{}));
    }
}

TEST_CASE("rows share planes and scales, and keep them alive")
{
    laws::sample const w = laws::weights(83, 70, 1);
    auto const q = quantize(w.view(), uniform<8>{}, minmax<>{}, group{32});
    auto const a = pack<bit_planes>(q);
    auto const part = a.rows(16, 83);
    CHECK(part.owner() == a.owner());
    CHECK(part.view().plane[7] == a.view().plane[7] + a.view().blocks * bit_planes::bytes(7));
    auto const of_temporary = pack<bit_planes>(q).rows(16, 83).rows(16, 48);
    std::vector<std::byte> const elsewhere(100000); // where freed planes would be written over
    CHECK(differing(a.rows(32, 64), of_temporary, 0) == 0);
}

TEST_CASE("rows have the scales of each width")
{
    laws::sample const w = laws::weights(50, 40, 2);
    auto const q = quantize(w.view(), uniform<8>{}, minmax<>{}, group{32});
    auto other = q;
    for (half& s : other.scales)
        s = from_float<half>(to_float(s) * 1.5f);
    auto const a = with_scales(pack<bit_planes>(q), 3, other);
    auto const part = a.rows(32, 50);
    CHECK(differing(a.prefix(3), part.prefix(3), 32) == 0);
    CHECK(differing(a.prefix(3), a.prefix(3).rows(32, 50), 32) == 0);
    CHECK(differing(a.prefix(4), part.prefix(4), 32) == 0);
    CHECK(part.prefix(3).at(0, 0) != pack<bit_planes>(q).rows(32, 50).prefix(3).at(0, 0));
}

TEST_CASE("rows that are no whole panels, or are not there")
{
    auto const a =
        pack<bit_planes>(quantize(laws::weights(83, 40, 3).view(), uniform<8>{}, absmax{}, group::per_row()));
    auto const refused = [&](std::size_t first, std::size_t last, char const* error)
    {
        CHECK_THROWS_WITH_AS(a.rows(first, last), error, shape_error);
        CHECK_THROWS_WITH_AS(a.prefix(2).rows(first, last), error, shape_error);
    };
    refused(8, 32, "rows 8 to 32 of 83: a view of rows begins at a multiple of 16 and ends at one or with the matrix");
    refused(16, 82,
            "rows 16 to 82 of 83: a view of rows begins at a multiple of 16 and ends at one or with the matrix");
    refused(0, 96, "rows 0 to 96 of 83: a view of rows begins at a multiple of 16 and ends at one or with the matrix");
    refused(32, 16,
            "rows 32 to 16 of 83: a view of rows begins at a multiple of 16 and ends at one or with the matrix");
    CHECK(packed<bit_planes>{}.rows(0, 0).rows() == 0);
}
