// SPDX-License-Identifier: BSD-3-Clause
#include <jackplane/store/safetensors.hpp>
#include <jackplane/store/safetensors_write.hpp>
#include <doctest/doctest.h>
#include <algorithm>
#include <map>
#include <span>
#include <string>
#include <vector>
#include "files.hpp"

using namespace jackplane;

namespace
{
    std::string error_of(std::string_view json, std::size_t data = 0)
    {
        auto const read = safetensors::try_parse(files::bytes(files::around(json, data)), "f");
        CHECK(read.error.find('\n') == std::string::npos);
        return read.error;
    }
}

TEST_CASE("the smallest file of the specification, byte by byte")
{
    files::folder const folder;
    std::vector<std::int32_t> const values = {1, -2, 3, 4};
    safetensors::item const items[] = {safetensors::item::of<std::int32_t>("test", {2, 2}, values)};
    safetensors::save(folder / "a", items);
    std::string const json = R"({"test":{"dtype":"I32","shape":[2,2],"data_offsets":[0,16]}})";
    static_assert(sizeof(R"({"test":{"dtype":"I32","shape":[2,2],"data_offsets":[0,16]}})") - 1 == 0x3c);
    std::string const head("\x40\0\0\0\0\0\0\0", 8); // 0x3c, padded to a multiple of 8
    std::string const data("\1\0\0\0\xfe\xff\xff\xff\3\0\0\0\4\0\0\0", 16);
    CHECK(files::get(folder / "a") == head + json + "    " + data);

    std::string const unpadded = std::string("\x3c\0\0\0\0\0\0\0", 8) + json + data; // data at 68: not a multiple of 8
    auto const read = safetensors::parse(files::bytes(unpadded), "b");
    CHECK(read.at("test").offset == 68);
    CHECK(safetensors::read<std::int32_t>(read.at("test"), {2, 2}) == aligned_vector<std::int32_t>{1, -2, 3, 4});
}

TEST_CASE_TEMPLATE("every element type comes back", T, std::uint8_t, std::int8_t, std::uint16_t, std::int16_t,
                   std::uint32_t, std::int32_t, std::uint64_t, std::int64_t, float, double, half, bfloat16)
{
    files::folder const folder;
    aligned_vector<T> values(15);
    for (std::size_t i = 0; i < values.size(); ++i)
        reinterpret_cast<unsigned char*>(values.data())[i * sizeof(T)] = static_cast<unsigned char>(i % 2);
    std::string const odd = "x"; // puts what follows at an odd offset
    safetensors::item const items[] = {
        {"odd", dtype::U8, {1}, files::bytes(odd), {}},
        safetensors::item::of<T>("values", {3, 5}, values),
        safetensors::item::of<T>("scalar", {}, std::span(values).first(1)),
        safetensors::item::of<T>("none", {7, 0, 2}, {}),
    };
    safetensors::save(folder / "a", items, {{"format", "pt"}, {"odd \"key\"\n", "value \xc3\xa9"}});
    auto const file = safetensors::open(folder / "a");
    CHECK(file.tensors().size() == 4);
    CHECK(file.at("values").offset % 2 == 1);
    CHECK(safetensors::read<T>(file.at("values"), {3, 5}) == values);
    CHECK(safetensors::read<T>(file.at("scalar"), {}) == aligned_vector<T>{values[0]});
    CHECK(safetensors::read<T>(file.at("none")).empty());
    CHECK(file.metadata().at("odd \"key\"\n") == "value \xc3\xa9");
    CHECK_THROWS_AS(safetensors::read<T>(file.at("values"), {5, 3}), shape_error);
    CHECK_THROWS_AS(safetensors::read<T>(file.at("values2")), format_error);
}

TEST_CASE("float reads F16, BF16, F32 and F64, and nothing else")
{
    std::string data("\0\x3c", 2);           // F16 1
    data += std::string("\x20\xc0", 2);      // BF16 -2.5
    data += std::string("\0\0\0\x3f", 4);    // F32 0.5
    data += std::string("\0\0\0\0\0\0\x10\x40", 8); // F64 4
    std::string const json = R"({"h":{"dtype":"F16","shape":[1],"data_offsets":[0,2]},)"
                             R"("b":{"dtype":"BF16","shape":[],"data_offsets":[2,4]},)"
                             R"("f":{"dtype":"F32","shape":[1,1],"data_offsets":[4,8]},)"
                             R"("d":{"dtype":"F64","shape":[1],"data_offsets":[8,16]},)"
                             R"("e":{"dtype":"I64","shape":[0],"data_offsets":[16,16]}})";
    std::string const bytes = files::u64(json.size()) + json + data;
    auto const file = safetensors::parse(files::bytes(bytes), "f");
    CHECK(safetensors::read<float>(file.at("h"))[0] == 1.0f);
    CHECK(safetensors::read<float>(file.at("b"))[0] == -2.5f);
    CHECK(safetensors::read<float>(file.at("f"))[0] == 0.5f);
    CHECK(safetensors::read<float>(file.at("d"))[0] == 4.0f);
    CHECK_THROWS_WITH(safetensors::read<float>(file.at("e")),
                      "tensor 'e': expected F32, F16, BF16 or F64, found I64");
    CHECK_THROWS_WITH(safetensors::read<half>(file.at("b")), "tensor 'b': expected F16, found BF16");
    CHECK_THROWS_WITH(file.at("z\n"), "f: no tensor 'z\\x0a' among 5");
}

TEST_CASE("a matrix is visited where it lies, as the type that the file says")
{
    std::string const json = R"({"h":{"dtype":"F16","shape":[1,2],"data_offsets":[0,4]},)"
                             R"("b":{"dtype":"BF16","shape":[2,1],"data_offsets":[4,8]},)"
                             R"("v":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},)"
                             R"("i":{"dtype":"I8","shape":[1,1],"data_offsets":[12,13]},)"
                             R"("f":{"dtype":"F32","shape":[1,1],"data_offsets":[13,17]}})";
    std::string const data("\0\x3c\0\0\x20\xc0\0\0\0\0\0\x3f\1\0\0\0\x3f", 17);
    std::string const bytes = files::u64(json.size()) + json + std::string(8 - json.size() % 8, ' ');
    std::string const head = files::u64(bytes.size() - 8) + bytes.substr(8);
    alignas(8) char all[512];
    REQUIRE(head.size() + data.size() <= sizeof all);
    std::copy(data.begin(), data.end(), std::copy(head.begin(), head.end(), all));
    auto const file = safetensors::parse(std::as_bytes(std::span(all, head.size() + data.size())), "f");
    auto const last = [](auto w) { return to_float(w(w.rows - 1, w.cols - 1)); };
    CHECK(safetensors::visit_matrix(file.at("h"), [](auto w) { return to_float(w(0, 0)); }) == 1.0f);
    CHECK(safetensors::visit_matrix(file.at("h"), last) == 0.0f);
    CHECK(safetensors::visit_matrix(file.at("b"), [](auto w) { return w.rows == 2 && to_float(w(0, 0)) == -2.5f; }));
    CHECK_THROWS_WITH_AS(safetensors::visit_matrix(file.at("v"), last),
                         "tensor 'v': a matrix wanted, found shape [1]", shape_error);
    CHECK_THROWS_WITH_AS(safetensors::visit_matrix(file.at("i"), last),
                         "tensor 'i': expected F32, F16 or BF16, found I8", format_error);
    CHECK_THROWS_WITH_AS(safetensors::visit_matrix(file.at("f"), last),
                         doctest::Contains("which is not aligned for F32"), format_error);
}

TEST_CASE("what third parties write: no padding, spaces inside, any order of names, sub-byte types, no tensors")
{
    CHECK(error_of("{}") == "");
    CHECK(error_of("{}   ") == "");
    CHECK(error_of(R"({"__metadata__":{}})") == "");
    CHECK(error_of("{ \"b\" : {\n\"shape\":[2], \"data_offsets\":[1,3],\t\"dtype\":\"F8_E4M3\"},"
                   R"("a":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}})", 3) == "");
    CHECK(error_of(R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)"
                   R"("b":{"dtype":"U8","shape":[0,4294967296],"data_offsets":[0,0]}})") == "");
}

TEST_CASE("each rule of the format has its own error")
{
    auto const tensor = [](std::string const& type, std::string const& shape, std::string const& offsets)
    {
        return text(R"("a":{"dtype":")", type, R"(","shape":)", shape, R"(,"data_offsets":)", offsets, "}");
    };
    auto const one = [&](std::string const& type, std::string const& shape, std::string const& offsets)
    { return error_of(text("{", tensor(type, shape, offsets), "}"), 4); };

    CHECK(one("U8", "[4]", "[0,4]") == "");
    CHECK(one("U8", "[5]", "[0,4]") ==
          "f: tensor 'a', offset 60: expected 5 bytes for U8 [5], found 4 in data_offsets [0, 4]");
    CHECK(one("U8", "[4]", "[4,0]") == "f: tensor 'a', offset 60: expected data_offsets [begin, end], found [4, 0]");
    CHECK(one("U8", "[3]", "[0,3]") == "f: tensor 'a', offset 61: expected a file of 64 bytes, found 65");
    CHECK(one("U8", "[3]", "[1,4]") ==
          "f: tensor 'a', offset 61: expected its data to begin at 0 (no holes), found data_offsets [1, 4]");
    CHECK(one("F3", "[4]", "[0,4]") ==
          "f: tensor 'a', offset 26: expected a dtype (BOOL, U8, ..., F16, BF16, F32, F64), found 'F3'");
    CHECK(one("F4", "[7]", "[0,4]") ==
          "f: tensor 'a', offset 60: expected a size in whole bytes below 2^64, found F4 [7]");
    for (std::string const huge : {"[9223372036854775808,2]", "[9223372036854775808]", "[4294967296,4294967296]",
                                   "[18446744073709551615,18446744073709551615,0]", "[2305843009213693952,8]"})
        CHECK(one("F32", huge, "[0,4]").find("expected a size in whole bytes below 2^64") != std::string::npos);
    CHECK(one("U8", "[18446744073709551616]", "[0,4]").find("found the number 18446744073709551616") !=
          std::string::npos);
    CHECK(one("U8", "[-1]", "[0,4]").find("expected whole numbers below 2^64, found the number -1") !=
          std::string::npos);
    CHECK(one("U8", "[4.0]", "[0,4]").find("found the number 4.0") != std::string::npos);
    CHECK(one("U8", "[[4]]", "[0,4]").find("found an array") != std::string::npos);
    CHECK(one("U8", "4", "[0,4]").find("found the number 4") != std::string::npos);
    CHECK(one("U8", "[4]", "[0,4,4]").find("expected data_offsets [begin, end], found [0, 4, 4]") != std::string::npos);
    CHECK(one("U8", "[4]", "[0]").find("expected data_offsets [begin, end]") != std::string::npos);
    CHECK(one("U8", "[4]", "[0,18446744073709551615]").find("expected 4 bytes") != std::string::npos);
    CHECK(one("U8", "[18446744073709551615]", "[0,18446744073709551615]").find("size in whole bytes") !=
          std::string::npos);
    CHECK(one("U8", "[2305843009213693951]", "[0,2305843009213693951]").find("expected a file of 2305843009213694") !=
          std::string::npos);

    std::string const a = tensor("U8", "[4]", "[0,4]");
    CHECK(error_of("{" + a + "," + a + "}", 4).find("expected every name once, found it twice") != std::string::npos);
    CHECK(error_of(R"({"__metadata__":{},"__metadata__":{}})").find("every name once") != std::string::npos);
    CHECK(error_of(R"({"__metadata__":{"a":"","a":""}})").find("expected every key once, found 'a' twice") !=
          std::string::npos);
    CHECK(error_of(R"({"__metadata__":{"a":1}})").find("strings only") != std::string::npos);
    CHECK(error_of(R"({"__metadata__":{"a":{}}})").find("strings only") != std::string::npos);
    CHECK(error_of(R"({"__metadata__":null})") != "");
    CHECK(error_of(R"({"a":{"dtype":"U8","dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 4).find("'dtype' twice") !=
          std::string::npos);
    CHECK(error_of(R"({"a":{"dtype":"U8","shape":[4]}})", 4).find("not all three") != std::string::npos);
    CHECK(error_of(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4],"more":1}})", 4).find("the key 'more'") !=
          std::string::npos);
    CHECK(error_of(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                   R"("b":{"dtype":"U8","shape":[2],"data_offsets":[3,5]}})", 5).find("(no overlaps)") !=
          std::string::npos);
    CHECK(error_of(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                   R"("b":{"dtype":"U8","shape":[2],"data_offsets":[5,7]}})", 7).find("(no holes)") !=
          std::string::npos);
}

TEST_CASE("bad JSON stays one line and never leaves as the parser's own exception")
{
    for (std::string const json : {"{", "{]", "{\"a\"", "{\"a\":}", "{,}", "{}}", "{} x", "{}\n", "{}{}",
                                   "{\"a\xff\":{}}", "{\"\\ud800\":{}}", "{\"a\n\":{}}", "{'a':{}}", "{//\n}", "[]",
                                   "\"a\"", " {}",
                                   "{\"a\":nul}", "{\"a\":[1e999]}", "{\"a\":1e}"})
        CHECK(error_of(json) != "");
    CHECK(error_of(std::string("{}\0 ", 4)) != ""); // the parser would stop at the zero byte
    CHECK(error_of(std::string("{\0}", 3)) == "f: offset 9: expected JSON, found a zero byte");

    std::string deep = "{\"a\":";
    for (int i = 0; i < 200'000; ++i)
        deep += "[";
    CHECK(error_of(deep + "}").find("found an array") != std::string::npos);
    deep = "{\"a\":{\"dtype\":";
    for (int i = 0; i < 200'000; ++i)
        deep += "{\"a\":";
    CHECK(error_of(deep + "}").find("found an object") != std::string::npos);
    std::string const long_name = "{\"" + std::string(100'000, 'n') + "\":1}";
    CHECK(error_of(long_name).size() < 300);
}

TEST_CASE("lengths of the header")
{
    auto const read = [](std::string const& bytes) { return safetensors::try_parse(files::bytes(bytes), "f").error; };
    CHECK(read("") == "f: offset 0: expected 8 bytes of header length, found a file of 0");
    CHECK(read("{}{}{}{") == "f: offset 0: expected 8 bytes of header length, found a file of 7");
    CHECK(read(files::u64(0) + "{}") == "f: offset 0: expected a header of 2 to 100000000 bytes, found 0");
    CHECK(read(files::u64(3) + "{}") == "f: offset 0: expected a header of 3 bytes, found a file of 10");
    CHECK(read(files::u64(100'000'001) + "{}").find("found 100000001") != std::string::npos);
    CHECK(read(files::u64(~0ull) + "{}").find("found 18446744073709551615") != std::string::npos);
    CHECK(read(files::u64(~0ull - 7) + "{}") != "");
    CHECK(read(files::u64(2) + "{}") == "");
}

TEST_CASE("the writer refuses what no reader would take")
{
    files::folder const folder;
    using safetensors::item;
    std::string const four = "1234";
    auto const save = [&](std::vector<item> const& items, safetensors::metadata_map const& metadata = {})
    { safetensors::save(folder / "a", items, metadata); };
    CHECK_THROWS_WITH_AS(save({{"a", dtype::U8, {5}, files::bytes(four), {}}}),
                         "tensor 'a': U8 [5] needs 5 bytes, not 4", shape_error);
    CHECK_THROWS_AS(save({{"a", dtype::F4, {7}, files::bytes(four), {}}}), shape_error);
    CHECK_THROWS_AS(save({{"a", dtype::F64, {1ull << 63, 2}, files::bytes(four), {}}}), shape_error);
    item const twice = {"a", dtype::U8, {4}, files::bytes(four), {}};
    CHECK_THROWS_AS(save({twice, twice}), format_error);
    CHECK_THROWS_AS(save({{"__metadata__", dtype::U8, {4}, files::bytes(four), {}}}), format_error);
    CHECK_THROWS_AS(save({{"\xff", dtype::U8, {4}, files::bytes(four), {}}}), format_error);
    CHECK_THROWS_AS(save({}, {{"k", "\xc3"}}), format_error);
    auto const three = [&](safetensors::sink const& out) { out(files::bytes(four).first(3)); };
    CHECK_THROWS_WITH_AS(save({{"a", dtype::U8, {4}, {}, three}}), "tensor 'a': U8 [4] was filled with 3 bytes",
                         shape_error);
    CHECK(folder.entries() == 0);
}

TEST_CASE("callbacks stream; data start where asked")
{
    files::folder const folder;
    std::string const line = "0123456789";
    auto const lines = [&](safetensors::sink const& out)
    {
        for (int i = 0; i < 100; ++i)
            out(files::bytes(line));
    };
    safetensors::item const items[] = {{"z", dtype::U8, {100, 10}, {}, lines},
                                       {"a", dtype::U8, {10}, files::bytes(line), {}}};
    for (std::size_t const alignment : std::vector<std::size_t>{1, 8, 64, 4096})
    {
        safetensors::save(folder / "a", items, {}, alignment);
        auto const file = safetensors::open(folder / "a");
        CHECK(file.at("z").offset % alignment == 0);
        CHECK(file.at("a").offset == file.at("z").end()); // the order given, not of names
        CHECK(files::get(folder / "a").substr(file.at("z").offset).substr(990) == line + line);
    }
    CHECK_FALSE(safetensors::try_open(folder / "none"));
}

TEST_CASE("files of other kinds are told by name, and what to do with them")
{
    std::map<std::string, std::string> const kinds = {
        {std::string("GGUF\3\0\0\0\0\0\0\0", 12), "a GGUF file; a model, which quantize and eval read"},
        {"version https://git-lfs.github.com/spec/v1\noid", "a git-lfs pointer; fetch the file itself: git lfs pull"},
        {"<!doctype html>\n<html>", "an HTML page; download"},
        {" \n<html lang=\"en\">", "an HTML page; download"},
        {"<?xml version=\"1.0\"?>", "an XML text; download"},
        {std::string("PK\3\4\0\0\0\0\0\0", 10), "a zip archive (as PyTorch's .bin"},
        {std::string("\x80\2}q\0(X\5\0", 9), "a Python pickle"},
        {std::string("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10), "a gzip archive; unpack it first"},
        {"\x93NUMPY\1\0v\0{", "a NumPy array"},
        {"{\"weight_map\": {\"a\": \"b\"}}", "a JSON text"},
        {"Entry not found", "a text: 'Entry not found'"},
    };
    for (auto const& [bytes, name] : kinds)
        CHECK(safetensors::try_parse(files::bytes(bytes), "f").error.find(
                  "f: offset 0: expected a safetensors file, found " + name) == 0);
}

template <class F>
concept points_into_safetensors =
    requires(F&& f) { std::forward<F>(f).tensors(); } || requires(F&& f) { std::forward<F>(f).find("a"); } ||
    requires(F&& f) { std::forward<F>(f).at("a"); };
static_assert(points_into_safetensors<safetensors::file&> && points_into_safetensors<safetensors::file const&>);
static_assert(!points_into_safetensors<safetensors::file> && !points_into_safetensors<safetensors::file const>);
template <class F>
concept has_bytes = requires(F&& f) { std::forward<F>(f).bytes(); };
static_assert(has_bytes<mapped_file&> && !has_bytes<mapped_file>);
static_assert(!std::is_reference_v<decltype(*std::declval<attempt<safetensors::file>>())>);
