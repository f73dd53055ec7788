// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "split/added_tokens.hpp"
#include "vocabulary.hpp"
#include "split/word_rules.hpp"
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace engine
{
    // A tokenizer.json with a BPE model: pairs of pieces become one in the order of 'merges', inside words. Two kinds
    // are read, and no other: pieces spelled in bytes (GPT-2, Llama 3, Qwen), and pieces of characters with <0x0A> for
    // the bytes of those that have none (Llama 2, Gemma). What a file says and this does not do is a format_error.
    class byte_pairs final : public vocabulary
    {
    public:
        byte_pairs(std::string_view json, std::string const& name) : byte_pairs(settings_file(name, json)) {}

        std::size_t size() const override { return _pieces.size(); }
        std::vector<token> encode(std::string_view text, std::vector<std::size_t>& ends) const override;
        std::string const& piece(token t) const override { return _pieces[t]; }
        std::string bytes(token t) const override;
        bool is_unknown(token t) const override { return _kinds[t] == kind::none || t == _unknown; }
        std::optional<token> id_of(std::string const& piece) const override;
        text_start start() const override { return _start; }

    private:
        enum class kind : std::uint8_t
        {
            none, // an id that no piece has
            plain,
            byte,   // <0x0A>
            added,  // as it is spelled
            special // stands for no text
        };
        struct spelling : std::hash<std::string_view>
        {
            using is_transparent = void;
        };
        using ids = std::unordered_map<std::string, token, spelling, std::equal_to<>>;

        struct merge
        {
            std::uint32_t rank;
            token id;
        };
        struct symbol // of a word on its way to tokens
        {
            token id;
            std::uint32_t bytes;
            std::int32_t before, behind; // indices; -1: none. One that became part of another has no bytes
        };
        class words;

        explicit byte_pairs(settings_file const& file); // this and what reads it: byte_pairs_file.cpp
        void read_model(json_place const& model);
        void read_vocabulary(json_place const& pieces, json_place const& added);
        void read_merges(json_place const& merges);
        void read_bytes(json_place const& model);
        void read_added(json_place const& added);
        void expect_decoder(json_place const& decoder) const;
        text_start start_of(json_place const& post_processor) const;

        static std::uint64_t pair_of(token left, token right) { return std::uint64_t{left} << 32 | right; }
        std::vector<symbol> symbols_of(std::string_view word) const;
        void merge_all(std::vector<symbol>& word) const;

        word_rules _rules;
        std::vector<std::string> _pieces; // by id
        std::vector<kind> _kinds;         // by id
        ids _ids, _ids_beside;            // of the model's pieces, and of added tokens that are none of them
        std::unordered_map<std::uint64_t, merge> _merges; // by a pair of ids
        std::array<token, 256> _byte_ids{};
        added_tokens _added, _added_to_normalized;
        text_start _start;
        std::optional<token> _unknown;
        bool _byte_fallback = false, _whole_words = false; // _whole_words: ignore_merges
    };
}
