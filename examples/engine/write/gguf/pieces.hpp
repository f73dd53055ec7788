// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/store/gguf/metadata.hpp>
#include "../../describe/settings_file.hpp"
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace engine
{
    // The pieces of a vocabulary by their ids, as a GGUF file lists them.
    struct pieces_there
    {
        static constexpr float score_of_added = -1000, score_of_unused = -10000; // converters' own

        std::vector<std::string> tokens{};
        std::vector<std::int32_t> types{};
        std::vector<float> scores{};                        // of SentencePiece's alone
        std::optional<std::size_t> bos{}, eos{}, unknown{}; // as the tokenizer's own file has them

        void set(std::size_t id, std::string piece, std::int32_t type);
        void name_empty(); // ids that no piece has
        std::optional<std::size_t> id_of(std::string const& piece) const;
    };

    // A SentencePiece model and what tokenizer_config.json adds behind its pieces; sets what else a file says of it.
    // Throws format_error for rules that llama.cpp does not have.
    pieces_there sentence_pieces_there(std::string_view bytes, settings_file const& settings,
                                       jackplane::gguf::metadata& to);
}
