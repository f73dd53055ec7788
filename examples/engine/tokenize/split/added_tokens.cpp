// SPDX-License-Identifier: BSD-3-Clause
#include "added_tokens.hpp"
#include <unicode/uchar.h>
#include <unicode/utf8.h>
#include <algorithm>

namespace engine
{
    namespace
    {
        bool is_word(UChar32 c) // as \w
        {
            auto const type = U_MASK(u_charType(c));
            return u_hasBinaryProperty(c, UCHAR_ALPHABETIC) || u_hasBinaryProperty(c, UCHAR_JOIN_CONTROL) ||
                   (type & (U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK)) != 0;
        }

        UChar32 before(std::string_view text, std::size_t& at) // the character that ends there; at > 0
        {
            auto const* const bytes = reinterpret_cast<std::uint8_t const*>(text.data());
            auto i = static_cast<std::int32_t>(at);
            UChar32 c = 0;
            U8_PREV(bytes, 0, i, c);
            at = static_cast<std::size_t>(i);
            return c;
        }

        UChar32 behind(std::string_view text, std::size_t& at) // that begins there; at < size
        {
            auto const* const bytes = reinterpret_cast<std::uint8_t const*>(text.data());
            UChar32 c = 0;
            U8_NEXT(bytes, at, text.size(), c);
            return c;
        }
    }

    void added_tokens::add(std::string_view content, added_token const& how)
    {
        std::uint32_t node = 0;
        for (char const c : content)
        {
            auto const next = static_cast<std::uint32_t>(_token_at.size());
            auto const [step, is_new] =
                _next.try_emplace(std::uint64_t{node} << 8 | static_cast<unsigned char>(c), next);
            if (is_new)
                _token_at.push_back(0);
            node = step->second;
        }
        _begins[static_cast<unsigned char>(content.front())] = true;
        _tokens.push_back(how);
        _token_at[node] = static_cast<std::uint32_t>(_tokens.size());
    }

    added_tokens::found added_tokens::longest(std::string_view text, std::size_t at) const
    {
        found out{nullptr, {at, at}};
        std::uint32_t node = 0;
        for (std::size_t end = at; end < text.size();)
        {
            auto const next = _next.find(std::uint64_t{node} << 8 | static_cast<unsigned char>(text[end++]));
            if (next == _next.end())
                break;
            node = next->second;
            if (_token_at[node] != 0)
                out = {&_tokens[_token_at[node] - 1], {at, end}};
        }
        return out;
    }

    std::vector<added_tokens::found> added_tokens::cut(std::string_view text) const
    {
        std::vector<found> out;
        std::size_t done = 0;
        for (std::size_t at = 0; at < text.size();)
        {
            found one = _begins[static_cast<unsigned char>(text[at])] ? longest(text, at) : found{nullptr, {at, at}};
            if (one.which == nullptr)
            {
                ++at;
                continue;
            }
            auto& [begin, end] = one.where;
            at = end;
            if (one.which->alone)
            {
                std::size_t left = begin, right = end;
                if ((begin > 0 && is_word(before(text, left))) || (end < text.size() && is_word(behind(text, right))))
                    continue;
            }
            while (one.which->takes_before && begin > done)
            {
                std::size_t left = begin;
                if (!u_isUWhiteSpace(before(text, left)))
                    break;
                begin = std::max(left, done);
            }
            while (one.which->takes_behind && end < text.size())
            {
                std::size_t right = end;
                if (!u_isUWhiteSpace(behind(text, right)))
                    break;
                end = right;
            }
            if (done < begin)
                out.push_back({nullptr, {done, begin}});
            // White space that one has taken can be another token still, as the original has it.
            begin = std::max(begin, done);
            done = end = std::max(end, done);
            out.push_back(one);
        }
        if (done < text.size())
            out.push_back({nullptr, {done, text.size()}});
        return out;
    }
}
