// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "model_files.hpp"
#include "model.hpp"
#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace engine
{
    // A dense model whose tensors are read one by one, when somebody asks: those of a checkpoint, which lie in its
    // files until then, or of a model in memory.
    class model_source
    {
    public:
        explicit model_source(std::filesystem::path const& model)
            : _files(model_files::open(model)), _sizes(read_config(_files->settings())), _table(_sizes)
        {
            _files->check(_sizes);
        }
        model_source(model const& m) : _sizes(m.sizes), _table(m.table), _model(&m) {} // which outlives it

        config const& sizes() const noexcept { return _sizes; }
        parameter_table const& table() const noexcept { return _table; }

        // to: p.size() values
        void read(parameter const& p, float* to) const
        {
            if (_model)
            {
                std::copy_n(_model->w.begin() + static_cast<std::ptrdiff_t>(p.offset), p.size(), to);
                return;
            }
            _files->read(p, {to, p.size()});
        }
        // Several that lie one after the other.
        void read(std::span<parameter const> parts, float* to) const
        {
            for (parameter const& p : parts)
                read(p, to + (p.offset - parts[0].offset));
        }
        // Of a matrix that the files store so: see model_files::codes.
        stored_codes codes(parameter const& p) const
        {
            JACKPLANE_EXPECTS(_files, jackplane::value_error, p.name, ": a model in memory has no codes");
            return _files->codes(p);
        }
        model whole() const
        {
            model m(_sizes);
            read(_table.parameters(), m.w.data());
            return m;
        }
        // Of a checkpoint; else empty.
        std::string tokenizer_bytes() const { return _model ? std::string() : _files->tokenizer_bytes(); }
        std::string tokenizer_settings() const { return _model ? std::string() : _files->tokenizer_settings(); }
        // Of a GGUF file; else null.
        jackplane::gguf::metadata const* gguf_metadata() const { return _model ? nullptr : _files->gguf_metadata(); }
        jackplane::gguf::type_facts const* gguf_type(parameter const& p) const
        {
            return _model ? nullptr : _files->gguf_type(p);
        }

    private:
        std::unique_ptr<model_files const> _files{};
        config _sizes;
        parameter_table _table;
        model const* _model = nullptr;
    };

    inline model load_model(std::filesystem::path const& from) { return model_source(from).whole(); }
}
