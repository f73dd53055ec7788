// SPDX-License-Identifier: BSD-3-Clause
#include <jackplane/store/cut.hpp>
#include <jackplane/store/nested_read.hpp>
#include <jackplane/store/nested_write.hpp>
#include <jackplane/store/safetensors.hpp>
#include <doctest/doctest.h>
#include <string>
#include <vector>
#include "files.hpp"
#include "models.hpp"

using namespace jackplane;
using models::values;

namespace
{
    std::string const config = R"({"hidden_size":64})";
    using bits8 = packed<bit_planes, uniform<8>, half, no_zero>;
    using bits8_zero = packed<bit_planes, uniform<8>, half, std::uint8_t>;

    // Two plain tensors and three matrices, all ragged.
    nested::writer small_model()
    {
        static std::vector<float> const norm = {1, 2, 3};
        nested::writer file;
        file.add({"config.json", dtype::U8, {config.size()}, files::bytes(config), {}});
        file.add(safetensors::item::of<float>("norm", {3}, norm));
        file.add("layers.0.q", models::matrix<bits8>(17, 33, 16, 1));
        file.add("layers.0.k", any_packed(models::matrix<bits8_zero>(5, 7, 64, 2)));
        file.add("layers.1.q", models::matrix<bits8>(64, 129, 64, 3));
        file.metadata["note"] = "made by a test";
        return file;
    }
}

TEST_CASE("the file is a valid safetensors file in the promised order, the same bytes every time")
{
    files::folder const folder;
    small_model().save(folder / "a");
    small_model().save(folder / "b");
    std::string const bytes = files::get(folder / "a");
    CHECK(bytes == files::get(folder / "b"));
    CHECK(models::judge(bytes) == "");
    digest d;
    d.add(files::bytes(bytes));
    CHECK(d.text() == "d36038fbef55a979"); // changes only with the format

    auto const strict = safetensors::open(folder / "a");
    auto const file = nested::open(folder / "a");
    std::uint64_t end = file.order().front()->offset;
    CHECK(end % 4096 == 0);
    unsigned level = 0;
    for (auto const* t : file.order())
    {
        CHECK(t->offset == end);
        end = t->end();
        if (t->name.starts_with("__pad__."))
        {
            CHECK(std::all_of(t->bytes.begin(), t->bytes.end(), [](std::byte b) { return b == std::byte{0}; }));
            continue;
        }
        CHECK(t->offset % 64 == 0);
        if (auto const at = t->name.find(".plane."); at != std::string::npos)
        {
            unsigned const plane = static_cast<unsigned>(std::stoul(t->name.substr(at + 7)));
            CHECK((plane == level || plane + 1 == level));
            if (plane == level)
            {
                CHECK(t->offset % 4096 == level * 576 % 4096);
                ++level;
            }
        }
        else
            CHECK(level == 0); // what all widths need comes first
        CHECK(strict.at(t->name).bytes.size() == t->bytes.size());
    }
    CHECK(level == 8);
    CHECK(file.metadata().at("note") == "made by a test");
    CHECK(file.plain().size() == 2);
    CHECK(safetensors::read<float>(file.at("norm")) == aligned_vector<float>{1, 2, 3});
    CHECK(std::string(reinterpret_cast<char const*>(file.at("config.json").bytes.data()), config.size()) == config);
    CHECK_THROWS_AS(file.at("layers.0.q.plane.0"), format_error); // a matrix, not a plain tensor
    CHECK_THROWS_AS(file.matrix("layers.0.v"), format_error);
    CHECK_NOTHROW(file.verify());
}

TEST_CASE_TEMPLATE_DEFINE("a matrix comes back as it was, at every width", Packed, round_trip)
{
    files::folder const folder;
    auto const path = folder / "a";
    for (auto const& [rows, cols, group] : std::vector<std::array<std::size_t, 3>>{
             {1, 1, 1}, {16, 32, 32}, {17, 33, 5}, {15, 129, 64}, {33, 31, 1000}, {2, 65, 1}, {0, 7, 4}, {7, 0, 4},
             {0, 0, 1}})
    {
        Packed const before = models::matrix<Packed>(rows, cols, group, rows * 100 + cols);
        nested::writer out;
        out.add("m", before);
        out.save(path);
        CHECK(models::judge(files::get(path)) == "");
        auto const file = nested::open(path);
        auto const any = file.matrix("m");
        REQUIRE(std::holds_alternative<Packed>(any));
        Packed const& after = std::get<Packed>(any);
        CHECK(after.rows() == rows);
        CHECK(after.cols() == cols);
        CHECK(after.readable_widths() == before.readable_widths());
        for (nested::level const& l : file.levels())
        {
            unsigned const given = file.described().bits_given(l.bits);
            CHECK((given == 0 || before.readable(given)));
        }
        for (unsigned bits = 1; bits <= 8; ++bits)
        {
            if (!before.readable(bits)) // nothing is offered that nothing can read
            {
                CHECK_THROWS_AS(nested::cut(path, folder / "cut", bits), width_error);
                continue;
            }
            auto const expected = values(before, bits);
            CHECK(values(after, bits) == expected);
            CHECK(values(file.matrix("m", bits), bits) == expected);

            nested::cut(path, folder / "cut", bits);
            CHECK(models::judge(files::get(folder / "cut")) == "");
            auto const cut = nested::open(folder / "cut");
            CHECK(cut.bits() == bits);
            CHECK_NOTHROW(cut.verify());
            CHECK(values(cut.matrix("m"), bits) == expected);

            files::put(folder / "prefix", files::get(path).substr(0, file.at_bits(bits).end));
            auto const prefix = nested::open(folder / "prefix");
            CHECK_NOTHROW(prefix.verify());
            auto const there = prefix.matrix("m");
            for (unsigned fewer = 1; fewer <= bits; ++fewer)
                if (before.readable(fewer))
                    CHECK(values(there, fewer) == values(before, fewer));
            if (bits < before.bits() && rows * cols != 0)
                CHECK_THROWS_AS(values(there, before.bits()), width_error);
        }
    }
}
template <class Any>
struct alternatives;
template <class... Packed>
struct alternatives<std::variant<Packed...>>
{
    using type = std::tuple<Packed...>;
};
using all_packed = alternatives<any_packed>::type;
TEST_CASE_TEMPLATE_APPLY(round_trip, all_packed);

TEST_CASE("formats outside any_packed come back through a variant of one's own")
{
    using odd = packed<planes<1, 2, 4>, uniform<7>, float, half>;
    files::folder const folder;
    odd const before = models::matrix<odd>(20, 40, 10);
    nested::writer out;
    out.add("m", before);
    out.save(folder / "a");
    auto const file = nested::open(folder / "a");
    CHECK(file.levels().size() == 3);
    CHECK(values(std::get<odd>(file.matrix<std::variant<odd>>("m")), 3) == values(before, 3));
    CHECK_THROWS_WITH_AS(file.matrix("m"), doctest::Contains("expected a format this reader was built for, found "
                                                             "uniform 7 bits in 3 planes, scales F32, zeros F16"),
                         format_error);
    CHECK_THROWS_WITH_AS(nested::cut(file, folder / "b", 2), doctest::Contains("no level of 2 bits; there are 1, 3, 7"),
                         width_error);
}

namespace
{
    // A matrix with scales of its own at 2 bits, as `folder`/a and cut at each width: read as it was.
    template <class M, class Any>
    void check_cuts(files::folder const& folder)
    {
        auto const own = with_scales(models::matrix<M>(20, 40, 10), 2, unpack(models::matrix<M>(20, 40, 10, 2)));
        nested::writer out;
        out.add("m", own);
        out.save(folder / "a");
        auto const check = [&](char const* file, unsigned widest)
        {
            auto const read = std::get<M>(nested::open(folder / file).template matrix<Any>("m"));
            for (unsigned bits = 1; bits <= widest; ++bits)
                if (own.readable(bits))
                    CHECK(values(read, bits) == values(own, bits));
        };
        check("a", own.bits());
        for (unsigned bits = 1; bits <= own.bits(); ++bits)
            if (own.readable(bits))
            {
                nested::cut(folder / "a", folder / "b", bits);
                check("b", bits);
            }
    }
}

TEST_CASE_TEMPLATE("offsets keep their meaning, cut or not", Z, offset_zero<half>, offset_zero<bfloat16>,
                   offset_zero<float>)
{
    using offsets = packed<planes<2, 2>, uniform<4>, float, Z>;
    files::folder const folder;
    check_cuts<offsets, std::variant<offsets>>(folder);
    CHECK_THROWS_WITH_AS(nested::open(folder / "a").matrix("m"), doctest::Contains("scales F32, zeros offset "),
                         format_error);
}

TEST_CASE("parents that overlap, with scales of their own at 2 bits, keep their meaning, cut or not")
{
    files::folder const folder;
    check_cuts<packed<bit_planes, overlapping<8>, half, integer_zero>, any_packed>(folder);
}

TEST_CASE("layers of different planes share a file; a layer too coarse for a level says so")
{
    files::folder const folder;
    auto const fine = models::matrix<bits8>(20, 40, 10, 1);
    auto const coarse = models::matrix<packed<planes<4, 4>, uniform<8>, half, no_zero>>(20, 40, 10, 2);
    nested::writer out;
    out.add("fine", fine);
    out.add("coarse", coarse);
    out.save(folder / "a");
    nested::cut(folder / "a", folder / "b", 4);
    auto const file = nested::open(folder / "b");
    CHECK(values(file.matrix("fine"), 3) == values(fine, 3));
    CHECK(values(file.matrix("coarse"), 4) == values(coarse, 4));
    nested::cut(folder / "a", folder / "b", 2);
    auto const two = nested::open(folder / "b");
    CHECK(values(two.matrix("fine"), 2) == values(fine, 2));
    CHECK_THROWS_WITH_AS(two.matrix("coarse"), doctest::Contains("planes that give 4 to 8 bits, not 2"), width_error);
}

TEST_CASE("a width's own scales travel with its level")
{
    files::folder const folder;
    auto const base = models::matrix<bits8_zero>(20, 40, 10, 1), other = models::matrix<bits8_zero>(20, 40, 10, 2);
    bits8_zero::width_scales own{};
    own[2] = own[5] = {other.view().scales, other.view().zeros};
    bits8_zero const before(base.view(), std::make_shared<std::pair<bits8_zero, bits8_zero>>(base, other), own);
    CHECK(values(before, 2) != values(base, 2));
    nested::writer out;
    out.add("m", before);
    out.save(folder / "a");
    auto const check = [&](nested::file const& file)
    {
        CHECK_NOTHROW(file.verify());
        for (unsigned bits = 1; bits <= file.bits(); ++bits)
        {
            CHECK(values(file.matrix("m"), bits) == values(before, bits));
            CHECK(values(file.matrix("m", bits), bits) == values(before, bits));
        }
        auto const top = std::get<bits8_zero>(file.matrix("m")); // without a prefix: the same as at its bits
        CHECK(models::values(top) == values(before, file.bits()));
    };
    check(nested::open(folder / "a"));
    for (unsigned bits = 1; bits <= 8; ++bits)
    {
        nested::cut(folder / "a", folder / "b", bits);
        CHECK(models::judge(files::get(folder / "b")) == "");
        check(nested::open(folder / "b"));
        auto const strict = safetensors::open(folder / "b");
        CHECK((strict.find("m.scale.2") != nullptr) == (bits >= 2));
        CHECK((strict.find("m.zero.5") != nullptr) == (bits >= 5));
    }
    own[3] = own[2];
    using pairs = packed<planes<2, 2, 2, 2>, uniform<8>, half, no_zero>;
    auto const wide = models::matrix<pairs>(20, 40, 10);
    pairs::width_scales wrong{};
    wrong[3].scales = other.view().scales;
    CHECK_THROWS_AS(out.add("n", pairs(wide.view(), wide.owner(), wrong)), width_error);
}

TEST_CASE("a view of columns, or of rows of one, is written as a matrix of those alone")
{
    files::folder const folder;
    auto const base = models::matrix<bits8_zero>(35, 200, 64, 1), other = models::matrix<bits8_zero>(35, 200, 64, 2);
    bits8_zero::width_scales own{};
    own[2] = {other.view().scales, other.view().zeros};
    bits8_zero const a(base.view(), std::make_shared<std::pair<bits8_zero, bits8_zero>>(base, other), own);
    auto const table = models::matrix<packed<planes<4>, row_table<4>>>(35, 200, 64, 3);
    auto const write = [&](char const* name, auto const&... all)
    {
        nested::writer out;
        std::size_t n = 0;
        (out.add(std::to_string(n++), all), ...);
        out.save(folder / name);
        return files::get(folder / name);
    };
    for (auto const& part : {a.cols(64, 200), a.cols(64, 128).rows(16, 35), a.rows(0, 32).cols(128, 200)})
    {
        // by hand: codes and scales of each width, packed again
        bits8_zero const copy = with_scales(pack<bits8_zero::layout_type>(unpack(part)), 2, [&]
        {
            auto q = unpack(part);
            for (std::size_t row = 0; row < q.rows; ++row)
                for (std::size_t g = 0; g < q.grid.per_row; ++g)
                {
                    auto const v = part.prefix(2).view();
                    std::size_t const at = detail::scale_index(v, row, g * v.group);
                    q.scales[row * q.grid.per_row + g] = v.scales[at];
                    q.zeros[row * q.grid.per_row + g] = v.zeros[at];
                }
            return q;
        }());
        CHECK(write("view", part) == write("copy", copy));
        auto const file = nested::open(folder / "view");
        CHECK_NOTHROW(file.verify());
        for (unsigned const bits : {1u, 2u, 5u, 8u})
            CHECK(values(file.matrix("0"), bits) == values(part, bits));
    }
    auto const part = table.cols(96, 200);
    CHECK(write("view", part) == write("copy", pack<planes<4>>(unpack(part))));
}

TEST_CASE("cutting a cut, and over itself")
{
    files::folder const folder;
    small_model().save(folder / "a");
    nested::cut(folder / "a", folder / "b", 6);
    nested::cut(folder / "b", folder / "c", 3);
    nested::cut(folder / "a", folder / "d", 3);
    CHECK(files::get(folder / "c") == files::get(folder / "d"));
    auto const file = nested::open(folder / "b");
    auto const before = values(file.matrix("layers.1.q"), 3);
    nested::cut(folder / "b", folder / "b", 3);
    CHECK(files::get(folder / "b") == files::get(folder / "d"));
    CHECK(values(file.matrix("layers.1.q"), 3) == before); // the mapping of the older file still stands
    CHECK(nested::open(folder / "d").metadata().at("note") == "made by a test");
    CHECK_THROWS_AS(nested::cut(folder / "d", folder / "e", 4), width_error);
}

TEST_CASE("matrices outlive the file they came from")
{
    files::folder const folder;
    small_model().save(folder / "a");
    any_packed const m = nested::open(folder / "a").matrix("layers.1.q");
    CHECK(values(m, 4) == values(models::matrix<bits8>(64, 129, 64, 3), 4));
}

TEST_CASE("the writer refuses what would not come back")
{
    files::folder const folder;
    auto const m = models::matrix<bits8>(3, 4, 2);
    std::string const one = "1";
    nested::writer out;
    CHECK_THROWS_AS(out.save(folder / "a"), format_error); // no matrix
    out.add("m", m);
    out.add("m", m);
    CHECK_THROWS_WITH_AS(out.save(folder / "a"), "layer 'm': the name is taken", format_error);
    nested::writer pad;
    pad.add("m", m);
    pad.add({"__pad__.0", dtype::U8, {1}, files::bytes(one), {}});
    CHECK_THROWS_AS(pad.save(folder / "a"), format_error);
    nested::writer clash;
    clash.add("m", m);
    clash.add({"m.scale", dtype::U8, {1}, files::bytes(one), {}});
    CHECK_THROWS_WITH_AS(clash.save(folder / "a"), "tensor 'm.scale': the name is taken", format_error);
    nested::writer key;
    key.add("m", m);
    key.metadata["nested"] = "mine";
    CHECK_THROWS_AS(key.save(folder / "a"), format_error);
    CHECK_THROWS_AS(key.add("part", bits8(m.prefix(4).view(), m.owner())), width_error);
    CHECK(folder.entries() == 0);
}

TEST_CASE("a file of another length is truncated, and the error prints the lengths")
{
    files::folder const folder;
    nested::writer out;
    out.add("m", models::matrix<packed<planes<4, 4>, uniform<8>, half, no_zero>>(3, 4, 2));
    out.save(folder / "a");
    std::string const bytes = files::get(folder / "a");
    auto const file = nested::open(folder / "a");
    auto const first = file.levels()[0].end, last = file.levels()[1].end;
    auto const error_of = [](std::string const& s) { return nested::try_parse(files::bytes(s), "f").error; };
    std::string const expected = text(": expected a file of ", first, " (4 bits) or ", last, " (8 bits) bytes, found ");
    CHECK(error_of(bytes.substr(0, first)) == "");
    CHECK(error_of(bytes) == "");
    CHECK(error_of(bytes.substr(0, last - 1)) == text("f: offset ", last - 1, expected, last - 1, " (truncated)"));
    CHECK(error_of(bytes.substr(0, first + 1)) == text("f: offset ", first + 1, expected, first + 1, " (truncated)"));
    CHECK(error_of(bytes + "x") == text("f: offset ", last + 1, expected, last + 1));
}

template <class F>
concept points_into_nested =
    requires(F&& f) { std::forward<F>(f).levels(); } || requires(F&& f) { std::forward<F>(f).order(); } ||
    requires(F&& f) { std::forward<F>(f).plain(); } || requires(F&& f) { std::forward<F>(f).find("a"); } ||
    requires(F&& f) { std::forward<F>(f).at("a"); };
static_assert(points_into_nested<nested::file&> && points_into_nested<nested::file const&>);
static_assert(!points_into_nested<nested::file> && !points_into_nested<nested::file const>);
static_assert(!std::is_reference_v<decltype(std::declval<nested::file>().at_bits(1))>);

TEST_CASE("slices that round: the bits of a level can be read up to its end, before and after a cut")
{
    files::folder const folder;
    auto const before = models::matrix<bits8>(20, 70, 10, 3);
    auto const sliced = [](bits8 const& m, unsigned bits, auto rule)
    { return models::values(repack<bit_planes>(m, bits, rule)); };
    auto const check = [&](auto rule)
    {
        nested::writer out;
        out.slice = rule.name();
        out.add("m", before);
        out.save(folder / "a");
        CHECK(models::judge(files::get(folder / "a")) == "");
        std::vector<unsigned> levels;
        auto const whole = nested::open(folder / "a");
        for (nested::level const& l : whole.levels())
        {
            levels.push_back(l.bits);
            files::put(folder / "prefix", files::get(folder / "a").substr(0, l.end));
            auto const prefix = nested::open(folder / "prefix");
            CHECK_NOTHROW(prefix.verify());
            CHECK(prefix.bits() == l.bits);
            if (unsigned const widest = prefix.described().bits_given(l.bits); widest > 0)
                CHECK(sliced(std::get<bits8>(prefix.matrix("m")), widest, rule) == sliced(before, widest, rule));
        }
        CHECK(levels == std::vector<unsigned>{1, 2, 3, 4, 5, 6, 7, 8});
        for (unsigned bits = 1; bits <= 8; ++bits)
        {
            nested::cut(folder / "a", folder / "cut", bits);
            CHECK(models::judge(files::get(folder / "cut")) == "");
            auto const cut = nested::open(folder / "cut");
            CHECK_NOTHROW(cut.verify());
            auto const m = std::get<bits8>(cut.matrix("m"));
            for (unsigned fewer = 1; fewer <= bits; ++fewer)
                CHECK(sliced(m, fewer, rule) == sliced(before, fewer, rule));
            if (bits < 7)
                CHECK_THROWS_AS(static_cast<void>(repack<bit_planes>(m, bits + 1, rule)), width_error);
        }
    };
    check(round_clamp{});
    check(extra_precision{});
}
