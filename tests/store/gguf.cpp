// SPDX-License-Identifier: BSD-3-Clause
#include <jackplane/store/gguf/file.hpp>
#include <jackplane/store/gguf/write.hpp>
#include <doctest/doctest.h>
#include <algorithm>
#include <cstring>
#include <limits>
#include <string>
#include <vector>
#include "files.hpp"

using namespace jackplane;

// Written by ggml's own writer: a text, two numbers, an array, a BOOL; `w` Q8_0 [2, 64], `b` F32 [3].
namespace gguf_sample
{
    constexpr std::string_view digits =
        "474755460300000002000000000000000400000000000000140000000000000067656e6572616c2e61726368697465637475"
        "72650800000005000000000000006c6c616d611c0000000000000067656e6572616c2e7175616e74697a6174696f6e5f7665"
        "7273696f6e04000000020000000500000000000000782e617272090000000600000003000000000000000000803f00000040"
        "000040400600000000000000782e666c61670700000001010000000000000077020000004000000000000000020000000000"
        "000008000000000000000000000001000000000000006201000000030000000000000000000000a000000000000000000000"
        "000000000000d023f1f54d4cabf77a31463c8109ea5be8a391122fed5c6efbd5f915e2a1e396fb6ef623e13bdb761c36370d"
        "4baf46d342be9623456a12d8a95d0181dce383289415848ec5238a6f1c0c2e5cfc1304a840aed4ba6e34622d73176d843b7f"
        "16acae321d6368a305242496ab7143a0fc7f1d649a67edb11b59ae043b33e892addfec36c2ce0ae6fdb80000000000000000"
        "00000000000000000000000000000000007069be00d031be0090953f0000000000000000000000000000000000000000";

    std::string bytes()
    {
        std::string s;
        for (std::size_t i = 0; i < digits.size(); i += 2)
            s += static_cast<char>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16));
        return s;
    }

    std::string number(auto n)
    {
        std::string s(sizeof n, '\0');
        std::memcpy(s.data(), &n, sizeof n);
        return s;
    }
    std::string named(std::string const& s) { return files::u64(s.size()) + s; }

    // A header of these keys and tensors, whole; `body` is put behind the padding.
    std::string file(std::vector<std::string> const& keys, std::vector<std::string> const& tensors,
                     std::string body = "", std::size_t alignment = 32)
    {
        std::string s = "GGUF" + number(std::uint32_t{3}) + files::u64(tensors.size()) + files::u64(keys.size());
        for (auto const& part : keys)
            s += part;
        for (auto const& part : tensors)
            s += part;
        s.resize((s.size() + alignment - 1) / alignment * alignment);
        return s + body;
    }
    std::string key(std::string const& name, std::uint32_t type, std::string const& value)
    {
        return named(name) + number(type) + value;
    }
    std::string tensor(std::string const& name, std::vector<std::uint64_t> const& dims, std::uint32_t type,
                       std::uint64_t offset)
    {
        std::string s = named(name) + number(static_cast<std::uint32_t>(dims.size()));
        for (auto const n : dims)
            s += files::u64(n);
        return s + number(type) + files::u64(offset);
    }

    std::string error_in(std::string const& bytes)
    {
        auto const read = gguf::try_parse(files::bytes(bytes), "f");
        CHECK(std::all_of(read.error.begin(), read.error.end(), [](char c) { return c >= ' ' && c <= '~'; }));
        return read.error;
    }

    std::string saved_again(gguf::file const& f, files::folder const& folder)
    {
        std::vector<gguf::item> items;
        for (auto const* t : f.order())
            items.push_back(gguf::item::of(*t));
        gguf::save(folder / "again.gguf", items, f.metadata());
        return files::get(folder / "again.gguf");
    }
}
using namespace gguf_sample;

TEST_CASE("the sample of ggml's writer is read, and written again byte for byte")
{
    files::folder const folder;
    std::string const sample = bytes();
    files::put(folder / "a.gguf", sample);
    auto const f = gguf::open(folder / "a.gguf");
    CHECK(f.metadata().size() == 4);
    CHECK(f.metadata().get<std::string>("general.architecture") == "llama");
    CHECK(f.metadata().get<std::uint64_t>("general.quantization_version") == 2);
    CHECK(f.metadata().get<std::vector<double>>("x.arr") == std::vector<double>{1, 2, 3});
    CHECK(f.metadata().get<bool>("x.flag"));
    CHECK(f.metadata().get_or<int>("x.none", 7) == 7);

    auto const& w = f.at("w");
    CHECK(w.type.name == "Q8_0");
    CHECK(w.shape == gguf::extents{2, 64});
    CHECK(w.rows() == 2);
    CHECK(w.cols() == 64);
    CHECK(w.offset == 0x100);
    CHECK(gguf::read(f.at("b")) == aligned_vector<float>{-0.227966309f, -0.17364502f, 1.16845703f});
    auto const x = gguf::read(w);
    CHECK(x[3] == doctest::Approx(1.1625f).epsilon(0.01));
    std::vector<float> second(64);
    gguf::read_rows(w, 1, {second.data(), 1, 64});
    CHECK(std::equal(second.begin(), second.end(), x.begin() + 64));
    CHECK(saved_again(f, folder) == sample);
    CHECK_THROWS_WITH(f.at("c"), doctest::Contains("a.gguf: no tensor 'c' among 2"));
    CHECK_THROWS_WITH_AS(f.metadata().get<int>("x.arr"),
                         doctest::Contains("key 'x.arr': expected a whole number of 32 bits, signed, found ARRAY of "
                                           "FLOAT32"),
                         format_error);
    CHECK_THROWS_WITH(f.metadata().get<std::string>("y"), doctest::Contains("key 'y': expected STRING, found none"));
    std::string without_padding = sample.substr(0, 0x1ac);
    CHECK(error_in(without_padding) == "");
    without_padding.pop_back();
    CHECK(error_in(without_padding) ==
          "f: tensor 'b', offset 427: expected a file of 448 bytes, found 427 (truncated)");
    CHECK(error_in(sample + "x") == "f: tensor 'b', offset 449: expected a file of 448 bytes, found 449");
}

TEST_CASE("every type of values and of tensors comes back")
{
    files::folder const folder;
    gguf::metadata about;
    about.set("u8", std::uint8_t{200});
    about.set("i8", std::int8_t{-3});
    about.set("u16", std::uint16_t{60000});
    about.set("i16", std::int16_t{-30000});
    about.set("u32", std::uint32_t{4000000000u});
    about.set("i32", std::int32_t{-5});
    about.set("f32", 0.1f);
    about.set("bool", true);
    about.set("text", std::string("a\0b", 3));
    about.set("u64", std::uint64_t(-1));
    about.set("i64", std::numeric_limits<std::int64_t>::min());
    about.set("f64", 0.1);
    about.set("texts", gguf::array(std::vector<std::string>{"", "x"}));
    about.set("flags", gguf::array(std::vector<bool>{true, false, true}));
    about.set("empty", gguf::array(std::vector<float>{}));
    about.set("numbers", gguf::array(std::vector<std::int16_t>{-1, 2}));
    about.set("general.alignment", std::uint32_t{64});
    about.set("i32", std::int32_t{-6}); // in place

    std::vector<float> x(512);
    for (std::size_t i = 0; i < x.size(); ++i)
        x[i] = static_cast<float>(i % 37) - 18;
    std::vector<std::vector<std::byte>> blocks;
    std::vector<gguf::item> items;
    [&]<class... T>(gguf::type_list<T...>)
    {
        ((blocks.emplace_back(512 / T::values * T::bytes), gguf::encode<T>(x, {}, blocks.back())), ...);
        std::size_t i = 0;
        ((items.push_back(gguf::item::of<T>(std::string(T::name), {2, 256}, blocks[i])), ++i), ...);
    }(gguf::block_types{});
    items.push_back({"scalar", 0, {}, std::span(blocks[0]).first(4), {}});
    items.push_back({"none", 0, {0, 5}, {}, {}});
    items.push_back({"IQ2_XS", 17, {1, 256}, std::span(blocks[0]).first(74), {}});
    items.push_back({"none of it", 17, {0, 256}, {}, {}});
    items.push_back({"I64", 27, {1, 2, 3, 4}, std::span(blocks[0]).first(192), {}});
    items.push_back({"filled", 24, {130}, {}, [&](gguf::sink const& to) { to(std::span(blocks[0]).first(130)); }});
    gguf::save(folder / "a.gguf", items, about);

    auto const f = gguf::open(folder / "a.gguf");
    CHECK(f.alignment() == 64);
    CHECK(f.metadata().get<std::int64_t>("i64") == std::numeric_limits<std::int64_t>::min());
    CHECK(f.metadata().get<std::uint64_t>("u64") == std::uint64_t(-1));
    CHECK(f.metadata().get<std::string>("text") == std::string("a\0b", 3));
    CHECK(f.metadata().get<std::vector<bool>>("flags") == std::vector<bool>{true, false, true});
    CHECK(f.metadata().get<std::vector<std::int32_t>>("numbers") == std::vector<std::int32_t>{-1, 2});
    CHECK(f.metadata().get<std::int32_t>("i32") == -6);
    CHECK_THROWS_WITH(f.metadata().get<std::uint8_t>("i8"),
                      doctest::Contains("expected a whole number of 8 bits, unsigned, found INT8 -3"));
    CHECK_THROWS_WITH(f.metadata().get<std::vector<std::uint32_t>>("numbers"), doctest::Contains("each a whole"));
    CHECK_THROWS_WITH(f.metadata().get<float>("u8"), doctest::Contains("a floating-point number, found UINT8 200"));
    CHECK(f.order().size() == items.size());
    [&]<class... T>(gguf::type_list<T...>)
    {
        (
            [&]
            {
                std::vector<std::byte> of(512 / T::values * T::bytes);
                gguf::encode<T>(x, {}, of);
                aligned_vector<float> decoded(512);
                gguf::decode<T>(of, decoded);
                CHECK(gguf::read(f.at(T::name)) == decoded);
                CHECK(gguf::find_type(T::name)->id == T::id);
            }(),
            ...);
    }(gguf::block_types{});
    CHECK(gguf::read(f.at("scalar")) == aligned_vector<float>{x[0]});
    CHECK(gguf::read(f.at("none")).empty());
    CHECK(f.at("filled").bytes.size() == 130);
    CHECK(f.at("I64").rows() == 6);
    CHECK_THROWS_WITH_AS(gguf::read(f.at("IQ2_XS")), "tensor 'IQ2_XS': IQ2_XS is not decoded here", format_error);
    CHECK_THROWS_AS(gguf::read(f.at("none of it")), format_error);
    CHECK(saved_again(f, folder) == files::get(folder / "a.gguf"));
}

namespace
{
    // The same file with every number the other way round.
    std::string big_endian(gguf::file const& f)
    {
        auto const turned = [](std::string s) { return std::string(s.rbegin(), s.rend()); };
        auto const u32 = [&](std::uint32_t n) { return turned(number(n)); };
        auto const u64 = [&](std::uint64_t n) { return turned(files::u64(n)); };
        std::string s = "GGUF" + u32(3) + u64(f.order().size()) + u64(2);
        s += u64(1) + "k" + u32(5) + u32(static_cast<std::uint32_t>(-7));
        s += u64(1) + "l" + u32(9) + u32(8) + u64(1) + u64(2) + "xy";
        for (auto const* t : f.order())
        {
            s += u64(t->name.size()) + t->name + u32(static_cast<std::uint32_t>(t->shape.size()));
            for (auto n = t->shape.rbegin(); n != t->shape.rend(); ++n)
                s += u64(*n);
            s += u32(t->type.id) + u64(t->offset - f.order()[0]->offset);
        }
        for (auto const* t : f.order())
        {
            s.resize((s.size() + 31) / 32 * 32);
            std::vector<std::byte> blocks(t->bytes.begin(), t->bytes.end());
            gguf::swap_bytes(t->type, blocks);
            s.append(reinterpret_cast<char const*>(blocks.data()), blocks.size());
        }
        return s;
    }
}

TEST_CASE("a big-endian file gives the same numbers")
{
    files::folder const folder;
    std::vector<float> x(256);
    for (std::size_t i = 0; i < x.size(); ++i)
        x[i] = static_cast<float>(i * i % 61) - 30;
    std::vector<std::vector<std::byte>> blocks;
    std::vector<gguf::item> items;
    [&]<class... T>(gguf::type_list<T...>)
    {
        ((blocks.emplace_back(256 / T::values * T::bytes), gguf::encode<T>(x, {}, blocks.back())), ...);
        std::size_t i = 0;
        ((items.push_back(gguf::item::of<T>(std::string(T::name), {1, 256}, blocks[i])), ++i), ...);
    }(gguf::block_types{});
    gguf::save(folder / "a.gguf", items, {});
    auto const f = gguf::open(folder / "a.gguf");
    std::string const other = big_endian(f);
    auto const g = gguf::parse(files::bytes(other), "f");
    CHECK(g.is_big_endian());
    CHECK(g.metadata().get<int>("k") == -7);
    CHECK(g.metadata().get<std::vector<std::string>>("l") == std::vector<std::string>{"xy"});
    for (auto const* t : f.order())
        CHECK_MESSAGE(gguf::read(*t) == gguf::read(g.at(t->name)), t->name);
    // a Q5_0 block by hand: d = 1 (half 3c00) and bit 4 of value 0
    std::byte block[22] = {std::byte{0}, std::byte{0x3c}, std::byte{1}};
    gguf::swap_bytes(*gguf::find_type("Q5_0"), block);
    CHECK(block[0] == std::byte{0x3c});
    CHECK(block[5] == std::byte{1});
}

TEST_CASE("version 2 is read; others, parts of models and other files are named")
{
    std::string v = bytes();
    v[4] = 2;
    CHECK(error_in(v) == "");
    v[4] = 1;
    CHECK(error_in(v) == "f: offset 4: expected version 2 or 3, found 1");
    CHECK(error_in(file({key("split.count", 2, number(std::uint16_t{3}))}, {})) ==
          "f: key 'split.count': expected a whole model, found one of 3 parts; llama-gguf-split --merge joins them");
    CHECK(error_in("PK\3\4 and more of it") ==
          "f: offset 0: expected a GGUF file, found a zip archive (as PyTorch's .bin "
          "and .pt, NumPy's .npz); save its tensors as safetensors first");
    CHECK(error_in("") == "f: offset 0: expected a GGUF file, found a file that begins with ''");
    CHECK(error_in("GGUF") == "f: offset 4: expected 4 bytes of the version, found 0 up to the end of the file");
    CHECK(error_in(file({}, {})) == "");
}

TEST_CASE("what a header may not say")
{
    std::string const ok = number(std::uint32_t{1});
    CHECK(error_in(file({key("", 4, ok)}, {})) == "f: offset 24: expected a key of 1 to 65535 bytes, found 0");
    CHECK(error_in(file({key("a", 4, ok), key("a", 4, ok)}, {})) ==
          "f: key 'a', offset 41: expected every key once, found "
          "another");
    CHECK(error_in(file({key("a", 13, ok)}, {})) == "f: key 'a', offset 33: expected a type from 0 to 12, found 13");
    CHECK(error_in(file({key("a", 7, "\2" + ok)}, {})) == "f: key 'a', offset 37: expected a BOOL of 0 or 1, found 2");
    std::string const huge = files::u64(std::uint64_t(-1));
    CHECK(error_in(file({key("a", 8, huge)}, {})) ==
          "f: key 'a', offset 45: expected 18446744073709551615 bytes of a string, "
          "found 19 up to the end of the file");
    CHECK(error_in(file({key("a", 9, number(std::uint32_t{9}) + files::u64(1))}, {})) ==
          "f: key 'a', offset 37: expected elements of a type from 0 to 12, no arrays, found 9");
    CHECK(error_in(file({key("a", 9, number(std::uint32_t{4}) + huge)}, {})) ==
          "f: key 'a', offset 41: expected at most 3 elements, found 18446744073709551615");
    CHECK(error_in(file({key("general.alignment", 4, number(std::uint32_t{24}))}, {})) ==
          "f: key 'general.alignment': expected a power of two, found 24");
    CHECK(error_in(file({key("general.alignment", 8, named("32"))}, {})) ==
          "f: key 'general.alignment': expected a whole number of 32 bits, unsigned, found STRING '32'");
    CHECK(error_in("GGUF" + number(std::uint32_t{3}) + huge + files::u64(0)) ==
          "f: offset 8: expected at most 0 tensors, found 18446744073709551615");

    std::string const data(128, '\1');
    CHECK(error_in(file({}, {tensor("a", {8}, 0, 0)}, data.substr(0, 32))) == "");
    CHECK(error_in(file({}, {tensor("a", {8}, 0, 0), tensor("a", {8}, 0, 32)}, data)) ==
          "f: tensor 'a', offset 57: expected every name once, found another");
    CHECK(error_in(file({}, {tensor("a", {1, 1, 1, 1, 1}, 0, 0)}, data)) ==
          "f: tensor 'a', offset 33: expected at most 4 dimensions, found 5");
    CHECK(error_in(file({}, {tensor("a", {8}, 4, 0)}, data)) ==
          "f: tensor 'a', offset 45: expected a type of tensors that is known, found 4");
    CHECK(error_in(file({}, {tensor("a", {33, 2}, 8, 0)}, data)) ==
          "f: tensor 'a', offset 24: expected rows of whole Q8_0 blocks of 32 and fewer than 2^61 values, found "
          "[2, 33]");
    CHECK(error_in(file({}, {tensor("a", {std::uint64_t(1) << 33, std::uint64_t(1) << 31}, 0, 0)}, data)) ==
          "f: tensor 'a', offset 24: expected rows of whole F32 blocks of 1 and fewer than 2^61 values, found "
          "[2147483648, 8589934592]");
    CHECK(error_in(file({}, {tensor("a", {std::uint64_t(1) << 60}, 27, 0)}, data)) ==
          "f: tensor 'a', offset 24: expected data of less than 2^62 bytes, found 9223372036854775808");
    CHECK(error_in(file({}, {tensor("a", {8}, 0, 32)}, data)) ==
          "f: tensor 'a', offset 49: expected the offset 0, found 32");
    CHECK(error_in(file({}, {tensor("a", {8}, 0, 0), tensor("b", {8}, 0, 64)}, data)) ==
          "f: tensor 'b', offset 82: expected the offset 32, found 64");
}

TEST_CASE("what no reader takes is not written")
{
    files::folder const folder;
    std::vector<std::byte> const data(34);
    auto const save = [&](gguf::item const& i, gguf::metadata const& about = {}) {
        gguf::save(folder / "a", std::vector{i, i}, about);
    };
    CHECK_THROWS_WITH(save({"a", 8, {32}, data, {}}), "tensor 'a': the name is taken");
    CHECK_THROWS_WITH(save({std::string(64, 'a'), 8, {32}, data, {}}),
                      doctest::Contains("a name of 64 bytes; readers take 63"));
    CHECK_THROWS_WITH(save({"a", 8, {33}, data, {}}), "tensor 'a': Q8_0 of blocks of 32 has no rows of [33]");
    CHECK_THROWS_WITH(save({"a", 8, {64}, data, {}}), "tensor 'a': Q8_0 [64] needs 68 bytes, not 34");
    CHECK_THROWS_WITH(save({"a", 5, {64}, data, {}}), "tensor 'a': no type 5");
    CHECK_THROWS_WITH(save({"a", 8, {1, 1, 1, 1, 32}, data, {}}), "tensor 'a': 5 dimensions; readers take 4");
    gguf::metadata about;
    about.set("general.alignment", std::uint32_t{0});
    CHECK_THROWS_WITH(save({"a", 8, {32}, data, {}}, about),
                      "key 'general.alignment': expected a power of two, found 0");
    gguf::item const few[] = {{"a", 8, {32}, {}, [](auto const&) {}}};
    CHECK_THROWS_WITH(gguf::save(folder / "a", few, {}), "tensor 'a': 34 bytes were filled with 0");
    CHECK(folder.entries() == 0);
}
