// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/pack/pack.hpp>
#include <jackplane/store/digest.hpp>
#include <jackplane/store/nested_write.hpp>
#include <nlohmann/json.hpp>
#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>
#include "files.hpp"

// Small packed matrices of any format, and an independent judge of safetensors files.
namespace models
{
    template <class S>
    S number(files::numbers& random)
    {
        float const x = static_cast<float>(static_cast<int>(random.below(2001)) - 1000) / 512;
        if constexpr (std::same_as<S, std::uint8_t>)
            return static_cast<std::uint8_t>(random.below(256));
        else if constexpr (std::same_as<S, jackplane::no_zero>)
            return {};
        else if constexpr (jackplane::zero_number<S> && requires { typename S::number_type; })
            return {jackplane::from_float<typename S::number_type>(x)};
        else
            return jackplane::from_float<S>(x);
    }

    template <class Packed>
    struct maker;
    template <class L, class C, class S, class Z>
    struct maker<jackplane::packed<L, C, S, Z>>
    {
        static auto make(std::size_t rows, std::size_t cols, std::size_t group, std::uint64_t seed)
        {
            using namespace jackplane;
            files::numbers random{seed};
            auto const grid =
                row_codebook<C> ? group_grid{1, C::size, false} : group_grid::of(jackplane::group{group}, cols);
            quantized<C, S, Z> q{C{}, rows, cols, grid, {}, {}, {}};
            q.codes.resize(rows * cols);
            for (code& each : q.codes)
                each = static_cast<code>(random.below(C::size));
            q.scales.resize(q.grid.scales(rows));
            for (S& each : q.scales)
                each = number<S>(random);
            if constexpr (!std::same_as<Z, no_zero>)
            {
                q.zeros.resize(q.scales.size());
                for (Z& each : q.zeros)
                    each = number<Z>(random);
            }
            return pack<L>(q);
        }
    };
    // Random codes, scales and zeros.
    template <class Packed>
    Packed matrix(std::size_t rows, std::size_t cols, std::size_t group, std::uint64_t seed = 1)
    {
        return maker<Packed>::make(rows, cols, group, seed);
    }

    template <class M>
    std::vector<float> values(M const& m)
    {
        std::vector<float> out(m.rows() * m.cols());
        jackplane::dequantize(m, {out.data(), m.rows(), m.cols()});
        return out;
    }
    template <class M>
    std::vector<float> values(M const& m, unsigned bits)
    {
        return values(m.prefix(bits));
    }
    inline std::vector<float> values(jackplane::any_packed const& m, unsigned bits)
    {
        return std::visit([&](auto const& each) { return values(each, bits); }, m);
    }

    // Nothing when the bytes are a whole, valid safetensors file; else why not. Shares no code with the reader.
    inline std::string judge(std::string const& bytes)
    {
        using nlohmann::json;
        if (bytes.size() < 8)
            return "short";
        std::uint64_t length = 0;
        for (std::size_t i = 0; i < 8; ++i)
            length += std::uint64_t{static_cast<unsigned char>(bytes[i])} << 8 * i;
        if (length > 100'000'000 || length > bytes.size() - 8 || bytes[8] != '{')
            return "length";
        json const head = json::parse(bytes.substr(8, static_cast<std::size_t>(length)), nullptr, false);
        if (head.is_discarded() || !head.is_object())
            return "json";
        std::vector<std::pair<std::uint64_t, std::uint64_t>> extents;
        for (auto const& [name, t] : head.items())
        {
            if (name == "__metadata__")
            {
                for (auto const& [key, value] : t.items())
                    if (!value.is_string())
                        return "metadata " + key;
                continue;
            }
            static std::vector<std::pair<std::string, unsigned>> const sizes = {
                {"BOOL", 8}, {"F4", 4}, {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8}, {"I8", 8}, {"F8_E5M2", 8},
                {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16}, {"U16", 16},
                {"F16", 16}, {"BF16", 16}, {"I32", 32}, {"U32", 32}, {"F32", 32}, {"C64", 64}, {"F64", 64}, {"I64", 64},
                {"U64", 64}};
            auto const type = t.value("dtype", "");
            auto const size = std::find_if(sizes.begin(), sizes.end(), [&](auto const& s) { return s.first == type; });
            if (size == sizes.end() || t.size() != 3)
                return "dtype of " + name;
            auto total = static_cast<unsigned __int128>(size->second);
            for (auto const& n : t.at("shape"))
            {
                total *= n.get<std::uint64_t>();
                if (total >> 64 != 0)
                    return "size of " + name;
            }
            auto const begin = t.at("data_offsets").at(0).get<std::uint64_t>();
            auto const end = t.at("data_offsets").at(1).get<std::uint64_t>();
            if (end < begin || total % 8 != 0 || end - begin != total / 8)
                return "offsets of " + name;
            extents.emplace_back(begin, end);
        }
        std::sort(extents.begin(), extents.end());
        std::uint64_t at = 0;
        for (auto const& [begin, end] : extents)
            if (std::exchange(at, end) != begin)
                return "hole or overlap at " + std::to_string(begin);
        return at == bytes.size() - 8 - length ? "" : "end";
    }

    // Other header text for a nested file, padded as before and with its digest made right again.
    inline std::string with_header(std::string const& file, std::string json)
    {
        std::size_t length = 0;
        for (std::size_t i = 0; i < 8; ++i)
            length |= std::size_t{static_cast<unsigned char>(file[i])} << 8 * i;
        json.append((4096 - (json.size() + 8) % 4096) % 4096, ' ');
        std::string const key = "\"header_digest\":\"";
        std::string head = files::u64(json.size()) + json;
        std::size_t const at = head.find(key);
        if (at != std::string::npos)
        {
            head.replace(at + key.size(), 16, 16, '0');
            jackplane::digest d;
            d.add(files::bytes(head));
            head.replace(at + key.size(), 16, d.text());
        }
        return head + file.substr(8 + length);
    }
    inline std::string header_of(std::string const& file)
    {
        std::size_t length = 0;
        for (std::size_t i = 0; i < 8; ++i)
            length |= std::size_t{static_cast<unsigned char>(file[i])} << 8 * i;
        std::string json = file.substr(8, length);
        return json.substr(0, json.find_last_not_of(' ') + 1);
    }
}
