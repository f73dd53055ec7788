// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include "reject.hpp"

// Files of other kinds in place of one of ours, recognized by their first bytes, so that an error can say what was
// found and what to do. Only for a file that was refused already: a few bytes prove nothing about a good one.
namespace jackplane::inline v0::inline JACKPLANE_TARGET::detail
{
    struct foreign_file
    {
        std::string_view start, name, advice; // advice may be empty
        std::size_t offset = 0;               // of `start`
    };
    inline constexpr std::string_view unpack_first = "unpack it first";
    inline constexpr std::string_view from_torch = "save its tensors as safetensors first";
    inline constexpr std::string_view from_gguf = "a model, which quantize and eval read";
    inline constexpr std::string_view get_again = "download the file itself";
    inline constexpr foreign_file foreign_files[] = {
        {"version https://git-lfs", "a git-lfs pointer", "fetch the file itself: git lfs pull"},
        {"# xet version", "a git-xet pointer", get_again},
        {"GGUF", "a GGUF file", from_gguf},
        {"FUGG", "a big-endian GGUF file", from_gguf},
        {"lmgg", "an old GGML file", from_gguf},
        {"fmgg", "an old GGML file", from_gguf},
        {"tjgg", "an old GGML file", from_gguf},
        {"PK\x03\x04", "a zip archive (as PyTorch's .bin and .pt, NumPy's .npz)", from_torch},
        {"\x80\x02", "a Python pickle (as PyTorch's old .bin)", from_torch},
        {"\x80\x03", "a Python pickle", from_torch},
        {"\x80\x04", "a Python pickle", from_torch},
        {"\x80\x05", "a Python pickle", from_torch},
        {"\x89HDF\r\n\x1a\n", "an HDF5 file", from_torch},
        {"\x93NUMPY", "a NumPy array", ""},
        {"TFL3", "a TensorFlow Lite model", from_torch, 4},
        {"\x1f\x8b", "a gzip archive", unpack_first},
        {"\x28\xb5\x2f\xfd", "a zstd archive", unpack_first},
        {"\3757zXZ", "an xz archive", unpack_first},
        {"BZh", "a bzip2 archive", unpack_first},
        {"7z\xbc\xaf\x27\x1c", "a 7-zip archive", unpack_first},
        {"\x04\x22\x4d\x18", "an lz4 archive", unpack_first},
        {"ustar", "a tar archive", unpack_first, 257},
        {"%PDF", "a PDF", ""},
        {"\177ELF", "a program", ""},
        {"\xff\xfe", "a text in UTF-16", "save it as UTF-8"},
        {"\xfe\xff", "a text in UTF-16", "save it as UTF-8"},
        {"\n\x0e\n\x05<unk>", "a SentencePiece model", ""},
        {std::string_view("\0\0\0\0{\"", 6), "a safetensors file", "", 4},
    };

    inline std::string_view without_leading_space(std::string_view all)
    {
        return all.substr(std::min(all.find_first_not_of(" \t\r\n"), all.size()));
    }

    // What the bytes are, fit to follow "found "; empty where nothing is known of them.
    inline std::string known_kind(std::string_view all)
    {
        all = all.substr(0, 512);
        auto const said = [](std::string_view name, std::string_view advice)
        { return text(name, advice.empty() ? "" : "; ", advice); };
        for (foreign_file const& f : foreign_files)
            if (all.size() >= f.offset && all.substr(f.offset).starts_with(f.start))
                return said(f.name, f.advice);
        std::string_view const words = without_leading_space(all);
        if (words.starts_with("<"))
            return said(words.starts_with("<?xml") ? "an XML text" : "an HTML page", get_again);
        if (words.starts_with("{"))
            return all.size() >= 16 ? "a JSON text" : "";
        return "";
    }

    // The same; of a text that nothing else is known of, how it begins.
    inline std::string foreign(std::string_view all)
    {
        if (std::string const known = known_kind(all); !known.empty())
            return known;
        auto const sample = without_leading_space(all.substr(0, 512)).substr(0, 64);
        bool const printed =
            std::all_of(sample.begin(), sample.end(),
                        [](char c) { return (' ' <= c && c <= '~') || c == '\n' || c == '\r' || c == '\t'; });
        return sample.size() >= 12 && printed ? text("a text: '", printable(sample, 40), "'") : "";
    }
    inline std::string foreign(std::span<std::byte const> all)
    {
        return foreign(std::string_view(reinterpret_cast<char const*>(all.data()), all.size()));
    }
}
