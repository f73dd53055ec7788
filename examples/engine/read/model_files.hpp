// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/store/gguf/metadata.hpp>
#include <jackplane/store/gguf/types.hpp>
#include "../describe/config.hpp"
#include "../tokenize/tokenizer.hpp"
#include "stored_codes.hpp"
#include "table.hpp"
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace engine
{
    // What a dense model is read from: a Hugging Face folder, or a GGUF file. The words are the folder's.
    class model_files
    {
    public:
        // Throws io_error, format_error.
        static std::unique_ptr<model_files const> open(std::filesystem::path const& model);
        virtual ~model_files() = default;

        virtual settings_file settings() const = 0;         // config.json
        virtual std::string config_json() const = 0;        // its bytes
        virtual std::string tokenizer_name() const = 0;     // for errors
        virtual std::string tokenizer_bytes() const = 0;    // tokenizer.model or tokenizer.json; empty: none
        virtual std::string tokenizer_settings() const = 0; // tokenizer_config.json; empty: none
        // Of a GGUF file; else null.
        virtual jackplane::gguf::metadata const* gguf_metadata() const { return nullptr; }
        // The type that a parameter has there; else null.
        virtual jackplane::gguf::type_facts const* gguf_type(parameter const&) const { return nullptr; }
        // Throws format_error, shape_error unless the tensors are those of the configuration: before a wrong one can
        // ask for all memory.
        virtual void check(config const& c) const = 0;
        // w: p.size() values. Throws value_error where one is not finite.
        virtual void read(parameter const& p, std::span<float> w) const = 0;
        // A matrix that is stored as codes with scales and whole zeros. Throws format_error for any other, with what it
        // is.
        virtual stored_codes codes(parameter const& p) const = 0;
    };

    bool is_gguf(std::filesystem::path const& model);
    // Whether a path is that of a dense model, not of a file of ours.
    inline bool is_dense(std::filesystem::path const& model)
    {
        return std::filesystem::is_directory(model) || is_gguf(model);
    }
    inline config config_of(std::filesystem::path const& model)
    {
        return read_config(model_files::open(model)->settings());
    }
    // Null: it has none.
    std::unique_ptr<tokenizer> tokenizer_of(std::filesystem::path const& model);
}
