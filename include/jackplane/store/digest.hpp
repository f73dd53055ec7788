// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include "header.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // 64 bits that change when bytes do; against accidents, not against forgers. 8-byte words go round robin into four
    // lanes, lane = rotate((lane ^ word) * odd): a bijection of the lane and of the word, so damage inside one word is
    // always found, any other with probability 1 - 2^-64. Bytes added piece by piece give the same as all at once.
    class digest
    {
    public:
        void add(std::span<std::byte const> bytes) noexcept
        {
            _size += bytes.size();
            if (_waiting != 0)
            {
                std::size_t const n = bytes.size() < block - _waiting ? bytes.size() : block - _waiting;
                copy(bytes.first(n));
                bytes = bytes.subspan(n);
                if (_waiting < block)
                    return;
                mix(_rest.data());
                _waiting = 0;
            }
            for (; bytes.size() >= block; bytes = bytes.subspan(block))
                mix(bytes.data());
            copy(bytes);
        }

        std::uint64_t value() const noexcept
        {
            digest d = *this;
            if (d._waiting != 0) // zeros to the end of the block; the size tells them from real ones
            {
                std::memset(d._rest.data() + d._waiting, 0, block - d._waiting);
                d.mix(d._rest.data());
            }
            std::uint64_t h = d._size;
            for (std::uint64_t const lane : d._lanes)
                h = step(h, lane);
            return step(h ^ h >> 32, 0);
        }
        std::string text() const // 16 lower-case hexadecimal digits
        {
            std::string digits;
            for (int shift = 60; shift >= 0; shift -= 4)
                digits += "0123456789abcdef"[value() >> shift & 15];
            return digits;
        }

    private:
        static constexpr std::size_t block = 32;

        static constexpr std::uint64_t step(std::uint64_t lane, std::uint64_t word) noexcept
        {
            return std::rotl((lane ^ word) * 0x9e3779b97f4a7c15u, 29); // odd: 2^64 / golden ratio
        }
        void mix(std::byte const* bytes) noexcept
        {
            for (std::size_t i = 0; i < 4; ++i)
                _lanes[i] = step(_lanes[i], detail::read_u64(bytes + 8 * i));
        }
        void copy(std::span<std::byte const> bytes) noexcept
        {
            if (!bytes.empty())
                std::memcpy(_rest.data() + _waiting, bytes.data(), bytes.size());
            _waiting += bytes.size();
        }

        std::array<std::uint64_t, 4> _lanes{1, 2, 3, 4};
        std::array<std::byte, block> _rest{};
        std::size_t _waiting = 0;
        std::uint64_t _size = 0;
    };
}
