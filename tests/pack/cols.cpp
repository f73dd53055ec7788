// SPDX-License-Identifier: BSD-3-Clause
// Columns of a packed matrix as a matrix that shares its memory.
#include <numeric>
#include <doctest/doctest.h>
#include <jackplane/pack/contiguous.hpp>
#include <jackplane/pack/row.hpp>
#include <jackplane/quantize/quantize.hpp>
#include <jackplane/quantize/row_table.hpp>
#include "../laws/offsets.hpp"
#include "../laws/weights.hpp"
using namespace jackplane;

namespace
{
    template <class A, class B>
    std::size_t differing(A const& whole, B const& part, std::size_t first, std::size_t first_row = 0)
    {
        std::size_t wrong = 0;
        for (std::size_t row = 0; row < part.rows(); ++row)
            for (std::size_t col = 0; col < part.cols(); ++col)
                wrong += whole.at(first_row + row, first + col) != part.at(row, col);
        return wrong;
    }
    template <class M>
    std::vector<float> values(M const& a)
    {
        std::vector<float> w(a.rows() * a.cols());
        dequantize(a, {w.data(), a.rows(), a.cols()});
        return w;
    }

    // The columns [first, last) of what was quantized in groups of g.
    template <codebook C, scale_number S, zero_number Z>
    quantized<C, S, Z> columns_of(quantized<C, S, Z> const& q, std::size_t first, std::size_t last)
    {
        bool const tables = row_codebook<C>;
        std::size_t const cols = last - first, most = q.grid.columns;
        auto const grid = tables ? q.grid : group_grid::of({q.grid.per_row <= 1 ? cols + !cols : most}, cols);
        quantized<C, S, Z> part{q.book, q.rows, cols, grid, {}, {}, {}};
        for (std::size_t row = 0; row < q.rows; ++row)
        {
            for (std::size_t col = first; col < last; ++col)
                part.codes.push_back(q.codes[row * q.cols + col]);
            for (std::size_t g = 0; g < grid.per_row; ++g)
            {
                std::size_t const at = q.grid.at(row, tables ? g : first + g * grid.columns);
                part.scales.push_back(q.scales[at]);
                if (!q.zeros.empty())
                    part.zeros.push_back(q.zeros[at]);
            }
        }
        return part;
    }
    template <class M>
    bool same_matrix(M const& a, M const& b) // what they decode to, their codes and sizes
    {
        auto const &v = a.view(), &w = b.view();
        return values(a) == values(b) && codes_of(a) == codes_of(b) && v.rows == w.rows && v.cols == w.cols &&
               v.panels == w.panels && v.blocks == w.blocks && v.group == w.group && v.groups == w.groups &&
               v.planes == w.planes && v.bits == w.bits && v.step == w.step && v.base == w.base &&
               bytes_read(a) == bytes_read(b);
    }

    template <code_layout L, class Q>
    void expect_columns(Q const& q)
    {
        auto const a = pack<L>(q);
        std::size_t const step = row_codebook<typename Q::codebook_type> || q.grid.per_row <= 1
                                     ? block::cols
                                     : std::lcm(q.grid.columns, block::cols);
        for (std::size_t first = 0; first <= q.cols; first += step)
            for (std::size_t last = first; last <= round_up(q.cols, step); last += step)
            {
                std::size_t const end = std::min(last, q.cols);
                CAPTURE(first);
                CAPTURE(end);
                auto const part = a.cols(first, end);
                auto const copy = pack<L>(columns_of(q, first, end));
                CHECK(part.rows() == q.rows);
                CHECK(part.cols() == end - first);
                CHECK(part.readable_widths() == a.readable_widths());
                CHECK(same_matrix(part, copy));
                CHECK(differing(a, part, first) == 0);
                for (unsigned bits = 1; bits < a.bits(); ++bits)
                    if (a.readable(bits))
                    {
                        CHECK(same_matrix(part.prefix(bits), copy.prefix(bits)));
                        CHECK(same_matrix(a.prefix(bits).cols(first, end), copy.prefix(bits)));
                    }
                auto const back = unpack(part), expected = unpack(copy);
                CHECK(back.codes == expected.codes);
                CHECK(back.scales == expected.scales);
                CHECK(back.zeros == expected.zeros);

                auto const own = contiguous(part);
                CHECK(is_contiguous(own));
                CHECK(same_matrix(own, copy));
                auto const &v = own.view(), &w = copy.view();
                for (std::size_t p = 0; p < v.planes; ++p)
                    CHECK(std::equal(v.plane[p], v.plane[p] + v.panels * v.blocks * L::bytes(p), w.plane[p]));
                CHECK(std::equal(v.scales, v.scales + v.panels * v.groups * block::rows, w.scales));
                if (v.zeros != nullptr)
                    CHECK(std::equal(v.zeros, v.zeros + v.panels * v.groups * block::rows, w.zeros));

                if (q.rows > block::rows && end != first) // rows of columns, columns of rows
                {
                    auto const below = part.rows(block::rows, q.rows);
                    CHECK(differing(a, below, first, block::rows) == 0);
                    CHECK(same_matrix(below, a.rows(block::rows, q.rows).cols(first, end)));
                    std::vector<float> row(end - first);
                    dequantize_row(below, q.rows - block::rows - 1, row);
                    for (std::size_t col = 0; col < row.size(); ++col)
                        CHECK(row[col] == a.at(q.rows - 1, first + col));
                }
            }
    }
}

TEST_CASE("columns of a matrix are what packing those alone gives: ragged shapes, groups, zeros, offsets, tables")
{
    for (laws::shape const s : {laws::shape{1, 33}, laws::shape{16, 5}, laws::shape{17, 165}, laws::shape{35, 352}})
    {
        CAPTURE(s.cols);
        laws::sample const w = laws::weights(s.rows, s.cols, s.rows);
        for (group const g : {group{5}, group{32}, group{48}, group{64}, group::per_row(), group::per_tensor()})
        {
            CAPTURE(g.columns);
            expect_columns<bit_planes>(quantize(w.view(), uniform<8>{}, minmax<>{}, g));
            expect_columns<planes<4, 2, 2>>(quantize<bfloat16>(w.view(), uniform<8>{}, absmax{}, g));
            expect_columns<planes<4>>(quantize(w.view(), nf4{}, absmax{}, g));
            expect_columns<planes<2, 2>>(
                laws::with_offsets<half>(quantize(w.view(), uniform<4>{}, minmax<real_zero>{}, g)));
        }
        expect_columns<planes<2, 1>>(quantize(w.view(), row_table<3>{}));
    }
}

TEST_CASE("columns share planes and scales, and keep them alive")
{
    laws::sample const w = laws::weights(83, 200, 1);
    auto const q = quantize(w.view(), uniform<8>{}, minmax<>{}, group{64});
    auto const a = pack<bit_planes>(q);
    auto const part = a.cols(64, 200);
    CHECK(part.owner() == a.owner());
    CHECK(part.view().plane[7] == a.view().plane[7] + 2 * bit_planes::bytes(7));
    CHECK(part.view().scales == a.view().scales + block::rows);
    CHECK(part.view().block_stride == 7);
    CHECK(part.view().group_stride == 4);
    CHECK(!is_contiguous(part));
    CHECK(is_contiguous(a));
    CHECK(is_contiguous(a.rows(16, 48)));
    CHECK(contiguous(a).owner() == a.owner());
    CHECK(contiguous(part).owner() != a.owner());
    auto const of_temporary = pack<bit_planes>(q).cols(64, 200).cols(64, 128);
    std::vector<std::byte> const elsewhere(100000); // where freed planes would be written over
    CHECK(differing(a.cols(128, 192), of_temporary, 0) == 0);
}

TEST_CASE("columns have the scales of each width, those of a view of columns too")
{
    laws::sample const w = laws::weights(50, 160, 2);
    auto const q = quantize(w.view(), uniform<8>{}, minmax<>{}, group{32});
    auto other = q;
    for (half& s : other.scales)
        s = from_float<half>(to_float(s) * 1.5f);
    auto const a = with_scales(pack<bit_planes>(q), 3, other);
    auto const part = a.cols(96, 160);
    auto const given = with_scales(pack<bit_planes>(q).cols(96, 160), 3, columns_of(other, 96, 160));
    for (auto const& each : {part, contiguous(part), given, contiguous(given)})
    {
        CHECK(differing(a.prefix(3), each.prefix(3), 96) == 0);
        CHECK(differing(a.prefix(4), each.prefix(4), 96) == 0);
        CHECK(differing(a, each, 96) == 0);
        CHECK(differing(a.prefix(3), each.cols(32, 64).rows(32, 50).prefix(3), 128, 32) == 0);
    }
    CHECK(differing(a.prefix(3), a.prefix(3).cols(96, 160), 96) == 0);
}

TEST_CASE("a width that reads the scales of the matrix still does in a copy of columns")
{
    laws::sample const w = laws::weights(20, 96, 4);
    auto const q = quantize(w.view(), uniform<8>{}, minmax<>{}, group{32});
    auto const part = contiguous(pack<bit_planes>(q).prefix(4).cols(32, 96)); // a temporary's prefix owns
    CHECK(part.own_scales()[2].scales == part.view().scales);
    CHECK(part.own_scales()[2].zeros == part.view().zeros);
}

TEST_CASE("columns repacked by another rule")
{
    auto const a = pack<bit_planes>(
        quantize(laws::weights(35, 130, 5).view(), uniform<8>{}, minmax<>{}, group{32}));
    auto const whole = repack<planes<4, 4>>(a, 4, round_clamp{});
    auto const part = repack<planes<4, 4>>(a.cols(32, 130), 4, round_clamp{});
    CHECK(is_contiguous(part));
    CHECK(differing(whole, part, 32) == 0);
}

TEST_CASE("columns of a matrix without rows")
{
    auto const q = quantize(matrix_view<float const>{nullptr, 0, 128}, uniform<8>{}, minmax<>{}, group{32});
    auto const a = pack<bit_planes>(q);
    auto const part = a.cols(32, 96);
    CHECK(part.view().scales == a.view().scales);
    CHECK(a.cols(32, 96).cols(32, 64).prefix(4).cols() == 32); // of a temporary: scales and zeros of all widths
    CHECK(contiguous(a.cols(64, 128)).prefix(3).rows() == 0);
}

TEST_CASE("columns that are no whole groups and blocks, or are not there")
{
    auto const refused = [](auto const& a, std::size_t first, std::size_t last, std::size_t step)
    {
        std::string const error = text("columns ", first, " to ", last, " of 200: a view of columns begins at a "
                                       "multiple of ", step, " and ends at one or with the matrix");
        CHECK_THROWS_WITH_AS(a.cols(first, last), error.c_str(), shape_error);
        CHECK_THROWS_WITH_AS(a.prefix(a.bits()).cols(first, last), error.c_str(), shape_error);
    };
    auto const w = laws::weights(20, 200, 3);
    auto const in_groups = [&](group g)
    { return pack<bit_planes>(quantize(w.view(), uniform<8>{}, absmax{}, g)); };
    auto const a = in_groups(group{64});
    refused(a, 32, 64, 64);
    refused(a, 0, 96, 64);
    refused(a, 64, 199, 64);
    refused(a, 64, 256, 64);
    refused(a, 128, 64, 64);
    refused(a, 200, 200, 64);
    refused(in_groups(group{48}), 48, 96, 96);
    refused(in_groups(group{16}), 16, 96, 32);
    refused(in_groups(group::per_row()), 16, 96, 32);
    refused(pack<planes<2, 1>>(quantize(w.view(), row_table<3>{})), 16, 96, 32);
    CHECK(a.cols(64, 64).cols() == 0);
    CHECK(packed<bit_planes>{}.cols(0, 0).cols() == 0);
    CHECK(packed<planes<2, 1>, row_table<3>>{}.cols(0, 0).cols() == 0);
}
