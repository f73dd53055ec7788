// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>
#include <unistd.h>

// Bytes as std::string, a folder that cleans up after itself, and a generator of repeatable numbers.
namespace files
{
    struct folder
    {
        folder()
        {
            // in memory where there is such a folder: every file written is flushed to the disk
            std::filesystem::path const memory = "/dev/shm";
            auto const in = ::access(memory.c_str(), W_OK) == 0 ? memory : std::filesystem::temp_directory_path();
            std::string name = (in / "jackplane-XXXXXX").string();
            if (::mkdtemp(name.data()) == nullptr)
                throw std::system_error(errno, std::generic_category(), name);
            path = name;
        }
        folder(folder const&) = delete;
        folder& operator=(folder const&) = delete;
        ~folder()
        {
            std::error_code ignored;
            std::filesystem::remove_all(path, ignored);
        }
        std::filesystem::path operator/(std::string_view name) const { return path / name; }
        std::size_t entries() const
        {
            return static_cast<std::size_t>(
                std::distance(std::filesystem::directory_iterator(path), std::filesystem::directory_iterator()));
        }

        std::filesystem::path path;
    };

    inline std::string get(std::filesystem::path const& path)
    {
        std::ifstream in(path, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    inline void put(std::filesystem::path const& path, std::string_view bytes)
    {
        std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    }
    inline std::span<std::byte const> bytes(std::string_view s) { return std::as_bytes(std::span(s.data(), s.size())); }

    inline std::string u64(std::uint64_t n)
    {
        std::string s;
        for (unsigned shift = 0; shift < 64; shift += 8)
            s += static_cast<char>(static_cast<unsigned char>(n >> shift & 255u));
        return s;
    }
    // A safetensors file around any header text, right or wrong.
    inline std::string around(std::string_view json, std::size_t data = 0)
    {
        return u64(json.size()) + std::string(json) + std::string(data, '\x5a');
    }

    // 4096 numbers that whoever has no compiler can make, too: multiples of 2^-14 from -2 on, below 2.
    inline std::vector<float> sample()
    {
        std::vector<float> x(4096);
        for (std::uint32_t i = 0; i < x.size(); ++i)
        {
            std::uint32_t h = i * 2654435761u + 0x9e3779b9u;
            h ^= h >> 15;
            h *= 2246822519u;
            h ^= h >> 13;
            x[i] = static_cast<float>(static_cast<int>(h & 0xffffu) - 32768) / 16384.0f;
        }
        return x;
    }

    struct numbers // splitmix64
    {
        std::uint64_t state;
        std::uint64_t operator()()
        {
            std::uint64_t z = state += 0x9e3779b97f4a7c15u;
            z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
            z = (z ^ z >> 27) * 0x94d049bb133111ebu;
            return z ^ z >> 31;
        }
        std::size_t below(std::size_t n) { return static_cast<std::size_t>((*this)() % n); }
    };
}
