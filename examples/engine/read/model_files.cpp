// SPDX-License-Identifier: BSD-3-Clause
#include "model_files.hpp"
#include "../tokenize/gguf/words.hpp"
#include "../tokenize/tokenizer.hpp"
#include "gguf/tensors.hpp"
#include "model.hpp"
#include "words/tensors.hpp"
#include <cerrno>
#include <fstream>
#include <optional>
#include <string_view>

namespace engine
{
    namespace
    {
        class folder : public model_files
        {
        public:
            explicit folder(std::filesystem::path path) : _path(std::move(path)) {}

            settings_file settings() const override { return config_file(_path / "config.json"); }
            std::string config_json() const override { return contents(_path / "config.json"); }
            std::string tokenizer_name() const override { return tokenizer::file_in(_path).string(); }
            std::string tokenizer_bytes() const override { return contents(tokenizer::file_in(_path)); }
            std::string tokenizer_settings() const override { return contents(_path / "tokenizer_config.json"); }
            void check(config const& c) const override { check_tensors(files(), c); }
            void read(parameter const& p, std::span<float> w) const override { read_parameter(files(), p, w); }
            stored_codes codes(parameter const& p) const override
            {
                std::string const& tensor = tensor_of(files(), p);
                jackplane::fail<jackplane::format_error>(
                    text(files().find(tensor)->name(), ": tensor '", tensor, "' is ",
                         jackplane::dtype_name(files().at(tensor).type),
                         ", numbers; codes that could stay are those of the GPTQ family, or of GGUF's types as Q4_0"));
            }

        protected:
            checkpoint_files const& files() const // which a reader of settings alone does not need
            {
                return _files ? *_files : _files.emplace(_path);
            }

        private:
            static std::string contents(std::filesystem::path const& file)
            {
                return file.empty() || !is_there(file) ? std::string() : settings_file::contents(file);
            }
            std::filesystem::path _path;
            mutable std::optional<checkpoint_files> _files;
        };

#ifndef ENGINE_QUICK_BUILD
        // Whose linear layers lie in words.
        class folder_of_words final : public folder
        {
        public:
            folder_of_words(std::filesystem::path const& path, jackplane::words::settings const& s)
                : folder(path), _settings(s)
            {
            }

            settings_file settings() const override
            {
                settings_file file = folder::settings();
                file.put("quantization_config", nullptr);
                return file;
            }
            std::string config_json() const override { return settings().tree().dump(2) + "\n"; }
            void check(config const& c) const override
            {
                check_tensors(files(), c, [layers = layers()](auto&... of) { return layers.take(of...); });
            }
            void read(parameter const& p, std::span<float> w) const override
            {
                if (!layers().read(p, w))
                    folder::read(p, w);
            }
            stored_codes codes(parameter const& p) const override
            {
                auto found = layers().codes(p);
                return found ? *std::move(found) : folder::codes(p);
            }

        private:
            word_tensors layers() const { return {files(), _settings}; }

            jackplane::words::settings _settings;
        };

        class gguf final : public model_files
        {
        public:
            explicit gguf(std::filesystem::path const& path) : _file(jackplane::gguf::open(path)) {}

            settings_file settings() const override { return {_file.name() + ", as a config.json", config_json()}; }
            std::string config_json() const override { return settings_of(_file).config_json; }
            std::string tokenizer_name() const override { return _file.name(); }
            std::string tokenizer_bytes() const override { return words().bytes; }
            std::string tokenizer_settings() const override { return words().settings; }
            jackplane::gguf::metadata const* gguf_metadata() const override { return &_file.metadata(); }
            jackplane::gguf::type_facts const* gguf_type(parameter const& p) const override
            {
                return &tensors().type(p);
            }
            void check(config const& c) const override { tensors().check(parameter_table(c)); }
            void read(parameter const& p, std::span<float> w) const override { tensors().read(p, w); }
            stored_codes codes(parameter const& p) const override { return tensors().codes(p); }

        private:
            gguf_tensors const& tensors() const // which a vocabulary alone lacks
            {
                return _tensors ? *_tensors : _tensors.emplace(_file, read_config(settings()));
            }
            gguf_words const& words() const { return _words ? *_words : _words.emplace(words_of(_file)); }

            jackplane::gguf::file _file;
            mutable std::optional<gguf_tensors> _tensors;
            mutable std::optional<gguf_words> _words;
        };
#endif
    }

    bool is_gguf(std::filesystem::path const& model)
    {
        if (!std::filesystem::is_regular_file(model))
            return false;
        char start[4] = {};
        std::ifstream(model, std::ios::binary).read(start, 4);
        std::string_view const found(start, 4);
        return found == "GGUF";
    }

    std::unique_ptr<tokenizer> tokenizer_of(std::filesystem::path const& model)
    {
        auto const from = model_files::open(model);
        std::string const bytes = from->tokenizer_bytes();
        if (bytes.empty())
            return nullptr;
        return std::make_unique<tokenizer>(bytes, from->tokenizer_settings(), from->tokenizer_name());
    }

    std::unique_ptr<model_files const> model_files::open(std::filesystem::path const& model)
    {
        if (is_gguf(model))
#ifdef ENGINE_QUICK_BUILD
            jackplane::fail<jackplane::format_error>(model.string() + ": this build reads no GGUF files");
#else
            return std::make_unique<gguf const>(model);
#endif
        if (!is_there(model))
            jackplane::detail::fail_io(model, "open", ENOENT);
#ifndef ENGINE_QUICK_BUILD
        if (auto const config = model / "config.json"; is_there(config))
            if (auto const words = words_in(model, settings_file(config)))
                return std::make_unique<folder_of_words const>(model, *words);
#endif
        return std::make_unique<folder const>(model);
    }
}
