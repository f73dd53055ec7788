// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../json_place.hpp"
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace engine
{
    // Bytes [begin, end) of a text.
    struct text_range
    {
        std::size_t begin, end;
    };

    // A text on its way to tokens, and where in the original it comes from.
    struct passage
    {
        std::string text;              // UTF-8
        std::size_t begin = 0;         // in the original
        std::vector<std::size_t> ends; // of each byte: where its source ends; empty: the original's bytes as they are

        // Bytes that are no UTF-8 become U+FFFD.
        static passage of(std::string_view original);

        std::size_t end_of(std::size_t bytes) const // of the first `bytes` bytes, in the original
        {
            return bytes == 0 ? begin : ends.empty() ? begin + bytes : ends[bytes - 1];
        }

        passage part(text_range r) const
        {
            passage out{text.substr(r.begin, r.end - r.begin), end_of(r.begin), {}};
            if (!ends.empty())
                out.ends.assign(ends.begin() + static_cast<std::ptrdiff_t>(r.begin),
                                ends.begin() + static_cast<std::ptrdiff_t>(r.end));
            return out;
        }
    };

    // 'normalizer' and 'pre_tokenizer' of a tokenizer.json: what is changed in a text, and the words that it is cut
    // into. Tokens do not reach beyond a word.
    class word_rules
    {
    public:
        explicit word_rules(json_place const& file);

        void normalize(passage& p) const;
        std::vector<text_range> split(passage& p) const; // may put spaces before words

        bool byte_level() const noexcept { return _byte_level; }     // pieces are spelled in bytes, not in characters
        std::string const& space() const noexcept { return _space; } // stands for a space; empty: a space does

        struct step; // ICU's classes stay in one file

    private:
        void add_normalizer(json_place const& from);
        void add_splitter(json_place const& from);
        void add_metaspace(json_place const& from);
        void expect_space(json_place const& from, std::string const& mark);

        std::vector<std::shared_ptr<step const>> _normalizers, _splitters;
        bool _byte_level = false;
        std::string _space;
    };
}
