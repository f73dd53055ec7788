// SPDX-License-Identifier: BSD-3-Clause
#include <jackplane/store/nested_read.hpp>
#include <jackplane/store/nested_write.hpp>
#include <jackplane/store/npy.hpp>
#include <jackplane/store/safetensors.hpp>
#include <jackplane/store/safetensors_write.hpp>
#include <doctest/doctest.h>
#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <vector>
#include "files.hpp"
#include "models.hpp"

using namespace jackplane;

namespace
{
    using bits8 = packed<bit_planes, uniform<8>, half, no_zero>;
    using pairs_zero = packed<planes<2, 2, 2, 2>, uniform<8>, half, std::uint8_t>;

    std::string nested_file(files::folder const& folder)
    {
        std::string const config = R"({"hidden_size":64})";
        nested::writer out;
        out.add({"config.json", dtype::U8, {config.size()}, files::bytes(config), {}});
        auto const base = models::matrix<bits8>(17, 33, 16, 1), other = models::matrix<bits8>(17, 33, 16, 2);
        bits8::width_scales own{};
        own[4].scales = other.view().scales;
        out.add("a", bits8(base.view(), std::make_shared<std::pair<bits8, bits8>>(base, other), own));
        out.add("b", models::matrix<pairs_zero>(5, 40, 16, 3));
        out.save(folder / "nested");
        return files::get(folder / "nested");
    }
    std::string plain_file(files::folder const& folder)
    {
        std::vector<float> const values = {1, 2, 3, 4, 5, 6};
        std::vector<half> const halves(5);
        safetensors::item const items[] = {safetensors::item::of<float>("model.embed.weight", {2, 3}, values),
                                           safetensors::item::of<half>("model.norm.weight", {5}, halves),
                                           safetensors::item::of<half>("none", {0, 3}, {})};
        safetensors::save(folder / "plain", items, {{"format", "pt"}});
        return files::get(folder / "plain");
    }
    std::string array_file(files::folder const& folder)
    {
        std::vector<std::uint16_t> const values = {1, 2, 3, 4, 5, 6};
        npy::save<std::uint16_t>(folder / "npy", {2, 3}, values);
        return files::get(folder / "npy");
    }

    bool is_one_line(std::string const& error)
    {
        return !error.empty() && error.size() < 1000 &&
               std::all_of(error.begin(), error.end(), [](char c) { return c >= ' ' && c <= '~'; });
    }

    // One way of damaging; `head` bytes at the start are the header.
    std::string damage(std::string s, std::size_t head, files::numbers& random)
    {
        auto const at = [&] { return random.below(head); };
        switch (random.below(9))
        {
        case 0: s[at()] ^= static_cast<char>(1 << random.below(8)); break;
        case 1: s[at()] = static_cast<char>(random()); break;
        case 2: // digits: lengths, offsets, shapes
        {
            auto const digit = s.find_first_of("0123456789", at());
            s[digit == s.npos || digit >= head ? 9 : digit] = static_cast<char>('0' + random.below(10));
            break;
        }
        case 3: s.resize(random.below(s.size())); break;
        case 4: s.append(1 + random.below(5000), static_cast<char>(random())); break;
        case 5: // the header's length
            s.replace(0, 8, files::u64(random.below(3) == 0 ? random() : head - 8 + random.below(17) - 8));
            break;
        case 6: // a piece of the header twice or not at all
        {
            auto const from = at();
            auto const n = std::min(random.below(40) + 1, head - from);
            random.below(2) == 0 ? s.erase(from, n) : s.insert(from, s.substr(from, n));
            break;
        }
        case 7: // two pieces change places: swapped offsets, names, types
        {
            auto const n = random.below(12) + 1, a = random.below(head - 2 * n);
            auto const b = a + n + random.below(head - a - 2 * n + 1);
            std::swap_ranges(s.data() + a, s.data() + a + n, s.data() + b);
            break;
        }
        default: // several bytes
            for (std::size_t i = 0, n = random.below(6) + 2; i < n; ++i)
                s[at()] = static_cast<char>(random());
        }
        return s;
    }
}

TEST_CASE("600 damaged files: one line each, or a file that is right; nothing else")
{
    files::folder const folder;
    files::numbers random{20250101};
    int refused = 0, opened = 0;

    std::string const nested = nested_file(folder);
    auto const whole = nested::open(folder / "nested");
    std::size_t const head = static_cast<std::size_t>(whole.order().front()->offset);
    for (int i = 0; i < 300; ++i)
    {
        std::string const bad = damage(nested, head, random);
        if (bad == nested)
            continue;
        files::put(folder / "bad", bad);
        auto const file = nested::try_open(folder / "bad");
        // Rule: damage to the header or the length is always refused.
        CHECK_MESSAGE(!file, "damaged file ", i, " was opened");
        CHECK(is_one_line(file.error));
        ++refused;
    }
    for (int i = 0; i < 100; ++i) // bytes of data: opens, as any byte is legal there; verify() finds each
    {
        std::string bad = nested;
        bad[head + random.below(nested.size() - head)] ^= static_cast<char>(1 << random.below(8));
        files::put(folder / "bad", bad);
        auto const file = nested::try_open(folder / "bad");
        REQUIRE(file);
        auto const values = try_load([&] { return models::values(std::get<bits8>(file->matrix("a"))); });
        CHECK(values);
        auto const verified = try_load([&] { return file->verify(), true; });
        CHECK(is_one_line(verified.error));
        ++opened;
    }

    std::string const plain = plain_file(folder);
    for (int i = 0; i < 200; ++i)
    {
        std::string const bad = damage(plain, plain.size() - 34, random);
        files::put(folder / "bad", bad);
        auto const file = safetensors::try_open(folder / "bad");
        // Rule: what is opened is a valid safetensors file, by a judge that shares no code with the reader.
        if (file)
            CHECK(models::judge(bad) == "");
        else
            CHECK(is_one_line(file.error));
        ++(file ? opened : refused);
    }

    std::string const array = array_file(folder);
    for (int i = 0; i < 100; ++i)
    {
        files::put(folder / "bad", damage(array, 128, random));
        auto const file = npy::try_open(folder / "bad");
        if (file)
            CHECK(safetensors::byte_size(file->type, file->shape) == file->bytes.size());
        else
            CHECK(is_one_line(file.error));
        ++(file ? opened : refused);
    }
    MESSAGE(refused, " refused, ", opened, " opened");
    CHECK(refused + opened > 600);
    CHECK(refused > 450);
}

TEST_CASE("each byte of the header, and each length")
{
    files::folder const folder;
    std::string const whole = nested_file(folder);
    auto const file = nested::open(folder / "nested");
    std::size_t const head = static_cast<std::size_t>(file.order().front()->offset);
    std::string bad = whole;
    for (std::size_t i = 0; i < head; ++i)
    {
        bad[i] = static_cast<char>(bad[i] ^ (1 << i % 8));
        REQUIRE_FALSE(nested::try_parse(files::bytes(bad), "f"));
        bad[i] = whole[i];
    }
    std::vector<std::size_t> right;
    for (nested::level const& l : file.levels())
        right.push_back(static_cast<std::size_t>(l.end));
    for (std::size_t size = 0; size <= whole.size(); size += size % 97 + 1)
    {
        bool const opens = static_cast<bool>(nested::try_parse(files::bytes(whole).first(size), "f"));
        REQUIRE(opens == (std::find(right.begin(), right.end(), size) != right.end()));
    }
    for (std::size_t const size : right)
        CHECK(nested::try_parse(files::bytes(whole).first(size), "f").error == "");
}

TEST_CASE("a header made wrong on purpose, its digest made right")
{
    files::folder const folder;
    std::string const whole = nested_file(folder);
    std::string const json = models::header_of(whole);
    REQUIRE(nested::try_parse(files::bytes(models::with_header(whole, json)), "f").error == "");
    auto const edited = [&](std::string from, std::string to)
    {
        std::string other = json;
        auto const at = other.find(from);
        REQUIRE_MESSAGE(at != other.npos, from);
        other.replace(at, from.size(), to);
        auto const file = nested::try_parse(files::bytes(models::with_header(whole, other)), "f");
        if (!file)
            CHECK(is_one_line(file.error));
        return file.error;
    };
    // in the settings every quote is escaped
    auto const setting = [&](std::string from, std::string to)
    {
        auto const escape = [](std::string& s)
        {
            for (std::size_t i = 0; (i = s.find('"', i)) != s.npos; i += 2)
                s.replace(i, 1, "\\\"");
        };
        escape(from);
        escape(to);
        return edited(from, to);
    };
    auto const has = [](std::string const& error, char const* part)
    {
        CHECK_MESSAGE(error.find(part) != error.npos, error, " has no '", part, "'");
    };

    has(edited("\"jackplane.nested\"", "\"pt\""), "expected jackplane.nested, found 'pt'");
    has(edited("\"format_version\":\"1\"", "\"format_version\":\"3\""), "expected 1 or 2, found '3'");
    has(edited("\"header_digest\":", "\"header_Digest\":"), "expected 16 digits, found none");
    has(edited("\"nested\":", "\"Nested\":"), "expected JSON");
    has(setting(R"({"slice":)", R"([{"slice":)"), "expected JSON");
    has(setting(R"({"slice":"truncate_centred",)", "{"), "expected fields");
    has(setting("\"truncate_centred\"", "\"other\""), "expected slice one of");
    has(setting(R"("slice":)", R"("slice":"truncate_centred","slice":)"), "every key once");
    has(setting(R"("slice":"truncate_centred")", R"("slice":[[[[[[[[[[1]]]]]]]]]])"), "levels of JSON");
    has(setting(R"({"bits":1,)", R"({"bits":2,)"), "expected bits from 3 to 8, found 2");
    has(setting(R"({"bits":1,)", R"({"bits":0,)"), "expected bits from 1 to 8, found 0");
    has(setting(R"({"bits":8,)", R"({"bits":9,)"), "expected bits from 8 to 8, found 9");
    has(setting(R"({"bits":1,"end":)", R"({"bits":1,"end":9)"), "expected end from");
    has(setting(R"({"bits":1,"end":)", R"({"bits":1,"end":-)"), "expected end from");
    has(setting(R"({"bits":8,"end":)", R"({"bits":8,"end":1)"), "expected levels from");
    has(setting(R"("common":{"end":)", R"("common":{"end":1)"), "expected end from");
    has(setting(R"("rows":17)", R"("rows":9223372036854775808)"), "expected rows from 0 to 16777216");
    has(setting(R"("rows":17)", R"("rows":33)"), "tensor 'a.scale'");
    has(setting(R"("rows":17)", R"("rows":-17)"), "expected rows from");
    has(setting(R"("rows":17)", R"("rows":17.0)"), "found 17.0");
    has(setting(R"("rows":17)", R"("rows":null)"), "found null");
    has(setting(R"("cols":33)", R"("cols":65)"), "tensor 'a.scale'");
    CHECK(setting(R"("cols":33,"group":16)", R"("cols":48,"group":16)") == ""); // the same blocks: as good a matrix
    has(setting(R"("group":16)", R"("group":0)"), "expected group from 1 to 33, found 0");
    has(setting(R"("group":16)", R"("group":34)"), "expected group from 1 to 33, found 34");
    has(setting(R"("group":16)", R"("group":8)"), "tensor 'a.scale'");
    has(setting(R"("codebook":"uniform")", R"("codebook":"other")"), "expected codebook one of");
    has(setting(R"("bits":8,"planes":[1,1)", R"("bits":7,"planes":[1,1)"), "expected planes of 7 bits together");
    has(setting(R"("planes":[1,1,1,1,1,1,1,1])", R"("planes":[1,1,1,1,1,1,1])"), "expected planes of 8 bits together");
    has(setting(R"("planes":[1,1,1,1,1,1,1,1])", R"("planes":[1,1,1,1,1,1,2])"), "tensor 'a.plane.6'");
    has(setting(R"("planes":[1,1,1,1,1,1,1,1])", R"("planes":[8])"), "tensor 'a.plane.0'");
    has(setting(R"("planes":[1,1,1,1,1,1,1,1])", R"("planes":[3,5])"), "planes of 1, 2, 4 or 8 bits");
    has(setting(R"("planes":[1,1,1,1,1,1,1,1])", R"("planes":[17,1])"), "planes of 1, 2, 4 or 8 bits");
    has(setting(R"("planes":[1,1,1,1,1,1,1,1])", R"("planes":{})"), "expected planes as a list");
    has(setting(R"("scale":"F16")", R"("scale":"BF16")"), "expected BF16 [2, 3, 16], found F16 [2, 3, 16]");
    has(setting(R"("scale":"F16")", R"("scale":"F64")"), "expected scale one of");
    has(setting(R"("zero":"none")", R"("zero":"U8")"), "tensor 'a.zero'");
    has(setting(R"("zero":"U8")", R"("zero":"F16")"), "tensor 'b.zero'");
    has(setting(R"("zero":"U8")", R"("zero":"offset F32")"), "tensor 'b.zero'");
    has(setting(R"("zero":"U8")", R"("zero":"offset U8")"), "zero one of");
    has(setting(R"("own":[4])", R"("own":[5])"), "tensor 'a.scale.5'");
    has(setting(R"("own":[4])", R"("own":[9])"), "expected own widths ascending from 1 to 8");
    has(setting(R"("own":[4])", R"("own":[4,4])"), "expected own widths ascending from 5 to 8");
    has(setting(R"("layers":{"a":)", R"("layers":{"c":)"), "tensor 'c.scale'");
    has(edited("\"a.plane.3\":{\"dtype\":\"U8\"", "\"a.plane.3\":{\"dtype\":\"I8\""), "expected U8");
    has(edited("\"a.plane.3\"", "\"b.plane.9\""), "tensor 'a.plane.3'");
    CHECK(edited("\"__pad__.1\"", "\"x\"") == ""); // a pad under another name is a plain tensor
    has(edited("\"__pad__.11\"", "\"x\""), "expected a plain tensor to end by");

    // two planes of one size change places: bits would mean something else
    std::string swapped = json;
    auto const one = swapped.find("\"a.plane.1\""), two = swapped.find("\"a.plane.2\"");
    std::swap(swapped[one + 9], swapped[two + 9]);
    has(nested::try_parse(files::bytes(models::with_header(whole, swapped)), "f").error,
        "expected a multiple of 64 from");

    // the header ends where no page does
    std::string const data = whole.substr(4096 * ((json.size() + 8 + 4095) / 4096));
    CHECK(nested::try_parse(files::bytes(files::u64(json.size()) + json + data), "f").error != "");
    CHECK(safetensors::try_parse(files::bytes(whole), "f").error == "");
    CHECK(nested::try_parse(files::bytes(plain_file(folder)), "f").error ==
          "f: tensor '__metadata__.format', offset 8: expected jackplane.nested, found 'pt'");
    CHECK(nested::try_parse({}, "f").error == "f: offset 0: expected 8 bytes of header length, found a file of 0");
}

TEST_CASE("bytes in memory may lie anywhere")
{
    files::folder const folder;
    std::string const whole = nested_file(folder);
    auto const expected = models::values(std::get<bits8>(nested::open(folder / "nested").matrix("a")));
    for (std::size_t shift = 0; shift < 9; ++shift)
    {
        std::string const moved = std::string(shift, 'x') + whole;
        auto const file = nested::parse(files::bytes(moved).subspan(shift), "f");
        CHECK(models::values(std::get<bits8>(file.matrix("a"))) == expected);
    }
}
