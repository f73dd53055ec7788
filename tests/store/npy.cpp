// SPDX-License-Identifier: BSD-3-Clause
#include <jackplane/store/npy.hpp>
#include <doctest/doctest.h>
#include <string>
#include "files.hpp"

using namespace jackplane;

namespace
{
    std::string array_of(std::string dict, std::string_view data, int version = 1)
    {
        dict += '\n';
        std::string head = "\x93NUMPY";
        auto const size = dict.size();
        head += {static_cast<char>(version), '\0', static_cast<char>(size & 255), static_cast<char>(size >> 8)};
        if (version != 1)
            head += std::string(2, '\0');
        return head + dict + std::string(data);
    }
    std::string npy_error(std::string const& bytes) { return npy::try_parse(files::bytes(bytes), "f").error; }
}

TEST_CASE("the bytes that NumPy writes")
{
    files::folder const folder;
    std::vector<float> const values = {0, 1, 2, 3, 4, 5};
    npy::save<float>(folder / "a", {2, 3}, values);
    std::string const dict = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
    std::string const head = std::string("\x93NUMPY\1\0\x76\0", 10) + dict + std::string(117 - dict.size(), ' ') + "\n";
    CHECK(head.size() == 128);
    CHECK(files::get(folder / "a").substr(0, 128) == head);
    CHECK(files::get(folder / "a").size() == 128 + 24);
}

TEST_CASE_TEMPLATE("arrays come back", T, std::uint8_t, std::uint16_t, std::uint32_t, std::int32_t, std::int64_t, half,
                   float, double)
{
    files::folder const folder;
    aligned_vector<T> values(105);
    for (std::size_t i = 0; i < values.size(); ++i)
        reinterpret_cast<unsigned char*>(values.data())[i * sizeof(T)] = static_cast<unsigned char>(i);
    for (npy::extents const& shape : {npy::extents{105}, {5, 21}, {3, 5, 7}, {105, 1}})
    {
        npy::save<T>(folder / "a", shape, values);
        auto const back = npy::open(folder / "a");
        CHECK(back.shape == shape);
        CHECK(back.read<T>() == values);
    }
    npy::save<T>(folder / "a", {}, std::span(values).first(1));
    CHECK(npy::open(folder / "a").shape.empty());
    npy::save<T>(folder / "a", {0, 5}, {});
    CHECK(npy::open(folder / "a").read<T>().empty());
    CHECK_THROWS_AS(npy::save<T>(folder / "a", {4}, values), shape_error);
    CHECK_THROWS_AS(npy::open(folder / "a").read<std::int8_t>(), format_error);
}

TEST_CASE("version 2, unaligned data, other spacing")
{
    std::string const bytes = array_of("{'shape':(2,), 'descr':\"<u2\",'fortran_order': False}", "abcd", 2);
    auto const a = npy::parse(files::bytes(bytes), "f");
    CHECK(a.shape == npy::extents{2});
    CHECK(a.read<std::uint16_t>().back() == 0x6463);
}

TEST_CASE("each way to be wrong has its own error")
{
    auto const dict = [](std::string const& shape, std::string const& type = "<f4")
    { return "{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }"; };
    CHECK(npy_error(array_of(dict("(1,)"), "1234")) == "");
    CHECK(npy_error(array_of(dict("(1,)"), "123")) == "f: offset 68: expected 4 bytes for F32 [1], found 3");
    CHECK(npy_error(array_of(dict("(1,)"), "12345")) == "f: offset 68: expected 4 bytes for F32 [1], found 5");
    CHECK(npy_error(array_of("{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }", "1234")) ==
          "f: offset 48: expected fortran_order False (row-major data), found True: save it with "
          "numpy.ascontiguousarray");
    CHECK(npy_error(array_of(dict("(1,)", "|O"), "1234")).find("'|O'") != std::string::npos);
    CHECK(npy_error(array_of(dict("(1,)", ">f4"), "1234")).find("'>f4'") != std::string::npos);
    CHECK(npy_error(array_of("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", "1234"))
              .find("a record") != std::string::npos);
    for (std::string const huge : {"(18446744073709551616,)", "(9223372036854775808, 2)", "(4294967296, 4294967296)"})
        CHECK(npy_error(array_of(dict(huge), "1234")).find("below 2^64") != std::string::npos);
    for (std::string const shape : {"(1)", "(-1,)", "(1,,)", "(1", "1", "(a,)", "(1, 2 3)", "[1]", "(,)", ""})
        CHECK(npy_error(array_of(dict(shape), "1234")) != "");
    CHECK(npy_error(array_of("{'descr': '<f4', 'descr': '<f4', 'shape': (1,)}", "1234")).find("once each") !=
          std::string::npos);
    CHECK(npy_error(array_of("{'descr': '<f4', 'shape': (1,)}", "1234")).find("not all three") != std::string::npos);
    CHECK(npy_error(array_of(dict("(1,)") + "x", "1234")).find("one newline") != std::string::npos);
    CHECK(npy_error(array_of(dict("(1,)") + "\n", "1234")).find("one newline") != std::string::npos);
    CHECK(npy_error(array_of(dict("(1,)"), "1234", 3)).find("version 1.0 or 2.0") != std::string::npos);
    CHECK(npy_error("") == "f: offset 0: expected \\x93NUMPY and a header, found a file of 0 bytes");
    CHECK(npy_error("\x93NUMPY\1").find("a file of 7 bytes") != std::string::npos);
    CHECK(npy_error(std::string(40, 'x')).find("found a text: 'xxxxxx") != std::string::npos);
    CHECK(npy_error(array_of(dict("(1,)"), "1234").substr(0, 30)).find("a header of") != std::string::npos);
}

TEST_CASE("tokens")
{
    files::folder const folder;
    std::vector<std::uint16_t> const small = {1, 65535};
    std::vector<std::uint32_t> const large = {1, 4294967295u};
    npy::save<std::uint16_t>(folder / "a", {2}, small);
    CHECK(npy::read_tokens(folder / "a") == std::vector<std::uint32_t>{1, 65535});
    npy::save<std::uint32_t>(folder / "a", {2}, large);
    CHECK(npy::read_tokens(folder / "a") == large);
    npy::save<std::uint32_t>(folder / "a", {1, 2}, large);
    CHECK_THROWS_AS(npy::read_tokens(folder / "a"), format_error);
    npy::save<std::int64_t>(folder / "a", {1}, std::vector<std::int64_t>{1});
    CHECK_THROWS_AS(npy::read_tokens(folder / "a"), format_error);
}
