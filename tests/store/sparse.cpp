// SPDX-License-Identifier: BSD-3-Clause
// Sparse parts of matrices in nested files.
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
    using bits8 = packed<bit_planes, uniform<8>, half, no_zero>;
    using bits8_zero = packed<bit_planes, uniform<8>, half, std::uint8_t>;
}

TEST_CASE("a sparse part comes back beside its matrix, at every width and after a cut; its columns may have 32 bits")
{
    files::folder const folder;
    auto const matrix = models::matrix<bits8_zero>(17, 33, 16, 1);
    std::vector<triplet> const weights = {{0, 0, 1.5f}, {0, 32, -2}, {16, 7, 0}};
    csr<> const few(17, 33, weights);
    csr<float, std::uint32_t> const none(5, 7, {});
    nested::writer out;
    out.add("a", any_packed(matrix), few);
    out.add("b", models::matrix<bits8>(5, 7, 64, 2), none);
    out.add("c", models::matrix<bits8>(5, 7, 64, 2));
    CHECK_THROWS_AS(out.add("d", models::matrix<bits8>(5, 7, 64, 2), few), shape_error);
    out.save(folder / "whole");
    CHECK(models::judge(files::get(folder / "whole")) == "");
    nested::cut(folder / "whole", folder / "two", 2);

    for (auto const& path : {folder / "whole", folder / "two"})
    {
        auto const file = nested::open(path);
        CHECK(file.plain().empty());
        CHECK(file.described().layers.at("a").sparse->nonzeros == 3);
        CHECK(!file.described().layers.at("c").sparse);
        csr<> const back = file.sparse("a");
        REQUIRE(back.nonzeros() == 3);
        for (triplet const& t : weights)
            CHECK(back.at(t.row, t.col) == t.value);
        CHECK(back.at(0, 1) == 0);
        CHECK(file.sparse<float, std::uint32_t>("b").nonzeros() == 0);
        CHECK_THROWS_AS(file.sparse("b"), format_error); // of other types
        CHECK_THROWS_AS(file.sparse("c"), format_error); // there is none
        CHECK_THROWS_AS(file.sparse("e"), format_error);
        CHECK(values(file.matrix("a", 2), 2) == values(matrix, 2));
        CHECK_NOTHROW(file.verify(2));
    }
}

TEST_CASE("indices of a sparse part that lie are refused when it is asked for, with file and tensor")
{
    files::folder const folder;
    std::vector<triplet> const weights = {{0, 1, 1}, {0, 5, 2}, {2, 0, 3}};
    nested::writer out;
    out.add("m", models::matrix<bits8>(3, 7, 64, 2), csr<>(3, 7, weights));
    out.save(folder / "a");
    std::string const good = files::get(folder / "a");
    auto const plain = safetensors::open(folder / "a");
    auto const offset = [&](char const* tensor) { return plain.at(tensor).offset; };
    auto const damaged = [&](std::uint64_t at, char byte)
    {
        std::string bytes = good;
        bytes[static_cast<std::size_t>(at)] = byte;
        files::put(folder / "b", bytes);
        auto const file = nested::open(folder / "b"); // the header is whole
        try
        {
            static_cast<void>(file.sparse("m"));
        }
        catch (format_error const& e)
        {
            return std::string(e.what());
        }
        return std::string("no error");
    };
    auto const column = offset("m.sparse.column"), row = offset("m.sparse.row"), value = offset("m.sparse.value");
    CHECK(damaged(column + 2, 1).find("row 0, column 1 is there twice") != std::string::npos);
    CHECK(damaged(column + 2, 7).find("row 0, column 7 is outside 3 x 7") != std::string::npos);
    CHECK(damaged(column + 2, 0).find("column 0 comes after row 0, column 1") != std::string::npos);
    CHECK(damaged(row + 4, 9).find("row pointers of row 0 are 0 and 9") != std::string::npos);
    CHECK(damaged(row + 12, 2).find("row pointers go from 0 to 2, there are 3 values") != std::string::npos);
    CHECK(damaged(value + 1, 0x7c).find("m.sparse.row") != std::string::npos); // Inf
    CHECK(damaged(value, 1) == "no error");                                    // another number
}
