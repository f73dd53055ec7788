// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// tokenizer.json of few pieces, and what differs from one.
#include <engine/tokenize/tokenizer.hpp>
#include <nlohmann/json.hpp>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace engine::of_tokenizers // test files are compiled together
{
    using nlohmann::json;

    inline std::string utf8(std::uint32_t c)
    {
        auto const six = [c](int shift) { return static_cast<char>(0x80 | (c >> shift & 0x3f)); };
        if (c < 0x80)
            return {static_cast<char>(c)};
        if (c < 0x800)
            return {static_cast<char>(0xc0 | c >> 6), six(0)};
        if (c < 0x10000)
            return {static_cast<char>(0xe0 | c >> 12), six(6), six(0)};
        return {static_cast<char>(0xf0 | c >> 18), six(12), six(6), six(0)};
    }

    inline json by_bytes(json const& more = json::object())
    {
        json out = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
        out.update(more);
        return out;
    }

    inline json split(json const& pattern, std::string const& behavior = "Isolated", bool invert = false)
    {
        return {{"type", "Split"}, {"pattern", pattern}, {"behavior", behavior}, {"invert", invert}};
    }

    // A file with the 256 bytes as pieces 0 ... 255 in the order of bytes, and merges from 256 on.
    inline json bytes_file(std::vector<std::pair<std::string, std::string>> const& merges)
    {
        json vocabulary, list = json::array();
        std::uint32_t others = 256;
        for (std::uint32_t b = 0; b < 256; ++b)
        {
            bool const printable = (33 <= b && b <= 126) || (161 <= b && b <= 172) || b >= 174;
            vocabulary[utf8(printable ? b : others++)] = b;
        }
        for (auto const& [left, right] : merges)
        {
            if (!vocabulary.contains(left + right))
                vocabulary[left + right] = vocabulary.size();
            list.push_back(left + " " + right);
        }
        return {{"version", "1.0"},
                {"pre_tokenizer", by_bytes()},
                {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", list}}}};
    }

    // A file with <0x00> ... as pieces 0 ... 255, these characters after them, then merges.
    inline json characters_file(std::vector<std::string> const& characters,
                                std::vector<std::pair<std::string, std::string>> const& merges)
    {
        json vocabulary, list = json::array();
        for (int b = 0; b < 256; ++b)
        {
            constexpr char digits[] = "0123456789ABCDEF";
            vocabulary[std::string("<0x") + digits[b >> 4] + digits[b & 15] + ">"] = b;
        }
        for (std::string const& c : characters)
            vocabulary[c] = vocabulary.size();
        for (auto const& [left, right] : merges)
        {
            vocabulary[left + right] = vocabulary.size();
            list.push_back(json::array({left, right}));
        }
        json const normalizer = {{"type", "Sequence"},
                                 {"normalizers",
                                  {{{"type", "Prepend"}, {"prepend", "\u2581"}},
                                   {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "\u2581"}}}}};
        return {{"normalizer", normalizer},
                {"model", {{"byte_fallback", true}, {"vocab", vocabulary}, {"merges", list}}}};
    }

    inline tokenizer made(json const& file, std::string const& settings = "")
    {
        return tokenizer(file.dump(), settings, "m/tokenizer.json");
    }

    inline json with(json file, std::string const& pointer, json const& value)
    {
        file[json::json_pointer(pointer)] = value;
        return file;
    }
}
