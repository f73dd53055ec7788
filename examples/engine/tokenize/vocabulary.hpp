// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../describe/config.hpp"
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace engine
{
    // What a tokenizer's file says about the start of a text.
    struct text_start
    {
        std::optional<token> piece; // that may stand there
        bool decided = false;       // the file says whether it does; else tokenizer_config.json
        bool by_class = false; // where that says nothing, either, a tokenizer's class does; else a BOS stands there
    };

    // The pieces that a model reads and how a text becomes some of them. A kind of file is a class that says this.
    class vocabulary
    {
    public:
        virtual ~vocabulary() = default;

        virtual std::size_t size() const = 0;
        // ends: where each token ends in the text, as tokenizer::encode says.
        virtual std::vector<token> encode(std::string_view text, std::vector<std::size_t>& ends) const = 0;
        virtual std::string const& piece(token t) const = 0; // below size()
        virtual std::string bytes(token t) const = 0;        // below size()
        virtual bool is_unknown(token t) const = 0;          // below size(): stands for no text that could be told
        virtual std::optional<token> id_of(std::string const& piece) const = 0;
        virtual text_start start() const = 0;
    };
}
