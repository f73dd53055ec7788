// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../tokenize/tokenizer.hpp"
#include "model.hpp"
#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

namespace engine
{
    // A dense model whose tensors are read one by one, when somebody asks: those of a Hugging Face folder, which lie in
    // its files until then, or of a model in memory.
    class model_source
    {
    public:
        explicit model_source(std::filesystem::path folder)
            : _folder(std::move(folder)), _sizes(read_config(_folder / "config.json")), _table(_sizes)
        {
            _files.emplace(_folder);
            check_tensors(*_files, _sizes);
        }
        model_source(model const& m) : _sizes(m.sizes), _table(m.table), _model(&m) {} // which outlives it

        config const& sizes() const noexcept { return _sizes; }
        parameter_table const& table() const noexcept { return _table; }

        // to: p.size() values
        void read(parameter p, float* to) const
        {
            if (_model)
            {
                std::copy_n(_model->w.begin() + static_cast<std::ptrdiff_t>(p.offset), p.size(), to);
                return;
            }
            p.offset = 0;
            read_parameter(*_files, p, {to, p.size()});
        }
        // Several that lie one after the other.
        void read(std::span<parameter const> parts, float* to) const
        {
            for (parameter const& p : parts)
                read(p, to + (p.offset - parts[0].offset));
        }
        model whole() const
        {
            model m(_sizes);
            read(_table.parameters(), m.w.data());
            return m;
        }
        // Of a folder; else empty.
        std::string tokenizer_bytes() const
        {
            return contents(_model ? std::filesystem::path() : tokenizer::file_in(_folder));
        }
        std::string tokenizer_settings() const { return contents(_folder / "tokenizer_config.json"); }

    private:
        std::string contents(std::filesystem::path const& file) const
        {
            return _model || file.empty() || !is_there(file) ? std::string() : settings_file::contents(file);
        }

        std::filesystem::path _folder{};
        config _sizes;
        parameter_table _table;
        std::optional<checkpoint_files> _files{};
        model const* _model = nullptr;
    };
}
