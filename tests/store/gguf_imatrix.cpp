// SPDX-License-Identifier: BSD-3-Clause
#include <jackplane/store/gguf/imatrix.hpp>
#include <doctest/doctest.h>
#include <cstring>
#include <string>
#include <vector>
#include "files.hpp"

using namespace jackplane;

namespace
{
    std::string i32(std::int32_t n)
    {
        std::string s(4, '\0');
        std::memcpy(s.data(), &n, 4);
        return s;
    }
    std::string f32(float x)
    {
        std::string s(4, '\0');
        std::memcpy(s.data(), &x, 4);
        return s;
    }
    std::string imatrix_error(std::string const& bytes)
    {
        auto const read = try_load([&] { return gguf::parse_imatrix(files::bytes(bytes), "f"); });
        CHECK(read.error.find('\n') == std::string::npos);
        return read.error;
    }
}

TEST_CASE("an importance matrix comes back from a GGUF file; a weight may be several matrices")
{
    files::folder const folder;
    gguf::importance_matrix m{{"books.txt"}, 5, 512, {}};
    m.of["blk.0.ffn_up.weight"] = {{2, 4, 6}, {2}};
    m.of["blk.0.ffn_up_exps.weight"] = {{1, 2, 3, 4, 5, 6}, {1, 0}};
    gguf::save_imatrix(folder / "a.gguf", m);
    auto const read = gguf::open_imatrix(folder / "a.gguf");
    CHECK(read.datasets == m.datasets);
    CHECK(read.chunk_count == 5);
    CHECK(read.chunk_size == 512);
    REQUIRE(read.of.size() == 2);
    auto const& up = read.of.at("blk.0.ffn_up.weight");
    CHECK(up.importance() == std::vector<float>{1, 2, 3});
    auto const& experts = read.of.at("blk.0.ffn_up_exps.weight");
    CHECK(experts.columns() == 3);
    CHECK(experts.importance(0) == std::vector<float>{1, 2, 3});
    CHECK(experts.importance(1) == std::vector<float>{1, 1, 1}); // no token came to it
    CHECK_THROWS_WITH_AS(experts.importance(2), "matrix 2 of 2", shape_error);
    auto const f = gguf::open(folder / "a.gguf");
    CHECK(f.metadata().get<std::string>("general.type") == "imatrix");
    CHECK(f.at("blk.0.ffn_up.weight.counts").shape == gguf::extents{1, 1});
    CHECK(f.at("blk.0.ffn_up_exps.weight.in_sum2").shape == gguf::extents{2, 3});
}

TEST_CASE("the older form, with its end and without, byte for byte")
{
    files::folder const folder;
    std::string const entries = i32(2) + i32(1) + "a" + i32(4) + i32(2) + f32(8) + f32(2) + i32(1) + "b" + i32(0) +
                                i32(1) + f32(0),
                      end = i32(7) + i32(4) + "text";
    auto const read = gguf::parse_imatrix(files::bytes(entries + end), "f");
    CHECK(read.of.at("a").importance() == std::vector<float>{2, 0.5f});
    CHECK(read.of.at("b").importance() == std::vector<float>{1});
    CHECK(read.chunk_count == 7);
    CHECK(read.datasets == std::vector<std::string>{"text"});
    CHECK(gguf::parse_imatrix(files::bytes(entries), "f").datasets.empty());

    gguf::importance_matrix one{{"text"}, 7, 0, {}};
    one.of["a"] = read.of.at("a");
    gguf::save_old_imatrix(folder / "a.dat", one);
    CHECK(files::get(folder / "a.dat") == i32(1) + i32(1) + "a" + i32(4) + i32(2) + f32(8) + f32(2) + end);
    one.of["a"] = {{8, 2, 3, 5}, {4, 0}}; // two matrices: their means
    gguf::save_old_imatrix(folder / "a.dat", one);
    CHECK(gguf::open_imatrix(folder / "a.dat").of.at("a").importance() == std::vector<float>{2, 0.5f, 1, 1});
    for (std::size_t size = 0; size < entries.size(); ++size)
        CHECK(imatrix_error(entries.substr(0, size)) != "");
}

TEST_CASE("importance matrices that are none")
{
    files::folder const folder;
    CHECK(imatrix_error("") ==
          "f: offset 0: expected 4 bytes of the number of entries, found 0 up to the end of the file");
    CHECK(imatrix_error(i32(0)) == "f: offset 0: expected an importance matrix, found one of no entries");
    CHECK(imatrix_error(i32(-1) + "more") == "f: offset 0: expected the number of entries, from 0 to 0, found -1");
    std::string const a = i32(1) + "a" + i32(1) + i32(1);
    CHECK(imatrix_error(i32(1) + a + f32(-1)) == "f: tensor 'a': expected sums and counts from 0, found -1");
    CHECK(imatrix_error(i32(2) + a + f32(1) + a + f32(1)) ==
          "f: tensor 'a', offset 21: expected every name once, found "
          "another");
    CHECK(imatrix_error(i32(1) + a + f32(1) + i32(1) + i32(0) + "x") ==
          "f: offset 29: expected the end of the file, found 1 bytes more");
    CHECK(imatrix_error("<html>a page</html>") != "");

    std::vector<float> const x(4);
    auto const save = [&](std::string const& name, gguf::extents const& shape, std::string const& counts)
    {
        gguf::item const items[] = {gguf::item::of<gguf::f32>(name, {2, 2}, std::as_bytes(std::span(x))),
                                    gguf::item::of<gguf::f32>(counts, shape, std::as_bytes(std::span(x)).first(8))};
        gguf::save(folder / "a", items, {});
        return gguf::try_open_imatrix(folder / "a").error;
    };
    auto const file = (folder / "a").string();
    CHECK(save("w.in_sum2", {2, 1}, "w.counts") == "");
    CHECK(save("w.in_sum2", {1, 2}, "w.counts") ==
          file +
              ": tensor 'w.counts', offset 160: expected F32 [2, 1] beside F32 squares, found F32 [1, 2] beside F32");
    CHECK(save("w.in_sum2", {2, 1}, "v.counts") == file + ": no tensor 'w.counts' among 2");
    CHECK(save("w.in_sum", {2, 1}, "w.counts") == file + ": offset 0: expected tensors '<weight>.in_sum2', found none");
}
