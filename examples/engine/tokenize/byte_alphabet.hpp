// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace engine
{
    // Bytes as GPT-2 spells them: printable Latin-1 as it is, the others in order from U+0100 on.
    struct byte_alphabet
    {
        byte_alphabet()
        {
            byte_of.fill(-1);
            std::size_t others = 256;
            for (std::size_t b = 0; b < 256; ++b)
            {
                bool const printable = (33 <= b && b <= 126) || (161 <= b && b <= 172) || b >= 174;
                std::size_t const c = printable ? b : others++;
                byte_of[c] = static_cast<int>(b);
                if (c < 0x80)
                    spelled[b] = {static_cast<char>(c)};
                else
                    spelled[b] = {static_cast<char>(0xc0 | c >> 6), static_cast<char>(0x80 | (c & 0x3f))};
            }
        }

        static byte_alphabet const& gpt2()
        {
            static byte_alphabet const all;
            return all;
        }

        std::string spell(std::string_view bytes) const
        {
            std::string out;
            for (char const b : bytes)
                out += spelled[static_cast<unsigned char>(b)];
            return out;
        }

        // The bytes of a piece; the piece itself where it has another character.
        std::string read(std::string const& piece) const
        {
            std::string out;
            for (std::size_t i = 0; i < piece.size(); ++i)
            {
                auto c = std::size_t{static_cast<unsigned char>(piece[i])};
                if (c >= 0xe0)
                    return piece;
                if (c >= 0x80)
                    c = (c & 0x1f) << 6 | (static_cast<unsigned char>(piece[++i]) & 0x3f);
                if (c >= byte_of.size() || byte_of[c] < 0)
                    return piece;
                out += static_cast<char>(byte_of[c]);
            }
            return out;
        }

        std::array<std::string, 256> spelled;
        std::array<int, 256 + 68> byte_of; // of a code point
    };
}
