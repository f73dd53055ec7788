// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../../describe/config.hpp"
#include "word_rules.hpp"
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace engine
{
    // A token that is cut out of a text before its words are.
    struct added_token
    {
        token id;
        bool alone = false;                              // single_word: no letter, digit or mark beside it
        bool takes_before = false, takes_behind = false; // lstrip, rstrip: the white space there
    };

    // Added tokens by what they look like; the longest of those that begin at one place is found.
    class added_tokens
    {
    public:
        struct found
        {
            added_token const* which; // null: text between two of them
            text_range where;
        };

        void add(std::string_view content, added_token const& how);
        std::vector<found> cut(std::string_view text) const; // without a gap

    private:
        found longest(std::string_view text, std::size_t at) const;

        std::vector<added_token> _tokens;
        std::unordered_map<std::uint64_t, std::uint32_t> _next; // of a node (0: the root) and a byte
        std::vector<std::uint32_t> _token_at = {0};             // of a node: 1 + index of a token; 0: none ends there
        std::array<bool, 256> _begins{};                        // bytes that one begins with
    };
}
